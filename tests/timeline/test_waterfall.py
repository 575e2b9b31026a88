"""The waterfall, as text."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline import Phase, Sample, Span, Totals, Track, waterfall
from nbtwisted.timeline.columns import width_of
from nbtwisted.timeline.span import PHASES
from nbtwisted.timeline.waterfall import CHARACTERS, bars
from tests.guard import ClockCase
from tests.timeline.spans import any_spans, attempt, span


class WaterfallTests(ClockCase):
    def picture(self, *spans: Span, width: int = 60, ascii_only: bool = False) -> str:
        return "\n" + waterfall(spans, width=width, ascii_only=ascii_only)

    def test_one_bar_a_request_on_one_axis(self) -> None:
        self.assertEqual(
            self.picture(
                span(1, "/", 100.0, held=2.0),
                span(2, "/", 100.0, held=1.0),
                span(3, "/", 100.0, held=4.0),
            ),
            """
1 /  200  ━━━━━━━━━━━━━━━━━━━━━                       2.00 s
2 /  200  ━━━━━━━━━━                                  1.00 s
3 /  200  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  4.00 s
          0 s       1 s        2 s        3 s       4 s
3 answers in 4.00 s; one after another: 7.00 s (1.8x)
""",
        )

    def test_phases_and_failures(self) -> None:
        spans = [
            span(1, "http://a/", 0, dns=0.5, connect=0.5, wait=2, receive=1),
            span(2, "http://b/", 0, queued=3, send=0.5, wait=0.5),
            span(3, "http://c/", 0, queued=1, connect=1, tls=1, held=1),
            span(4, "x", 2, connect=0.001, outcome="url", failed=True),
            span(5, "y", 0, wait=3, outcome="deadline", failed=True),
        ]
        self.assertEqual(
            self.picture(*spans),
            """
1 a/       200  ╌╌╌╌╌╌╌╌╌──────────────────█████████  4.00 s
2 b/       200  ···························─────────  1.00 s
3 c/       200  ·········╌╌╌╌╌╌╌╌╌═════════━━━━━━━━━  3.00 s
4 x        url                    ╳                   1.0 ms
5 y   deadline  ──────────────────────────╳           3.00 s
                0 s      1 s      2 s      3 s      4 s
                · queued  ╌ connect  ═ tls  ━ held  ─ wait
                █ receive  ╳ error
3 answers and 2 errors in 4.00 s; one after another: 11.00 s
(2.8x)
""",
        )

    def test_a_pace_and_a_tunnel(self) -> None:
        attempts = (
            attempt("429", ended_by="retry", queued=1, paced=2, wait=1, pause=1),
            attempt("200", paced=3, connect=1, proxy=1, tls=1, wait=2),
        )
        late = span(2, "/", 0, queued=4, paced=8.9, receive=0.0001)
        self.assertEqual(
            self.picture(Span(1, "/", 0, attempts), late, width=45),
            """
1 /  200  ··┊┊┊┊──↻┄┊┊┊┊┊┊╌╌∩∩══────  10.00 s
2 /  200  ········┊┊┊┊┊┊┊┊┊┊┊┊┊┊┊┊┊█   0.1 ms
          0 s       5 s       10 s
          · queued  ┊ paced  ╌ connect
          ∩ proxy  ═ tls  ─ wait  █ receive
          ┄ pause  ↻ retry
2 answers in 13.00 s; 2 paced
""",
        )

    def test_retries_and_redirects_are_parts_of_one_row(self) -> None:
        attempts = (
            attempt("first byte", ended_by="error", wait=1, pause=1),
            attempt("503", ended_by="retry", wait=1, pause=1),
            attempt("302", ended_by="redirect", wait=1),
            attempt("first byte", ended_by="resend", wait=1),
            attempt("200", wait=2),
        )
        self.assertEqual(
            self.picture(Span(1, "/", 0, attempts), width=49),
            """
1 /  200  ───╳┄┄┄┄───↻┄┄┄────»───↺───────  8.00 s
          0 s                5 s
          ─ wait  ┄ pause  ↻ retry  ↺ resend
          » redirect  ╳ error
