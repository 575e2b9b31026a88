"""Paces: evenly spaced, slowed by refusals, and recovering."""

from __future__ import annotations

import math
import unittest

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.request.pacing import (
    FEWEST,
    FEWEST_KEPT,
    FINEST,
    FORGOTTEN,
    LOWEST,
    Pace,
    Pacing,
)
from nbtwisted.client.target import Origin

A, B = (Origin(False, host, 80) for host in "ab")


def begun(pace: Pace, times: list[float]) -> list[float]:
    """Of these moments, those at which one more could begin, and did."""
    taken = []
    for now in times:
        if not pace.wait(now):
            pace.take(now)
            taken.append(now)
    return taken


class PaceTests(unittest.TestCase):
    def test_evenly_spaced(self) -> None:
        pace = Pace(4.0)
        self.assertEqual(pace.wait(10.0), 0.0)
        pace.take(10.0)
        self.assertEqual(pace.wait(10.0), 0.25)
        self.assertEqual(pace.wait(10.2), 10.25 - 10.2)
        self.assertEqual(pace.wait(10.25), 0.0)

    def test_counted_from_when_one_really_began(self) -> None:
        pace = Pace(4.0)
        pace.take(10.0)
        pace.take(10.9)
        self.assertEqual(pace.wait(10.9), 0.25)

    def test_what_did_not_wait_counts_too(self) -> None:
        pace = Pace(4.0)
        pace.take(10.0)
        pace.take(10.0)
        self.assertEqual(pace.wait(10.0), 0.5)

    def test_where_timers_are_no_finer_a_little_lateness_is_made_up_for(self) -> None:
        pace = Pace(10_000.0)
        pace.take(1.0)
        # 2 ms late it is, and more.
        at_once = len(begun(pace, [1.5] * 100))
        self.assertEqual(at_once, 21)
        self.assertAlmostEqual(pace.wait(1.5), 0.0001)

    def test_none(self) -> None:
        pace = Pace()
        self.assertEqual(len(begun(pace, [1.0] * 100)), 100)

    @given(
        st.floats(0.01, 5000),
        st.lists(st.floats(0, 0.3), max_size=200),
        st.lists(st.floats(0, 1), max_size=3),
    )
    def test_no_window_has_more_than_the_rate(
        self, rate: float, gaps: list[float], refused_after: list[float]
    ) -> None:
        pace, now, times = Pace(rate), 0.0, []
        for number, gap in enumerate(gaps):
            now += min(gap, pace.wait(now) or gap) if number % 2 else gap
            times += begun(pace, [now])
            if number % 50 == 40 and refused_after:
                pace.slow(now, refused_after.pop(), began=now)
        spare = 1 + 1e-6 + (FINEST * rate if 1 / rate < FINEST else 0)
        for window in (0.1, 1.0, 10.0):
            for first in times:
                inside = [t for t in times if first <= t < first + window]
                self.assertLessEqual(len(inside), window * rate + spare)


