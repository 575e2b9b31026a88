"""Some of the spans of a run of any length."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline import Sample, Span, Totals
from tests.guard import ClockCase
from tests.timeline.spans import attempt, span


def spans_of(seconds: list[float], failed: set[int]) -> list[Span]:
    return [
        span(number, "/", float(number), wait=each, failed=number in failed)
        for number, each in enumerate(seconds, 1)
    ]


class SampleTests(ClockCase):
    def test_all_as_long_as_there_is_room(self) -> None:
        sample = Sample(most=10)
        made = spans_of([0.5] * 10, {3})
        for each in reversed(made):
            sample.add(each)
        self.assertEqual(sample.spans, made)

    def test_then_an_even_selection(self) -> None:
        sample = Sample(most=100)
        for each in spans_of([0.5] * 10_000, set()):
            sample.add(each)
        numbers = [each.number for each in sample.spans]
        self.assertLessEqual(len(numbers), 100)
        # The slowest are those that came last, where all are alike.
        *evenly, _ = [number for number in numbers if number <= 9900]
        gaps = {after - before for before, after in pairwise(evenly)}
        self.assertEqual(len(gaps), 1)
        self.assertGreater(len(evenly), 25)

    def test_what_is_worth_seeing_is_kept(self) -> None:
        seconds = [0.5] * 10_000
        seconds[4321] = 60.0
        failed = {17, 5001, 9999}
        sample = Sample(most=100)
        for each in spans_of(seconds, failed):
            sample.add(each)
        numbers = {each.number for each in sample.spans}
        self.assertLessEqual(failed | {4322}, numbers)

    def test_nothing_but_failures(self) -> None:
        sample = Sample(most=100)
        for each in spans_of([0.5] * 5_000, set(range(5_001))):
            sample.add(each)
        self.assertLessEqual(len(sample.spans), 100)
        self.assertGreaterEqual(len(sample.spans), 25)

    def test_attempts_count(self) -> None:
        sample = Sample(most=100)
        for number in range(1, 1001):
            tried = (attempt("503", ended_by="retry", wait=1.0),) * 9
            sample.add(Span(number, "/", 0.0, (*tried, attempt(wait=1.0))))
        self.assertLessEqual(sum(len(s.attempts) for s in sample.spans), 25 * 10)
        self.assertEqual(sample.totals.answers, 1000)

    @given(
        st.lists(st.floats(0, 100), max_size=200),
        st.sets(st.integers(1, 200)),
        st.integers(4, 50),
        st.randoms(use_true_random=False),
    )
    def test_never_too_many_and_the_totals_of_all(
        self, seconds: list[float], failed: set[int], most: int, random: object
    ) -> None:
        made = spans_of(seconds, failed)
        shuffled = list(made)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        sample = Sample(most)
        for each in shuffled:
            sample.add(each)
            self.assertLessEqual(len(sample.spans), most)
        totals, expected = sample.totals, Totals.of(made)
        self.assertEqual(
            (totals.answers, totals.errors, totals.seconds),
            (expected.answers, expected.errors, expected.seconds),
        )
        self.assertAlmostEqual(totals.in_turn, expected.in_turn)
        self.assertLessEqual({s.number for s in sample.spans}, {*range(1, 201)})