1 answer in 8.00 s
""",
        )

    def test_an_error_in_a_pause_is_at_its_end(self) -> None:
        attempts = (
            attempt("503", ended_by="retry", wait=1, pause=3),
            attempt("deadline", ended_by="error"),
        )
        drawn = self.picture(Span(1, "/", 0, attempts))
        self.assertRegex(drawn, r"1 /  deadline  ─+↻┄+╳  4\.00 s")

    def test_ascii(self) -> None:
        picture = self.picture(
            span(
                1,
                "/日本" + "long" * 20,
                0,
                queued=1,
                paced=1,
                connect=1,
                proxy=1,
                tls=1,
                held=1,
                wait=1,
                receive=1,
            ),
            span(2, "/", 0, wait=1, failed=True, outcome="dns"),
            Span(3, "/", 0, (attempt(ended_by="retry", wait=1, pause=1), attempt())),
            ascii_only=True,
        )
        self.assertTrue(picture.isascii(), picture)
        self.assertIn("...", picture)
        self.assertRegex(
            picture, r"\.{3,}\|{3,}~{3,}\^{3,}\+{3,}={3,}-{3,}#{3,}  6\.00 s"
        )
        self.assertRegex(picture, r"-{3,}\*_{2,}")

    def test_of_a_long_label_the_end_stays(self) -> None:
        path = "/get?_delay=lognormal(600ms,0.4)&_key="
        spans = [span(n, path + key, 0, wait=1) for n, key in ((1, "a"), (2, "b"))]
        first, second = self.picture(*spans).splitlines()[1:3]
        self.assertRegex(first, r"^1 /get\?_\S*…\S*_key=a  200 ")
        self.assertRegex(second, r"^2 /get\?_\S*…\S*_key=b  200 ")

    def test_ticks_of_short_times(self) -> None:
        axis = self.picture(span(1, "/", 0, wait=0.004)).splitlines()[2]
        self.assertEqual(axis.split("  ")[-1].strip(), "4 ms")
        axis = self.picture(span(1, "/", 0, wait=0.00002)).splitlines()[2]
        self.assertIn("0.015 ms", axis)

    def test_one_answer_has_nothing_to_be_compared_with(self) -> None:
        drawn = self.picture(span(1, "/", 7, wait=1.5))
        self.assertIn("\n1 answer in 1.50 s\n", drawn)

    def test_nothing_but_errors(self) -> None:
        picture = self.picture(span(1, "/", 0, outcome="url", failed=True))
        self.assertIn("\n1 error in 0.0 ms\n", picture)

    def test_no_requests(self) -> None:
        self.assertEqual(waterfall([], width=80), "no requests\n")

    def test_colour_surrounds_and_changes_nothing(self) -> None:
        phases: dict[str, Any] = dict.fromkeys(PHASES, 1.0)
        spans = [
            span(1, "/", 0, **phases),
            span(2, "/", 0, wait=1, failed=True, outcome="dns"),
        ]
        coloured = waterfall(spans, width=60, colour=True)
        self.assertIn("\x1b[31m", coloured)
        plain = re.sub("\x1b\\[[0-9]+m", "", coloured)
        self.assertEqual(plain, waterfall(spans, width=60))
        for line in coloured.splitlines():
            # Every colour that is switched on is switched off in its line.
            codes = re.findall("\x1b\\[([0-9]+)m", line)
            self.assertEqual(codes[1::2], ["0"] * (len(codes) // 2), line)

    def test_an_upstream_has_a_stroke_of_its_own(self) -> None:
        proxied = span(1, "/", 0, held=1.0, upstream=2.0, wait=1.0)
        drawn = self.picture(proxied)
        self.assertRegex(drawn, r"1 /  200  (━+)≈{19,21}─+  4\.00 s")
        self.assertIn("━ held  ≈ upstream  ─ wait", drawn)
        drawn = waterfall([proxied], width=60, ascii_only=True)
        self.assertRegex(drawn, r"1 /  200  =+o{19,21}-+  4\.00 s")

    def test_what_is_short_is_seen_behind_its_time_in_a_queue(self) -> None:
        drawn = self.picture(
            span(1, "/", 0, wait=4), span(2, "/", 0, queued=3.9, receive=0.0001)
        )
        self.assertRegex(drawn, r"2 /  200  ·+█ +0\.1 ms")

    def test_twenty_columns(self) -> None:
        spans = [
            span(9, "http://host/long", 0, wait=2),
            span(10, "http://host/longer", 0, wait=1, outcome="first byte"),
        ]
        self.assertEqual(
            self.picture(*spans, width=20),
            """
 9     200  ────────