class SlowTests(unittest.TestCase):
    def slowed(
        self, rate: float = 10.0, retry_after: float = 0.0, answered: int = 0
    ) -> Pace:
        """One that began at 1, was refused at 1.5, and may go on."""
        pace = Pace(rate)
        pace.take(1.0)
        pace.slow(1.5, retry_after, began=1.0, answered=answered)
        return pace

    def gap(self, pace: Pace, now: float = 1000.0) -> float:
        """Seconds from one request to the next."""
        pace.take(now)
        return pace.wait(now)

    def test_nothing_begins_before_retry_after_is_over(self) -> None:
        pace = self.slowed(retry_after=7.0)
        self.assertEqual(pace.wait(1.5), 7.0)
        self.assertEqual(pace.wait(8.5), 0.0)
        # Then one at a time, at half the pace.
        self.assertAlmostEqual(self.gap(pace, 8.5), 0.2)

    def test_no_longer_than_a_minute(self) -> None:
        for seconds in (61.0, math.inf):
            self.assertEqual(self.slowed(retry_after=seconds).wait(1.5), 60.0)

    def test_without_it_the_pace_is_halved(self) -> None:
        pace = self.slowed()
        self.assertAlmostEqual(pace.wait(1.5), 0.2)
        self.assertAlmostEqual(self.gap(pace), 0.2)

    def test_the_longest_wait_counts(self) -> None:
        pace = self.slowed(retry_after=7.0)
        pace.slow(2.0, 1.0, began=1.0)
        self.assertEqual(pace.wait(2.0), 6.5)

    def test_once_for_all_that_were_under_way(self) -> None:
        pace = self.slowed()
        for began in (1.2, 1.5):
            pace.slow(1.6, began=began)
        self.assertAlmostEqual(self.gap(pace), 0.2)
        pace.slow(1000.1, began=1000.0)
        self.assertAlmostEqual(self.gap(pace, 2000.0), 0.4)

    def test_where_there_was_no_limit(self) -> None:
        self.assertAlmostEqual(self.gap(self.slowed(math.inf)), 2 / FEWEST)
        # It answered others, so nobody says that they are too many.
        pace = self.slowed(math.inf, answered=200)
        self.assertLess(self.gap(pace), 0.001)
        # Of those that were under way with it, as good as all are refused.
        for _ in range(300):
            pace.slow(1.5, began=1.0)
        self.assertAlmostEqual(self.gap(pace, 2000.0), 2 / 200, places=4)

    def test_by_half_of_the_share_that_is_refused(self) -> None:
        for every, slowed in ((1, 0.5), (2, 0.75), (10, 0.94)):
            pace = Pace(100.0)
            for number in range(1, 1000):
                if number % every == 0:
                    pace.slow(1.5, began=-math.inf)
                else:
                    pace.recover(1.0)
            before = pace._rate
            pace.slow(2.0, began=2.0)
            self.assertAlmostEqual(pace._rate / before, slowed, delta=0.02)

    def test_no_more_answers_than_are_remembered_make_a_refusal_small(self) -> None:
        for answered in (32, 5000):
            self.assertAlmostEqual(
                1 / self.gap(self.slowed(100.0, answered=answered)), 98.44, places=2
            )

    def test_those_under_way_with_it_make_it_no_faster(self) -> None:
        pace = self.slowed()
        for _ in range(100):
            pace.recover(1.2)
        pace.slow(1.6, began=1.2)
        self.assertAlmostEqual(self.gap(pace), 0.2)

    def test_never_slower_than_one_a_minute(self) -> None:
        pace = Pace(10.0)
        for now in range(1, 100):
            pace.slow(float(now), began=now - 0.5)
        self.assertAlmostEqual(self.gap(pace), 1 / LOWEST)

    def test_a_pace_that_is_slower_stays_as_it_is(self) -> None:
        self.assertAlmostEqual(self.gap(self.slowed(0.001), 5000.0), 1000.0)

    def test_each_good_response_lets_it_recover_a_step(self) -> None:
        pace = self.slowed()
        rates = []
        for now in range(1000, 1030):
            rates.append(round(1 / self.gap(pace, float(now)), 6))
            pace.recover(float(now))
        self.assertEqual(rates[:3], [5.0, 5.2, 5.4])
        # Until it is as it was given.
        self.assertEqual(rates[24:], [9.8, *[10.0] * 5])

    def test_in_the_same_time_from_half_to_all_of_any_pace(self) -> None:
        for rate in (2.0, 20.0, 400.0):
            pace, now = self.slowed(rate), 10.0
            while self.gap(pace, now) > 1.01 / rate:
                pace.recover(now)
                now += pace.wait(now)
            self.assertTrue(2.5 < now - 10 < 5, now)

    def test_no_further_than_it_was_given(self) -> None:
        pace = self.slowed(0.02)
        pace.recover(2.0)
        self.assertAlmostEqual(self.gap(pace), 1 / 0.02)

    def test_what_was_sent_before_says_nothing(self) -> None:
        pace = self.slowed()
        pace.recover(1.5)
        self.assertAlmostEqual(self.gap(pace), 0.2)

    def test_without_a_limit_it_recovers_until_there_is_none(self) -> None:
        for refused, expected in ((1, 990 * 5), (0, 1)):
            pace = self.slowed(math.inf, answered=0 if refused else 5000)
            steps = 0
            while not pace.is_as_new(10.0):
                pace.recover(2.0)
                steps += 1
            self.assertAlmostEqual(steps, expected, delta=1)
            self.assertEqual(len(begun(pace, [1000.0] * 9)), 9)

    def test_as_new(self) -> None:
        pace = Pace(10.0)
        self.assertTrue(pace.is_as_new(1.0))
        pace.take(1.0)
        self.assertFalse(pace.is_as_new(1.05))
        self.assertTrue(pace.is_as_new(1.2))
        pace = self.slowed()
        self.assertFalse(pace.is_as_new(FORGOTTEN))
        self.assertTrue(pace.is_as_new(FORGOTTEN + 2))


