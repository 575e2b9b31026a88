"""The waterfall while it grows, on a terminal that stands in memory."""

from __future__ import annotations

import os
import re
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.results.recording import Recording
from nbtwisted.client.terminal.live import LiveWaterfall, growing
from nbtwisted.timeline.folding import Fold
from tests.client.in_memory import Network
from tests.client.results import attempt, lost, result
from tests.client.test_progress import Gone, Terminal
from tests.guard import ClockCase
from tests.timeline.spans import span


class LiveTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        size = {"TERM": "xterm", "COLUMNS": "60", "LINES": "20", "NO_COLOR": "1"}
        terminal = mock.patch.dict(os.environ, size)
        terminal.start()
        self.addCleanup(terminal.stop)
        self.network = Network()
        self.recording = Recording()
        self.screen = Terminal()
        self.live = LiveWaterfall(self.screen, 3, self.recording, ascii_only=False)

    def begin(self, index: int, url: str = "http://10.0.0.1/a") -> None:
        request = self.network.getter().request(url)
        self.recording.begin(index, request)
        request.start(lambda *_: None)

    def test_bars_grow(self) -> None:
        self.begin(0)
        self.network.accept().take_request()
        lengths = []
        for _ in range(3):
            self.network.advance(1)
            picture = self.live.picture().plain
            lengths.append(re.findall(r"(\d\.00) s$", picture, re.M)[0])
        self.assertEqual(lengths, ["1.00", "2.00", "3.00"])
        self.assertIn("1 in flight, 0 of 3 answered", picture)
        self.assertRegex(picture, r"^1 /a +─+  3\.00 s")

    def test_counts(self) -> None:
        self.recording.end(0, result(attempt()))
        self.live.count(failed=False)
        self.recording.end(1, lost())
        self.live.count(failed=True)
        picture = self.live.picture().plain
        self.assertIn("0 in flight, 1 of 3 answered, 1 error", picture)
        self.assertRegex(picture, r"2 /a.*body.*╳")

    def test_nothing_yet(self) -> None:
        self.assertEqual(self.live.picture().plain, "0 in flight, 0 of 3 answered")

    def test_not_higher_than_the_terminal(self) -> None:
        for index in range(100):
            self.begin(index)
        lines = self.live.picture().plain.splitlines()
        self.assertLessEqual(len(lines), 20)
        self.assertIn("⋮ 87 more", "\n".join(lines))
        self.assertIn("100 in flight", lines[-1])

    def test_what_is_printed_meanwhile_stays(self) -> None:
        self.begin(0)
        self.begin(1)
        self.live.draw()
        self.live.draw()
        with self.live.hidden():
            self.screen.write("answer\n")
        self.live.draw()
        self.live.close()
        after = self.screen.getvalue().partition("answer\n")[2]
        # What is drawn next begins in its line: it does not go up to wipe the answer.
        first_picture = after.partition("in flight")[0]
        self.assertNotIn("\x1b[1A", first_picture)
        # And at last all is wiped.
        self.assertGreater(after.rpartition("answered")[2].count("\x1b[2K"), 2)

    def test_a_terminal_that_is_gone(self) -> None:
        live = LiveWaterfall(Gone(), 3, self.recording, ascii_only=False)
        live.draw()
        with live.hidden():
            pass
        live.close()

    def tearDown(self) -> None:
        for call in self.network.getDelayedCalls():
            call.cancel()


class GrowingTests(ClockCase):
    def test_those_under_way_come_first(self) -> None:
        ended = [span(n, "/", 0.0, queued=1.0, wait=1.0) for n in range(1, 9)]
        under_way = [span(n, "/", 1.0, queued=1.0, wait=1.0) for n in (3, 9, 10)]
        rows = growing(ended, under_way, len(under_way), 5)
        self.assertEqual([row.number for row in rows], [3, 7, 8, 9, 10])
        # Nobody's time in the queue is drawn, where not all are shown.
        self.assertEqual(
            {row.began for row in rows if not isinstance(row, Fold)}, {1, 2}
        )

    def test_all_where_there_is_room(self) -> None:
        ended = [span(2, "/", 0.0, queued=1.0, wait=1.0)]
        under_way = [span(1, "/", 0.0, wait=1.0)]
        self.assertEqual(
            growing(ended, under_way, len(under_way), 5), [*under_way, *ended]
        )

    def test_those_of_which_no_span_was_made_are_counted(self) -> None:
        under_way = [span(n, "/", 0.0, wait=1.0) for n in range(1, 11)]
        *shown, fold = growing([], under_way, 2000, 5)
        self.assertEqual(len(shown), 4)
        assert isinstance(fold, Fold)
        self.assertEqual(fold.number, 1996)

    @given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 30))
    def test_never_too_many(self, ended: int, under_way: int, most: int) -> None:
        rows = growing(
            [span(n, "/", 0.0, wait=1.0) for n in range(1, ended + 1)],
            [span(n, "/", 0.0, wait=1.0) for n in range(100, 100 + under_way)],
            under_way,
            most,
        )
        self.assertEqual(len(rows), min(most, ended + under_way))