10  first…  ────
            0 s
2 answers in 2.00 s;
one after another:
3.00 s (1.5x)
""",
        )

    def test_wide_characters_keep_the_columns(self) -> None:
        lines = self.picture(
            span(1, "/日本語の長い長い長い名前", 0, wait=1),
            span(2, "/short", 0, wait=1),
        ).splitlines()
        self.assertEqual(width_of(lines[1]), width_of(lines[2]))
        self.assertIn("…", lines[1])

    def test_many_share_rows(self) -> None:
        spans = [
            span(
                number,
                f"/{number}",
                number,
                wait=9.0 if number == 250 else 0.5,
                failed=number == 100,
                outcome="dns" if number == 100 else "200",
            )
            for number in range(1, 501)
        ]
        lines = waterfall(spans, width=80, rows=12).splitlines()
        begins = [line[:12].strip() for line in lines[:12]]
        # The first ones, the last, what failed and the slowest, and what lies between.
        for shown in ("1 /1", "100 /100", "250 /250", "500 /500"):
            self.assertIn(shown, begins)
        self.assertEqual(sum("more" in begin for begin in begins), 3)
        counts = [int(b.split()[1]) for b in begins if "more" in b]
        self.assertEqual(sum(counts) + 12 - 3, 500)
        self.assertRegex(lines[12], r"^ +0 s")
        self.assertEqual(lines[-1][:26], "499 answers and 1 error in")

    def test_the_summary_is_of_all(self) -> None:
        sample = Sample(most=4)
        for number in range(1, 1001):
            sample.add(span(number, "/", 0.0, wait=1.0))
        drawn = waterfall(sample.spans, width=60, totals=sample.totals)
        self.assertIn("1,000 answers in 1.00 s; one after another: 1000.00 s", drawn)
        self.assertEqual(drawn.count("  200  "), len(sample.spans))

    def test_the_summary_says_how_many_were_paced(self) -> None:
        spans = [span(1, "/", 0.0, wait=1.0), span(2, "/", 0.0, paced=1.5, wait=1.0)]
        # The pace, and not the client, decides how long it takes.
        self.assertIn("\n2 answers in 2.50 s; 1 paced\n", self.picture(*spans))
        self.assertNotIn("paced", self.picture(*spans[:1]))
        # What nobody sees is not counted.
        totals = Totals.of([*spans, *spans, span(3, "/", 0.0, paced=0.0009)])
        self.assertEqual((totals.paced, totals.times_as_fast), (2, 1.6))
        self.assertIn("s; 1 paced; one after", self.picture(*spans, spans[0]))

    def test_the_summary_says_what_was_resent(self) -> None:
        attempts = (
            attempt("first byte", ended_by="resend", wait=1.0),
            attempt("200", wait=1.0),
        )
        spans = [Span(number, "/", 0.0, attempts, resent=number) for number in range(3)]
        self.assertIn("\n3 answers in 2.00 s; 3 resent; one", self.picture(*spans))
        self.assertNotIn("resent", self.picture(*spans[:1]))

    @given(any_spans(8), st.integers(1, 200), st.booleans(), st.integers(1, 10))
    def test_any_spans_on_any_width(
        self, spans: list[Span], width: int, ascii_only: bool, rows: int
    ) -> None:
        drawn = waterfall(spans, width=width, ascii_only=ascii_only, rows=rows)
        lines = drawn.splitlines()
        for line in lines:
            self.assertLessEqual(width_of(line), max(width, 20), line)
        if ascii_only:
            self.assertTrue(drawn.isascii(), drawn)
        # However short a request was, it can be seen.
        strokes = r"[.|~^+=o\-#_*&>x,:%]" if ascii_only else f"[{CHARACTERS}]"
        for line in lines[: min(len(spans), max(rows, 3))]:
            self.assertRegex(line, strokes)

    def test_a_pace_is_in_the_queue_before_the_first_attempt_alone(self) -> None:
        attempts = (
            attempt("503", ended_by="retry", queued=1, paced=2, wait=4, pause=8),
            attempt("200", paced=16, wait=32),
        )
        whole = Span(1, "/", 100.0, attempts)
        self.assertEqual((whole.seconds, whole.ended), (60.0, 163.0))
        begun = whole.without_queue()
        self.assertEqual((begun.began, begun.seconds, begun.ended), (103, 60, 163))
        names = [phase.name for phase in begun.phases]
        self.assertEqual(names, ["wait", "pause", "paced", "wait"])
        self.assertEqual([mark.at for mark in whole.marks], [7.0])

    def test_phases_have_an_order(self) -> None:
        only = span(1, "/", 0, receive=1, queued=2)
        self.assertEqual(only.without_queue().phases, (Phase("receive", 1),))
        self.assertEqual(only.phases, (Phase("queued", 2), Phase("receive", 1)))
        self.assertEqual((only.seconds, only.ended), (1, 3))


class TrackTests(ClockCase):
    """Measures over time, below the bars."""

    def test_below_the_axis_on_the_same_time(self) -> None:
        spans = [span(1, "/", 101.0, held=2.0)]
        tracks = [
            Track("user", 100.0, 1.0, (1.0, 0.5, 0.0, 0.1), "1.6 s"),
            Track("memory", 100.0, 2.0, (0.25, 1.0), "14 MB"),
        ]
        lines = bars(spans, width=34, tracks=tracks)
        self.assertEqual(
            "\n".join(["", *lines, ""]),
            """
