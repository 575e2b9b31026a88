"""Latencies by their order of magnitude: how near they are, and their text."""

from __future__ import annotations

import json
from array import array
from math import ceil
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.load.figures.steps import Steps
from tests.guard import ClockCase

SECONDS = st.floats(0.000001, 3600)


def nearest_rank(values: list[float], percent: float) -> float:
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1]


def steps_of(*seconds: float) -> Steps:
    steps = Steps()
    steps.add(array("d", seconds))
    return steps


class StepsTests(ClockCase):
    @given(st.lists(SECONDS, min_size=1, max_size=200))
    def test_percentiles_are_within_1_percent(self, values: list[float]) -> None:
        found = steps_of(*values).figures()
        assert found is not None
        for percent in (50, 90, 99):
            exact = nearest_rank(values, percent)
            error = abs(found[f"p{percent}"] - exact)
            self.assertLessEqual(error, exact * 0.01 + 0.0000005)
        self.assertEqual(found["max"], round(max(values), 6))

    @given(st.lists(SECONDS), st.lists(SECONDS))
    def test_merged_is_as_if_they_were_one(
        self, some: list[float], others: list[float]
    ) -> None:
        merged, one = steps_of(*some), steps_of(*some, *others)
        merged.merge(steps_of(*others))
        self.assertEqual(merged.figures(), one.figures())
        self.assertEqual(merged.counts, one.counts)

    def test_of_one_latency_all_are_that(self) -> None:
        self.assertIsNone(steps_of().figures())
        for seconds in (0.031457, 0.0, 5000.0):
            found = steps_of(seconds).figures()
            names = ("p50", "p90", "p99", "max")
            self.assertEqual(found, dict.fromkeys(names, seconds))

    def test_a_factor_of_two_is_64_steps(self) -> None:
        steps = steps_of(*(number / 1024 for number in range(1024, 2048)))
        self.assertEqual(sum(map(bool, steps.counts)), 64)
        self.assertEqual(set(steps.counts) - {0}, {16})

    @given(
        st.lists(st.floats(0, 100_000), max_size=100), st.sampled_from([1, 300, 99_999])
    )
    def test_as_json_and_back(self, values: list[float], times: int) -> None:
        steps = steps_of(*values)
        for _ in range(times.bit_length()):
            steps.merge(steps)
        text = json.dumps(steps.as_json())
        again = Steps.from_json(json.loads(text))
        self.assertEqual(again.counts, steps.counts)
        self.assertEqual(again.figures(), steps.figures())
        self.assertEqual(json.dumps(again.as_json()), text)

    def test_counts_of_any_size(self) -> None:
        steps = steps_of(0.001, 0.002)
        sizes = set()
        for _ in range(50):
            steps.merge(steps)
            found = steps.as_json()
            assert found is not None
            sizes.add(found["size"])
            self.assertEqual(Steps.from_json(found).counts, steps.counts)
        self.assertEqual(sizes, {1, 2, 4, 8})

    def test_what_is_none_is_refused(self) -> None:
        good: Any = steps_of(0.001, 0.01, 0.01).as_json()
        Steps.from_json(good)
        for name, value in [
            *[("counts", ""), ("counts", "AB"), ("counts", "\u00e9"), ("counts", 5)],
            *[("counts", "A" * 4 * 2048), ("counts", "!!!!"), ("counts", None)],
            *[("first", -1), ("first", 2048), ("first", 10**9), ("first", 0.5)],
            *[("size", 0), ("size", 3), ("size", 16), ("size", "1"), ("size", True)],
            *[("min", None), ("min", -1.0), ("min", 0.02), ("max", float("inf"))],
            *[("max", float("nan")), ("max", "1")],
        ]:
            self.assertRaises(ValueError, Steps.from_json, {**good, name: value})
        most: Any = {**good, "size": 8, "counts": "/" * 42 + "8="}
        bad: Any
        for bad in ([], "x", 5, {}, most):
            self.assertRaises(ValueError, Steps.from_json, bad)
