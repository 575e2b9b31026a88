"""What a reactor's time goes into, added up and written down."""

from __future__ import annotations

import os
import sysconfig
import threading
import warnings
from typing import Any

from nbtwisted.reactor.tracing import watchdog
from nbtwisted.reactor.tracing.recorder import (
    MOST_ALIKE,
    MOST_NAMES,
    OTHERS,
    Recorder,
    Stall,
)
from tests.guard import ClockCase


class RecorderCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.ended: list[tuple[str, float]] = []
        self.recorder = self.make()

    def make(self) -> Recorder:
        def on_stall(stall: Stall) -> None:
            self.ended.append((stall.name, stall.seconds))

        return Recorder(self.clock.seconds, stall=0.5, on_stall=on_stall)

    def call(self, name: str, seconds: float) -> None:
        call = self.recorder.begin(name)
        self.clock.advance(seconds)
        self.recorder.end(call)

    def wait(self, seconds: float) -> None:
        began = self.clock.seconds()
        self.clock.advance(seconds)
        self.recorder.turn(began)


class RecorderTests(RecorderCase):
    def test_adds_up(self) -> None:
        for seconds in (1.0, 0.25):
            self.call("a", seconds)
        self.wait(2.5)
        self.call("b", 0.25)
        self.recorder.late(0.125)
        self.recorder.late(0.0625)
        figures = self.recorder.figures()
        self.assertEqual(
            figures,
            {
                "wall": 4.0,
                "waited": 2.5,
                "worked": 1.5,
                "stalled": 1.0,
                "stalls": 1,
                "turns": 1,
                "latest_timer": 0.125,
                "callbacks": [
                    {"name": "a", "count": 2, "total": 1.25, "longest": 1.0},
                    {"name": "b", "count": 1, "total": 0.25, "longest": 0.25},
                ],
            },
        )
        summary = self.recorder.summary()
        self.assertIn("4.00 s, 1 turns: waiting 62%, working 38%, stalled 25%", summary)
        self.assertIn("the latest timer 125.0 ms late", summary)
        self.assertIn("   1.250 s         2  1000.0 ms  a\n", summary)

    def test_a_loop_whose_polls_nobody_sees(self) -> None:
        self.call("a", 0.25)
        self.clock.advance(0.75)
        # It may have ended before its first turn has.
        self.assertTrue(self.recorder.summary().startswith("1.00 s, 0 turns: waiting"))
        self.recorder.sees_turns = False
        self.assertTrue(
            self.recorder.summary().startswith(
                "1.00 s, turns of a loop that shows none: working 25%, stalled 0%"
            )
        )

    def test_nothing_at_all(self) -> None:
        self.assertEqual(len(self.recorder.summary().splitlines()), 1)

    def test_a_stall_is_told_when_it_has_ended(self) -> None:
        self.call("quick", 0.49)
        self.call("slow", 0.5)
        self.assertEqual(self.ended, [("slow", 0.5)])

    def test_one_within_another_is_part_of_its_time(self) -> None:
        outer = self.recorder.begin("outer")
        self.clock.advance(1)
        self.call("inner", 2)
        self.wait(4)
        self.assertIs(self.recorder.current, outer)
        self.recorder.end(outer)
        self.assertIsNone(self.recorder.current)
        figures = self.recorder.figures()
        self.assertEqual((figures["worked"], figures["waited"]), (7, 0))
        self.assertEqual(self.ended, [("outer", 7)])

    def test_one_that_pauses(self) -> None:
        """As for pytest-twisted, whose tests begin where a callback leaves off."""
        outer = self.recorder.begin("outer")
        self.clock.advance(0.5)
        inner = self.recorder.begin("inner")
        self.clock.advance(0.25)
        paused = self.recorder.leave()
        self.assertIsNone(self.recorder.current)
        self.assertEqual(self.ended, [("outer", 0.75)])
        self.clock.advance(100)
        self.recorder.come_back(paused)
        self.assertIs(self.recorder.current, inner)
        self.clock.advance(0.25)
        self.recorder.end(inner)
        self.recorder.end(outer)
        self.assertEqual(self.ended, [("outer", 0.75)])
        self.assertIsNone(self.recorder.leave())
        self.recorder.come_back(None)
        self.assertIsNone(self.recorder.current)

    def counted(self) -> dict[str, tuple[int, float, float]]:
        return {
            name: (entry.count, entry.seconds, entry.longest)
            for name, entry in self.recorder.sums.items()
        }

    def test_in_a_row(self) -> None:
        before = self.recorder.begin("before")
        outer = self.recorder.open_row()
        for name in ("a", "b"):
            self.recorder.begin_next(name)
            self.clock.advance(0.25)
            inner = self.recorder.open_row()
            self.recorder.begin_next("within")
            self.clock.advance(0.5)
            self.recorder.close_row(inner)
            self.wait(1)
        self.recorder.close_row(outer)
        self.assertIs(self.recorder.current, before)
        self.recorder.end(before)
        self.assertEqual(
            self.counted(),
            {
                "a": (1, 1.75, 1.75),
                "b": (1, 1.75, 1.75),
                "within": (2, 1.0, 0.5),
                "before": (1, 3.5, 3.5),
            },
        )

    def test_an_empty_row(self) -> None:
        self.recorder.close_row(self.recorder.open_row())
        self.assertEqual(self.counted(), {})

    def test_short_ones_are_timed_together(self) -> None:
        outer = self.recorder.open_row()
        for name in [*["a"] * 3, "b", *["a"] * (MOST_ALIKE + 1)]:
            self.recorder.begin_alike(name)
            self.clock.advance(0.015625)
        self.recorder.close_row(outer)
        of_a = (MOST_ALIKE + 4, (MOST_ALIKE + 4) / 64, MOST_ALIKE / 64)
        self.assertEqual(self.counted(), {"a": of_a, "b": (1, 1 / 64, 1 / 64)})

    def test_one_that_turns_out_to_be_long(self) -> None:
        outer = self.recorder.open_row()
        for about in ("[1]", "[2]", "[3]"):
            self.recorder.begin_alike("a", about)
            if about != "[3]":
                self.recorder.set_apart(about)
                self.clock.advance(1)
        self.recorder.close_row(outer)
        self.assertEqual(self.ended, [("a [1]", 1.0), ("a [2]", 1.0)])
        self.assertEqual(self.counted(), {"a": (3, 2.0, 1.0)})

    def test_names_without_end(self) -> None:
        for number in range(MOST_NAMES + 100):
            self.call(str(number), 0)
        self.assertEqual(len(self.recorder.sums), MOST_NAMES + 1)
        self.assertEqual(self.recorder.sums[OTHERS].count, 100)


