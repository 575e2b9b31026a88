"""The picture of a run."""

from __future__ import annotations

import re
import time
from typing import Any
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study.picture import drawn, seconds, svg
from nbtwisted.study.run import Calls, Run, Sample
from nbtwisted.study.text import LANGUAGES
from nbtwisted.timeline.columns import width_of
from tests.study.runs import a_request, a_run

CALLS = {
    "recvfrom": Calls(1_234, {"EAGAIN": 1_200}),
    "socket": Calls(5, {}),
    "connect": Calls(5, {"EINPROGRESS": 5}),
    "close": Calls(4, None),
}


def spinning() -> Run:
    """A run that used the processor in its second half."""
    samples = [
        Sample(
            at=step / 10,
            user=max(step - 15, 0) / 10 * 0.7,
            system=max(step - 15, 0) / 10 * 0.2,
            memory=10_000_000 + step * 1_000_000,
            threads=1 + (step == 9),
            processes=1,
            descriptors=9,
        )
        for step in range(32)
    ]
    return a_run(seconds=3.1, user=1.05, system=0.3, samples=samples, calls=CALLS)


class DrawnTests(SynchronousTestCase):
    maxDiff = None

    def drawn(self, run: Run, language: Any = "en", **options: Any) -> str:
        return "\n" + drawn(run, language, **{"width": 60, **options})

    def test_english(self) -> None:
        self.assertEqual(
            self.drawn(spinning()),
            """
1 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   3.00 s
2 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━                2.00 s
3 /  200   ━━━━━━━━━━━━━                              1.00 s
4 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   3.00 s
5 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━                2.00 s
          0 s           1 s          2 s           3 s
user                          ▄▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▄  1.05 s
system                        ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂  0.30 s
waiting   ████████████████████▄▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▄  1.75 s
memory    ▃▃▃▃▃▃▃▄▄▄▄▄▄▄▅▅▅▅▅▅▅▆▆▆▆▆▆▆▇▇▇▇▇▇▇███████   41 MB
system calls: recvfrom 1,234 (1,200 EAGAIN), socket 5,
  connect 5 (5 EINPROGRESS), close 4
at most: 2 threads, 1 process, 9 descriptors
5 answers in 3.00 s; one after another: 11.00 s (3.7x)
""",
        )

    def test_japanese(self) -> None:
        self.assertEqual(
            self.drawn(spinning(), "ja"),
            """
1 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   3.00 s
2 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━                2.00 s
3 /  200   ━━━━━━━━━━━━━                              1.00 s
4 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   3.00 s
5 /  200   ━━━━━━━━━━━━━━━━━━━━━━━━━━━                2.00 s
          0 s           1 s          2 s           3 s
ユーザ                        ▄▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▄  1.05 s
システム                      ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂  0.30 s
待ち      ████████████████████▄▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▄  1.75 s
メモリ    ▃▃▃▃▃▃▃▄▄▄▄▄▄▄▅▅▅▅▅▅▅▆▆▆▆▆▆▆▇▇▇▇▇▇▇███████   41 MB
システムコール: recvfrom 1,234 (1,200 EAGAIN)、socket 5、
  connect 5 (5 EINPROGRESS)、close 4
最大: スレッド 2、プロセス 1、ディスクリプタ 9
応答 5 件: 3.00 秒。1 件ずつなら 11.00 秒 (3.7 倍)
""",
        )

    def test_ascii(self) -> None:
        self.assertEqual(
            self.drawn(spinning(), ascii_only=True),
            """
1 /  200   ========================================   3.00 s
2 /  200   ===========================                2.00 s
3 /  200   =============                              1.00 s
4 /  200   ========================================   3.00 s
5 /  200   ===========================                2.00 s
          0 s           1 s          2 s           3 s
user                          :++++++++++++++++++++:  1.05 s
system                        ......................  0.30 s
waiting   ####################:____________________:  1.75 s
memory    -------:::::::=======+++++++*******#######   41 MB
system calls: recvfrom 1,234 (1,200 EAGAIN), socket 5,
  connect 5 (5 EINPROGRESS), close 4
at most: 2 threads, 1 process, 9 descriptors
5 answers in 3.00 s; one after another: 11.00 s (3.7x)
""",
        )

    def test_narrow(self) -> None:
        self.assertEqual(
            self.drawn(spinning(), width=40),
            """
1 /  200  ━━━━━━━━━━━━━━━━━━━━━━  3.00 s
2 /  200  ━━━━━━━━━━━━━━━         2.00 s
3 /  200  ━━━━━━━                 1.00 s
4 /  200  ━━━━━━━━━━━━━━━━━━━━━━  3.00 s
5 /  200  ━━━━━━━━━━━━━━━         2.00 s
          0 s           2 s
user                ▂▆▆▆▆▆▆▆▆▆▆▅  1.05 s
system              ▁▂▂▂▂▂▂▂▂▂▂▂  0.30 s
waiting   ██████████▆▁▁▁▁▁▁▁▁▁▁▃  1.75 s
memory    ▃▃▃▃▄▄▄▅▅▅▅▆▆▆▆▇▇▇████   41 MB
system calls:
  recvfrom 1,234 (1,200 EAGAIN),
  socket 5, connect 5 (5 EINPROGRESS),
  close 4
at most: 2 threads, 1 process,
  9 descriptors
5 answers in 3.00 s; one after another:
  11.00 s (3.7x)
""",
        )

    def test_nothing_came_and_nobody_looked(self) -> None:
        self.assertEqual(
            self.drawn(a_run([], samples=())), "\nno request came to the server\n"
        )
        self.assertEqual(
            self.drawn(a_run([], samples=(), calls={}), "ja"),
            "\nシステムコール: 待つもの、通信するものはなし\n"
            "サーバにリクエストは来ませんでした\n",
        )

    def test_no_samples(self) -> None:
        picture = self.drawn(a_run(samples=()))
        self.assertNotIn("user", picture)
        self.assertNotIn("at most", picture)
        self.assertIn("5 answers in 3.00 s; one after another: 11.00 s", picture)

    def test_requests_in_flight(self) -> None:
        run = a_run(
            [
                a_request(1, 0.0, held=1.0),
                a_request(2, 0.0, ended=None, held=None, outcome="in flight"),
                a_request(3, 1.0, ended=2.0, held=None, outcome="cancelled"),
            ],
            exit_code=None,
            samples=(),
        )
        self.assertEqual(
            self.drawn(run),
            """
1 /        200  ━━━━━━━━━━━━                          1.00 s
2 /  in flight  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╳  3.10 s
3 /  cancelled              ━━━━━━━━━━╳               1.00 s
                0 s         1 s        2 s         3 s
1 answer and 2 errors in 3.10 s; one after another: 5.10 s
  (1.6x)
""",
        )
        self.assertIn("応答 1 件、失敗 2 件", self.drawn(run, "ja"))

    def test_faults(self) -> None:
        run = a_run(
            [a_request(1, outcome="broken", fault="reset"), a_request(2, status=503)],
            samples=(),
        )
        picture = self.drawn(run)
        self.assertRegex(picture, r"1 / +reset .*╳")
        self.assertRegex(picture, r"2 / +503 ")
        self.assertIn("1 answer and 1 error in", picture)

    def test_what_the_program_sent_is_escaped(self) -> None:
        run = a_run([a_request(1, target="/\x1b[2J\u202e\n")], samples=())
        self.assertNotRegex(self.drawn(run), "[\x1b\u202e]")
        self.assertNotRegex(svg(run, "en"), "[\x1b\u202e]")

    def test_a_request_that_came_when_the_program_had_ended(self) -> None:
        run = a_run([a_request(1, 5.0, ended=None, outcome="in flight")], seconds=3.0)
        self.assertIn("1 error", self.drawn(run))

    def test_a_run_that_took_no_time(self) -> None:
        run = a_run([], seconds=0.0, user=0, system=0)
        self.assertIn("no request", self.drawn(run))
        self.assertIn("<svg", svg(run, "ja"))


