"""Deadlines in lanes, by one timer, on a clock."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from nbtwisted.client.request.deadlines import ROUNDING, Deadlines, Lane
from tests.client.in_memory import A_TURN, Network
from tests.guard import ClockCase


class DeadlinesTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        # On which a turn takes no time, but is one.
        self.clock: Clock = Network()
        self.deadlines = Deadlines(self.clock)
        self.expired: list[str] = []

    def lane(self, seconds: float | None) -> Lane[str]:
        return self.deadlines.lane(seconds, self.expired.append)

    def pass_time(self, seconds: float) -> list[str]:
        """Those that expire after some seconds, or in the turn behind them."""
        self.clock.advance(seconds)
        self.clock.advance(A_TURN)
        expired = [*self.expired]
        self.expired.clear()
        return expired

    def timers(self) -> int:
        return len(self.clock.getDelayedCalls())

    def test_in_the_order_in_which_they_are_due(self) -> None:
        long, short = self.lane(5.0), self.lane(2.0)
        long.begin("5")
        self.assertEqual(self.pass_time(1), [])
        short.begin("3")
        self.assertEqual(self.pass_time(1), [])
        short.begin("4")
        long.begin("7")
        self.assertEqual(self.timers(), 1)
        for due in ("3", "4", "5", "", "7"):
            self.assertEqual(self.pass_time(0.9), [])
            self.assertEqual(self.pass_time(0.1 - A_TURN), [due] if due else [])
        self.assertEqual(self.timers(), 0)

    def test_a_length_of_its_own(self) -> None:
        self.lane(2.0)
        lane = self.deadlines.passing_lane(3.0, self.expired.append)
        lane.begin("a")
        lane.begin("b")
        self.assertIs(self.deadlines.passing_lane(3.0, self.expired.append), lane)
        lane.end("a")
        self.assertEqual(self.pass_time(3), ["b"])
        # Nobody is in it any more.
        other = self.deadlines.passing_lane(3.0, self.expired.append)
        self.assertIsNot(other, lane)
        other.begin("c")
        other.end("c")
        self.assertIsNot(self.deadlines.passing_lane(3.0, self.expired.append), other)
        self.assertEqual(self.timers(), 0)

    def test_one_more_turn_to_read(self) -> None:
        self.lane(2.0).begin("a")
        self.clock.advance(10)
        self.assertEqual((self.expired, self.timers()), ([], 1))
        self.clock.advance(A_TURN)
        self.assertEqual((self.expired, self.timers()), (["a"], 0))

    def test_ended_in_the_turn_that_was_left_to_read(self) -> None:
        lane = self.lane(2.0)
        lane.begin("a")
        lane.begin("b")
        self.clock.advance(2)
        lane.end("a")
        self.assertEqual(self.pass_time(0), ["b"])
        lane.begin("c")
        self.clock.advance(2)
        lane.end("c")
        self.assertEqual(self.timers(), 0)

    def test_never(self) -> None:
        never = self.lane(None)
        never.begin("a")
        self.assertEqual(self.timers(), 0)
        never.end("a")
        self.lane(1.0).begin("b")
        self.assertEqual(self.pass_time(10), ["b"])

    def test_nothing_is_left_when_all_have_ended(self) -> None:
        long, short = self.lane(5.0), self.lane(2.0)
        long.begin("a")
        short.begin("b")
        long.end("a")
        self.assertEqual(self.timers(), 1)
        # Twice does no harm, nor does one that never began.
        long.end("a")
        long.end("x")
        self.assertEqual(self.timers(), 1)
        short.end("b")
        self.assertEqual(self.timers(), 0)
        # And the next one has a timer of its own.
        long.begin("c")
        self.assertEqual(self.pass_time(5), ["c"])

    def test_the_timer_goes_off_for_one_that_has_ended(self) -> None:
        lane = self.lane(2.0)
        lane.begin("a")
        self.clock.advance(1)
        lane.begin("b")
        lane.end("a")
        self.assertEqual(self.pass_time(1), [])
        self.assertEqual(self.timers(), 1)
        self.assertEqual(self.pass_time(1 - A_TURN), ["b"])

    def test_a_shorter_one_than_the_timer_is_for(self) -> None:
        long, short = self.lane(5.0), self.lane(2.0)
        long.begin("a")
        short.begin("b")
        self.assertEqual(self.timers(), 1)
        self.assertEqual(self.pass_time(2), ["b"])
        self.assertEqual(self.pass_time(3), ["a"])

    def test_postponed(self) -> None:
        lane = self.lane(2.0)
        lane.begin("a")
        self.deadlines.postpone(1.5)
        self.assertEqual(self.pass_time(2), [])
        lane.begin("b")
        self.assertEqual(self.pass_time(1.4), [])
        self.assertEqual(self.pass_time(0.1), ["a"])
        # What began later is none the later for it.
        self.assertEqual(self.pass_time(0.5), ["b"])

    def test_postponed_in_the_turn_that_was_left_to_read(self) -> None:
        self.lane(2.0).begin("a")
        self.clock.advance(2)
        self.deadlines.postpone(5)
        # It was due before.
        self.assertEqual(self.pass_time(0), ["a"])

    def test_one_ends_others(self) -> None:
        def expire(whose: str) -> None:
            self.expired.append(whose)
            for lane in (same, other):
                for each in "abcd":
                    lane.end(each)

        same, other = (self.deadlines.lane(2.0, expire) for _ in range(2))
        for each in "ab":
            same.begin(each)
        for each in "cd":
            other.begin(each)
        self.assertEqual(self.pass_time(2), ["a"])
        self.assertEqual(self.timers(), 0)

    def test_one_begins_others(self) -> None:
        def expire(whose: str) -> None:
            self.expired.append(whose)
            if whose < "e":
                lanes[whose in "bd"].begin(chr(ord(whose) + 1))

        lanes = [self.deadlines.lane(seconds, expire) for seconds in (2.0, 3.0)]
        lanes[0].begin("a")
        self.assertEqual(self.pass_time(2), ["a"])
        self.assertEqual(self.timers(), 1)
        self.assertEqual(self.pass_time(2), ["b"])
        self.assertEqual(self.pass_time(2.9), [])
        self.assertEqual(self.pass_time(0.1), ["c"])
        self.assertEqual(self.pass_time(2), ["d"])
        self.assertEqual(self.pass_time(3), ["e"])
        self.assertEqual(self.timers(), 0)

    def test_one_begins_another_where_more_are_left(self) -> None:
        def expire(whose: str) -> None:
            self.expired.append(whose)
            if whose == "a":
                lane.begin("c")

        lane = self.deadlines.lane(2.0, expire)
        long = self.lane(2.5)
        lane.begin("a")
        long.begin("b")
        self.assertEqual(self.pass_time(2), ["a"])
        self.assertEqual(self.timers(), 1)
        self.assertEqual(self.pass_time(0.5), ["b"])
        self.assertEqual(self.pass_time(1.5), ["c"])

    def test_sums_that_are_rounded(self) -> None:
        # 0.1 + 0.2 is more than 0.3, for a float.
        self.clock.advance(0.1)
        self.lane(0.2).begin("a")
        self.clock.rightNow = 0.3 - ROUNDING / 2
        self.assertEqual(self.pass_time(0), [])
        self.assertEqual(self.pass_time(ROUNDING / 2), ["a"])

    def test_thousands_at_once(self) -> None:
        lanes = [self.lane(seconds) for seconds in (30.0, 2.0, 5.0)]
        names = [str(number) for number in range(3000)]
        for number, name in enumerate(names):
            lanes[number % 3].begin(name)
        self.assertEqual(self.timers(), 1)
        self.assertEqual(self.pass_time(2), names[1::3])
        self.assertEqual(self.pass_time(3), names[2::3])
        for name in names[3::3]:
            lanes[0].end(name)
        self.assertEqual(self.pass_time(25), ["0"])
        self.assertEqual(self.timers(), 0)

    @given(
        st.lists(st.sampled_from([0.5, 1.0, 3.0, None]), min_size=1, max_size=3),
        st.lists(
            st.tuples(
                st.integers(0, 2), st.integers(0, 5), st.sampled_from([0, 0.2, 1.0])
            ),
            max_size=30,
        ),
    )
    def test_none_too_early_none_too_late(
        self, lengths: list[float | None], steps: list[Any]
    ) -> None:
        clock = Network()
        deadlines = Deadlines(clock)
        due: dict[tuple[int, int], float] = {}
        lanes: list[Lane[tuple[int, int]]] = []

        def expire(whose: tuple[int, int]) -> None:
            self.assertLess(abs(clock.seconds() - due.pop(whose)), 0.021)

        lanes = [deadlines.lane(length, expire) for length in lengths]
        for number, which, seconds in steps:
            number %= len(lanes)
            length = lengths[number]
            if (number, which) in due:
                del due[number, which]
                lanes[number].end((number, which))
            else:
                lanes[number].begin((number, which))
                if length is not None:
                    due[number, which] = clock.seconds() + length
            clock.pump([0.01] * round(seconds * 100))
            self.assertEqual(len(clock.getDelayedCalls()), min(len(due), 1))