class WatchdogTests(RecorderCase):
    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        self.watchdog = watchdog.Watchdog(
            self.recorder, threading.get_ident(), self.said.append
        )
        # Its thread would look at a clock that stands still: the test looks itself.
        self.addCleanup(self.watchdog.stop)
        self.watchdog.stop()

    def test_once_and_while_it_lasts(self) -> None:
        call = self.recorder.begin("blocks", "[1.2.3.4:5]")
        self.clock.advance(0.4)
        self.watchdog.look()
        self.assertEqual(self.said, [])
        self.clock.advance(0.2)
        self.watchdog.look()
        self.watchdog.look()
        (said,) = self.said
        first, *stack = said.splitlines()
        self.assertEqual(first, "stalled for 600 ms so far, in blocks [1.2.3.4:5]:")
        self.assertTrue(any("test_once_and_while_it_lasts" in line for line in stack))
        self.recorder.end(call)
        self.watchdog.look()
        self.call("another", 0.1)
        self.assertEqual(len(self.said), 1)

    def test_deep_in_a_library_it_names_the_line_of_the_program(self) -> None:
        library: dict[str, Any] = {}
        path = os.path.join(sysconfig.get_path("stdlib"), "deep.py")
        text = "def deep(n, call): return deep(n - 1, call) if n else call()"
        exec(compile(text, path, "exec"), library)
        self.recorder.begin("blocks")
        self.clock.advance(1)
        library["deep"](20, self.watchdog.look)
        (said,) = self.said
        _, where, _, skipped, *rest = said.splitlines()
        self.assertIn("in test_deep_in_a_library", where)
        self.assertEqual(skipped, "  …")
        self.assertIn("in deep", rest[0])
        self.assertIn("in look", rest[-2])

    def test_notes_where_it_is_before_it_is_a_stall(self) -> None:
        call = self.recorder.begin("blocks")
        noted = []
        for _ in range(8):
            self.clock.advance(0.25)
            before = call.stack
            self.watchdog.look()
            noted.append(call.stack is not before)
        # After 0.25 s, 0.5 s, 1 s and 2 s.
        self.assertEqual(noted, [each in (1, 2, 4, 8) for each in range(1, 9)])
        self.assertEqual(len(self.said), 1)

    def test_what_the_kernel_ran_instead(self) -> None:
        queued = 3.0
        # Of which there are two: the watched one, and the watchdog's own.
        self.patch(watchdog, "_queued", lambda thread: queued / 2)
        self.recorder.begin("one")
        self.watchdog.look()
        queued = 4.0
        self.clock.advance(2)
        self.assertEqual(self.watchdog.preempted(2), 1)
        self.recorder.leave()
        self.clock.advance(1)
        self.watchdog.look()
        self.recorder.begin("another")
        self.clock.advance(1)
        queued = 4.5
        self.assertEqual(self.watchdog.preempted(1), 0.5)
        self.watchdog.look()
        queued = 4.75
        self.assertEqual(self.watchdog.preempted(1), 0.75)
        # Nobody asked so long ago.
        self.assertEqual(self.watchdog.preempted(100), 0)

    def test_what_the_thread_has_run_is_its_own_doing(self) -> None:
        queued, ran = 3.0, 5.0
        self.patch(watchdog, "_queued", lambda thread: queued / 2)
        self.patch(watchdog, "_ran", lambda thread: ran)
        self.watchdog.look()
        self.recorder.begin("one")
        self.clock.advance(0.01)
        self.watchdog.look()
        self.clock.advance(0.99)
        # Two threads wait at one time, so it looks like more than there was.
        queued, ran = 4.5, 5.25
        self.assertAlmostEqual(self.watchdog.preempted(1), 0.75)
        queued = 3.5
        self.assertAlmostEqual(self.watchdog.preempted(1), 0.5)
        # The watchdog comes late: a part of what was run may be another's.
        self.recorder.leave()
        self.watchdog.look()
        self.clock.advance(0.1)
        self.recorder.begin("another")
        self.clock.advance(1)
        queued, ran = 5.5, 5.75
        self.assertAlmostEqual(self.watchdog.preempted(1), 0.6)

    def test_where_no_kernel_says_what_it_ran(self) -> None:
        self.assertEqual(watchdog._queued(-1), 0)
        self.assertGreaterEqual(watchdog._queued(threading.get_native_id()), 0)

    def test_a_fork_is_not_beside_its_thread(self) -> None:
        def names() -> list[str]:
            return [thread.name for thread in threading.enumerate()]

        self.assertNotIn("watchdog", names())
        self.watchdog.go_on()
        self.assertIn("watchdog", names())
        with warnings.catch_warnings():
            # Trial's and pytest's own threads.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        self.assertNotIn("watchdog", names())
        self.watchdog.go_on()
        self.assertIn("watchdog", names())

    def test_what_it_does_within(self) -> None:
        self.recorder.begin("outer")
        self.clock.advance(1)
        self.recorder.begin("inner")
        self.watchdog.look()
        self.watchdog.look()
        self.assertEqual(len(self.said), 1)
        self.assertIn("in outer:", self.said[0])