class WidthTests(SynchronousTestCase):
    def test_no_line_is_wider_than_the_screen(self) -> None:
        for width in (20, 30, 40, 80, 200):
            for language in LANGUAGES:
                picture = drawn(spinning(), language, width=width)
                for line in picture.splitlines():
                    self.assertLessEqual(width_of(line), width, (language, line))

    def test_a_narrower_screen_has_what_20_columns_have(self) -> None:
        self.assertEqual(
            drawn(spinning(), "en", width=3), drawn(spinning(), "en", width=20)
        )

    def test_ascii_of_english_is_ascii(self) -> None:
        picture = drawn(spinning(), "en", width=80, ascii_only=True)
        self.assertTrue(picture.isascii(), picture)

    def test_colour_is_only_where_it_may_be(self) -> None:
        self.assertNotIn("\x1b", drawn(spinning(), "en", width=80))
        colourful = drawn(spinning(), "en", width=80, colour=True)
        self.assertEqual(
            re.sub("\x1b\\[[0-9;]*m", "", colourful),
            drawn(spinning(), "en", width=80),
        )
        self.assertIn("\x1b[", colourful)


class ManyTests(SynchronousTestCase):
    def test_ten_thousand_requests(self) -> None:
        requests = [a_request(n, n / 10_000, held=1.0) for n in range(1, 10_001)]
        run = a_run(requests)
        began = time.process_time()
        picture = drawn(run, "en", width=80)
        page = svg(run, "en")
        self.assertLess(time.process_time() - began, 5)
        self.assertLess(picture.count("\n"), 30)
        self.assertIn("10,000 answers in", picture)
        self.assertLess(len(page), 100_000)


class SVGTests(SynchronousTestCase):
    def test_it_parses(self) -> None:
        for run in (spinning(), a_run([]), a_run([], samples=()), a_run()):
            for language in LANGUAGES:
                root = ElementTree.fromstring(svg(run, language))
                self.assertTrue(root.tag.endswith("svg"))

    def test_what_it_says(self) -> None:
        for language, words in (
            ("en", ("user", "waiting", "1,200 EAGAIN", "5 answers in 3.00 s")),
            ("ja", ("ユーザ", "待ち", "1,200 EAGAIN", "応答 5 件: 3.00 秒")),
        ):
            root = ElementTree.fromstring(svg(spinning(), language))  # type: ignore[arg-type]
            said = " ".join("".join(root.itertext()).split())
            for word in words:
                self.assertIn(word, said)

    def test_what_would_be_markup_is_not(self) -> None:
        run = a_run([a_request(1, target="/<script>&amp;\x00")])
        ElementTree.fromstring(svg(run, "en"))


class SecondsTests(SynchronousTestCase):
    def test_units(self) -> None:
        for value, english, japanese in (
            (0.0, "0 ms", "0 ミリ秒"),
            (0.0412, "41 ms", "41 ミリ秒"),
            (0.1, "0.10 s", "0.10 秒"),
            (3.014, "3.01 s", "3.01 秒"),
            (123.4, "123.40 s", "123.40 秒"),
        ):
            self.assertEqual(seconds(value, "en"), english)
            self.assertEqual(seconds(value, "ja"), japanese)