class PacingTests(unittest.TestCase):
    def test_in_all_and_for_each(self) -> None:
        pacing = Pacing(10.0, 2.0)
        pacing.take(A, 1.0)
        self.assertAlmostEqual(pacing.wait(1.0), 0.1)
        self.assertAlmostEqual(pacing.wait_at(A, 1.0), 0.5)
        self.assertEqual(pacing.wait_at(B, 1.0), 0.0)

    def test_in_all_alone(self) -> None:
        pacing = Pacing(10.0)
        pacing.take(A, 1.0)
        self.assertEqual(pacing.wait_at(A, 1.0), 0.0)

    def test_numbers_that_are_none(self) -> None:
        for rate in (0, -1.0, math.nan, math.inf, 1e9):
            with self.assertRaisesRegex(ValueError, "expected requests a second"):
                Pacing(rate)
            with self.assertRaisesRegex(ValueError, "expected requests a second"):
                Pacing(None, rate)

    def test_retry_after_holds_its_origin_whatever_was_asked_for(self) -> None:
        pacing = Pacing()
        self.assertFalse(pacing.is_on)
        pacing.take(A, 1.0)
        pacing.refused(A, 1.5, 5.0, began=1.0)
        self.assertTrue(pacing.is_on)
        self.assertEqual(pacing.wait_at(A, 1.5), 5.0)
        self.assertEqual((pacing.wait_at(B, 1.5), pacing.wait(1.5)), (0.0, 0.0))

    def test_without_it_only_who_asked_for_a_pace_or_for_retries(self) -> None:
        for pacing, is_slowed in (
            (Pacing(), False),
            (Pacing(slows_unasked=True), True),
            (Pacing(100.0), True),
            (Pacing(None, 100.0), True),
        ):
            pacing.take(A, 1.0)
            pacing.refused(A, 1.5, 0.0, began=1.0)
            self.assertEqual(pacing.wait_at(A, 1.5) > 0, is_slowed)

    def test_what_was_answered_in_the_last_second(self) -> None:
        for moments, answered in (
            ([1.0] * 40, 40),
            ([1.0] * 40 + [2.5], 40),
            # What was answered earlier, or elsewhere, does not count.
            ([1.0] * 40 + [4.0], 1),
            ([], 0),
        ):
            pacing, pace = Pacing(), Pace()
            for moment in moments:
                pacing.answered(A, moment, began=moment)
                pacing.answered(B, moment, began=moment)
                pacing.answered(B, moment, began=moment)
            now = max([2.0, *moments]) + 0.4
            pacing.refused(A, now, 1.0, began=now)
            pace.slow(now, 1.0, began=now, answered=answered)
            pacing.take(A, 10.0)
            pace.take(10.0)
            self.assertAlmostEqual(pacing.wait_at(A, 10.0), pace.wait(10.0))

    def test_answered(self) -> None:
        pacing = Pacing(rate_per_host=0.8)
        pacing.refused(A, 1.0, 0.0, began=0.5)
        for _ in range(8):
            pacing.answered(A, 2.5, began=2.0)
            pacing.answered(B, 2.5, began=2.0)
        pacing.take(A, 10.0)
        self.assertAlmostEqual(pacing.wait_at(A, 10.0), 1 / 0.8)

    def test_of_a_hundred_thousand_origins_few_are_kept(self) -> None:
        pacing = Pacing(rate_per_host=2.0)
        pacing.refused(A, 0.0, 0.0, began=0.0)
        for number in range(100_000):
            pacing.take(Origin(False, f"{number}", 80), number / 100)
        self.assertLessEqual(len(pacing._paces), FEWEST_KEPT)
        self.assertLess(len(pacing._answered) + len(pacing._answered_before), 300)

    def test_those_that_are_not_as_new_are_kept(self) -> None:
        pacing = Pacing(rate_per_host=2.0)
        for number in range(3 * FEWEST_KEPT):
            pacing.take(Origin(False, f"{number}", 80), 1.0)
        self.assertEqual(len(pacing._paces), 3 * FEWEST_KEPT)
