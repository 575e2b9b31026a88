"""Each stage does what it says, on plain numbers."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.stream.pipeline import MOST_HELD, MOST_ITEMS, Pipeline
from nbtwisted.proxy.stream.stage import (
    Break,
    Direction,
    Latency,
    Placed,
    Rate,
    Slices,
    SlowClose,
    Timeout,
)
from nbtwisted.proxy.stream.steps import Signal
from nbtwisted.server.model.delay import Delay
from tests.proxy.stream.timed import drain, joined, pipeline, placed, through

END = Signal.END


def latency(seconds: float) -> Latency:
    return Latency(Delay((seconds,)))


class StageTests(SynchronousTestCase):
    def test_nothing_is_done_without_stages(self) -> None:
        clear = pipeline()
        self.assertTrue(clear.is_clear)
        clear.feed(b"a", 1.0)
        self.assertFalse(clear.is_clear)
        self.assertEqual(clear.take(1.0), b"a")
        self.assertIsNone(clear.take(1.0))
        self.assertTrue(clear.is_clear)

    def test_latency_is_for_each_chunk_and_for_the_end(self) -> None:
        out = through(pipeline(latency(0.5)), (1.0, b"a"), (1.2, b"b"), (2.0, END))
        self.assertEqual(out, [(1.5, b"a"), (1.7, b"b"), (2.5, END)])

    def test_jitter_lets_nothing_overtake(self) -> None:
        jitter = Latency(Delay(shape="uniform", arguments=(0.0, 1.0)))
        fed = [(n / 100, bytes([n])) for n in range(200)]
        out = through(pipeline(jitter), *fed)
        self.assertEqual(joined(out), bytes(range(200)))
        times = [at for at, _ in out]
        self.assertEqual(times, sorted(times))
        waits = {
            round(at - came, 3) for (at, _), (came, _) in zip(out, fed, strict=True)
        }
        self.assertGreater(len(waits), 20)

    def test_a_rate_gives_twenty_pieces_a_second(self) -> None:
        out = through(pipeline(Rate(100)), (1.0, bytes(100)), (1.0, END))
        self.assertEqual([item for _, item in out[:-1]], [bytes(5)] * 20)
        self.assertAlmostEqual(out[0][0], 1.05)
        self.assertAlmostEqual(out[19][0], 2.0)
        self.assertEqual(out[20], (out[19][0], END))

    def test_a_slow_rate_gives_bytes_one_by_one(self) -> None:
        out = through(pipeline(Rate(2)), (0.0, b"abc"))
        self.assertEqual(out, [(0.5, b"a"), (1.0, b"b"), (1.5, b"c")])

    def test_a_rate_saves_nothing_up(self) -> None:
        out = through(pipeline(Rate(10)), (0.0, b"a"), (9.0, b"b"))
        self.assertEqual([at for at, _ in out], [0.1, 9.1])

    def test_a_rate_catches_up_with_a_late_timer_but_not_with_a_pause(self) -> None:
        late = pipeline(Rate(100))
        late.feed(bytes(1000), 0.0)
        given = 0
        while (item := late.take(5.0)) is not None:
            given += len(item) if isinstance(item, bytes) else 0
        # The last 0.1 s, and the piece that was due before.
        self.assertEqual(given, 15)
        self.assertAlmostEqual(late.due, 5.05)

    def test_slices_have_their_size_and_pauses(self) -> None:
        out = through(pipeline(Slices(3, 0, 0.5)), (1.0, b"abcdefgh"), (1.0, END))
        self.assertEqual(out, [(1.0, b"abc"), (1.5, b"def"), (2.0, b"gh"), (2.5, END)])

    def test_slices_make_up_for_a_late_timer_but_not_for_a_pause(self) -> None:
        late = pipeline(Slices(1, 0, 0.02))
        late.feed(bytes(1000), 0.0)
        given = 0
        while late.take(5.0) is not None:
            given += 1
        # Those of the last 0.1 s, and the one that was due before.
        self.assertEqual(given, 6)

    def test_slices_vary(self) -> None:
        out = through(pipeline(Slices(10, 4)), (0.0, bytes(1000)))
        sizes = {len(item) for _, item in out[:-1] if isinstance(item, bytes)}
        self.assertEqual((min(sizes), max(sizes)), (6, 14))

    def test_a_slice_has_a_byte_at_least(self) -> None:
        out = through(pipeline(Slices(1, 5)), (0.0, bytes(50)))
        self.assertEqual(joined(out), bytes(50))

    def test_the_end_alone_is_slow(self) -> None:
        out = through(pipeline(SlowClose(2.0)), (1.0, b"a"), (1.5, END))
        self.assertEqual(out, [(1.0, b"a"), (3.5, END)])

    def test_a_break_after_a_time_overtakes_what_is_held(self) -> None:
        broken = pipeline(Break("reset", after_seconds=2.0), latency(5.0))
        self.assertEqual(through(broken, (1.0, b"a")), [(2.0, Signal.RESET)])

    def test_a_break_after_bytes_comes_behind_them(self) -> None:
        broken = pipeline(Break("close", after_bytes=3), latency(1.0))
        out = through(broken, (1.0, b"ab"), (2.0, b"cdef"))
        self.assertEqual(out, [(2.0, b"ab"), (3.0, b"c"), (3.0, Signal.CLOSE)])

    def test_a_break_without_more_comes_with_the_first_byte(self) -> None:
        out = through(pipeline(Break("reset")), (1.0, b"a"))
        self.assertEqual(out, [(1.0, Signal.CUT)])

    def test_what_ends_before_its_break_just_ends(self) -> None:
        out = through(pipeline(Break("reset", after_bytes=3)), (1.0, b"ab"), (2.0, END))
        self.assertEqual(out, [(1.0, b"ab"), (2.0, END)])

    def test_the_first_of_time_and_bytes_breaks(self) -> None:
        both = Break("reset", after_seconds=5.0, after_bytes=2)
        self.assertEqual(
            through(pipeline(both), (1.0, b"abc")), [(1.0, b"ab"), (1.0, Signal.CUT)]
        )
        self.assertEqual(
            through(pipeline(both), (1.0, b"a")), [(1.0, b"a"), (5.0, Signal.RESET)]
        )

    def test_a_silence_comes_before_the_end(self) -> None:
        silent = Break("reset", silence=2.0)
        out = through(pipeline(silent), (1.0, b"a"), (2.0, b"b"), (2.5, END))
        self.assertEqual(out, [(3.0, Signal.CUT)])
        silent = Break("close", after_bytes=2, silence=2.0)
        out = through(pipeline(silent, latency(5.0)), (1.0, b"abc"))
        self.assertEqual(out, [(6.0, b"ab"), (8.0, Signal.CLOSE)])
        silent = Break("close", after_seconds=4.0, silence=2.0)
        out = through(pipeline(silent), (1.0, b"a"), (5.0, b"b"))
        self.assertEqual(out, [(1.0, b"a"), (6.0, Signal.CLOSE)])

    def test_a_silence_that_is_taken_away_loses_nothing(self) -> None:
        silent = pipeline(Break("reset", silence=2.0))
        silent.feed(b"a", 1.0)
        self.assertEqual(drain(silent, 2.5), [])
        silent.set_stages([], 2.5)
        self.assertEqual(silent.take(2.5), b"a")

    def test_a_silence_ends_though_nobody_takes_anything(self) -> None:
        silent = pipeline(Break("reset", after_seconds=1.0, silence=2.0))
        self.assertIsNone(silent.ring(1.0))
        self.assertEqual(silent.alarm, 3.0)
        self.assertIs(silent.ring(3.0), Signal.RESET)

    def test_a_stall_holds_all_behind_it_and_the_end(self) -> None:
        stalled = pipeline(Break("stall", after_bytes=1))
        self.assertFalse(stalled.is_stuck)
        out = through(stalled, (1.0, b"abc"), (2.0, b"d"), (3.0, END))
        self.assertEqual(out, [(1.0, b"a")])
        self.assertTrue(stalled.is_stuck)
        self.assertEqual(stalled.held, 3)

    def test_a_timeout_loses_all_and_closes(self) -> None:
        out = through(pipeline(Timeout(3.0)), (1.0, b"a"), (2.0, END))
        self.assertEqual(out, [(3.0, Signal.CLOSE)])

    def test_a_timeout_without_a_time_is_stuck(self) -> None:
        stuck = pipeline(Timeout(None))
        self.assertEqual(through(stuck, (1.0, b"a"), (2.0, END)), [])
        self.assertTrue(stuck.is_stuck)
        self.assertEqual(stuck.held, 0)

    def test_an_alarm_rings_though_nobody_takes_anything(self) -> None:
        timed = pipeline(latency(0.5), Break("reset", after_seconds=2.0))
        timed.feed(b"a", 1.0)
        self.assertEqual(timed.alarm, 2.0)
        self.assertIsNone(timed.ring(1.9))
        self.assertIs(timed.ring(2.0), Signal.RESET)

    def test_a_stage_that_is_not_drawn_does_nothing(self) -> None:
        never = Pipeline(lambda each: Random(1))
        never.set_stages([Placed("s", Direction.UP, latency(1.0), 0.0)], 0.0)
        self.assertTrue(never.is_clear)
        self.assertEqual(never.acting, ())

    def test_it_is_full_by_bytes_or_by_pieces(self) -> None:
        held = pipeline(latency(10.0))
        held.feed(bytes(MOST_HELD - 1), 0.0)
        self.assertFalse(held.is_full)
        held.feed(b"a", 0.0)
        self.assertTrue(held.is_full)
        self.assertFalse(held.has_room)
        many = pipeline(latency(10.0))
        for _ in range(MOST_ITEMS):
            many.feed(b"a", 0.0)
        self.assertTrue(many.is_full)
        self.assertEqual(len(drain(many)), MOST_ITEMS)
        self.assertTrue(many.has_room)


class ChangeTests(SynchronousTestCase):
    def test_what_a_removed_stage_held_passes_at_once(self) -> None:
        changed = pipeline(latency(9.0))
        changed.feed(b"a", 1.0)
        changed.set_stages([], 2.0)
        self.assertEqual(changed.take(2.0), b"a")
        self.assertTrue(changed.is_clear)

    def test_what_it_held_still_has_to_pass_the_others(self) -> None:
        changed = pipeline(latency(9.0), Rate(10))
        changed.feed(b"a", 1.0)
        changed.set_stages(placed(latency(9.0), Rate(10))[1:], 2.0)
        self.assertEqual(drain(changed), [(2.1, b"a")])

    def test_a_stage_that_stays_goes_on(self) -> None:
        changed = pipeline(latency(1.0))
        changed.feed(b"a", 1.0)
        changed.set_stages(placed(latency(1.0), Rate(10)), 1.5)
        self.assertEqual(drain(changed), [(2.1, b"a")])

    def test_new_figures_hold_from_when_bytes_came(self) -> None:
        changed = pipeline(latency(9.0))
        changed.feed(b"a", 1.0)
        changed.feed(b"b", 2.0)
        changed.set_stages(placed(latency(1.5)), 3.0)
        self.assertEqual(drain(changed), [(3.0, b"a"), (3.5, b"b")])

    def test_a_faster_rate_goes_on_where_the_slow_one_was(self) -> None:
        changed = pipeline(Rate(2))
        changed.feed(b"abc", 0.0)
        self.assertEqual(drain(changed, 0.6), [(0.5, b"a")])
        changed.set_stages(placed(Rate(10)), 0.6)
        self.assertEqual(joined(drain(changed)), b"bc")

    def test_stages_that_change_places_let_nothing_overtake(self) -> None:
        changed = pipeline(latency(9.0), latency(5.0))
        first, second = placed(latency(9.0), latency(5.0))
        changed.feed(b"a", 0.0)
        self.assertEqual(drain(changed, 9.0), [])
        changed.feed(b"b", 9.0)
        changed.set_stages([second, first], 9.5)
        changed.feed(b"c", 10.0)
        self.assertEqual(joined(drain(changed)), b"abc")

    def test_a_stall_that_is_removed_is_over(self) -> None:
        changed = pipeline(Break("stall"))
        self.assertEqual(through(changed, (1.0, b"ab"), (2.0, END)), [])
        changed.set_stages([], 3.0)
        self.assertEqual([changed.take(3.0), changed.take(3.0)], [b"ab", END])

    def test_a_timeout_that_is_removed_closes(self) -> None:
        for fed in ([], [b"a"]):
            changed = pipeline(Timeout(None))
            for item in fed:
                changed.feed(item, 1.0)
            changed.set_stages([], 2.0)
            self.assertIs(changed.take(2.0), Signal.CLOSE)

    def test_one_that_becomes_another_stage_closes_as_well(self) -> None:
        changed = pipeline(Timeout(None))
        changed.set_stages(placed(Rate(10)), 2.0)
        self.assertIs(changed.take(2.0), Signal.CLOSE)

    def test_a_timeout_of_another_length_goes_on(self) -> None:
        changed = pipeline(Timeout(None))
        changed.feed(b"a", 1.0)
        changed.set_stages(placed(Timeout(50.0)), 2.0)
        self.assertIsNone(changed.take(2.0))
        self.assertEqual(changed.due, 52.0)
        changed.set_stages([], 3.0)
        self.assertIs(changed.take(3.0), Signal.CLOSE)