1 /  200      ━━━━━━━━      2.00 s
          0 s     2 s     4 s
user      ████▅▅▅▅    ▁▁▁▁   1.6 s
memory    ▃▃▃▃▃▃▃▃████████   14 MB
""",
        )

    def test_without_bars(self) -> None:
        tracks = [Track("waiting", 0.0, 1.0, (1.0,), "1.00 s")]
        drawn = bars([], width=30, tracks=tracks, ascii_only=True)[-1]
        self.assertEqual(drawn, "waiting  #############  1.00 s")

    def test_wide_words_keep_the_columns(self) -> None:
        tracks = [
            Track("待ち", 0.0, 1.0, (1.0,), "11.0 秒"),
            Track("system", 0.0, 1.0, (1.0,), "1 MB"),
        ]
        _, *lines = bars([], width=40, tracks=tracks)
        self.assertEqual([width_of(line) for line in lines], [40, 40])

    def test_a_cell_has_the_mean_of_its_time(self) -> None:
        track = Track("t", 1.0, 0.5, (1.0, 0.0))
        self.assertEqual(list(track.means(0.0, 1.0, 3)), [0.0, 0.5, 0.0])
        self.assertEqual(list(track.means(1.0, 0.25, 3)), [1.0, 1.0, 0.0])

    @given(
        st.floats(0, 10),
        st.floats(0.01, 10),
        st.lists(st.floats(0, 1), min_size=1, max_size=30),
        st.integers(20, 120),
    )
    def test_any_track_fits(
        self, began: float, step: float, levels: list[float], width: int
    ) -> None:
        track = Track("memory", began, step, tuple(levels), "14 MB")
        for line in bars([span(1, "/", 0.0, held=1.0)], width=width, tracks=[track]):
            self.assertLessEqual(width_of(line), width)
        zero, cells = min(began, 0.0), 50
        means = list(track.means(zero, (track.ended - zero) / cells, cells))
        self.assertTrue(all(-1e-6 <= mean <= 1 + 1e-6 for mean in means))
        # Nothing of it is lost, and nothing added.
        self.assertAlmostEqual(
            sum(means) * (track.ended - zero) / cells, sum(levels) * step, places=5
        )
