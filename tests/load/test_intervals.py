"""Intervals as bytes: what a part tells of how a run goes."""

from __future__ import annotations

import json
from array import array
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.load.figures.intervals import read_intervals, write_intervals
from nbtwisted.load.figures.series import Interval
from tests.guard import ClockCase

SECONDS = st.lists(st.floats(0, 5000), max_size=20)
KINDS = st.dictionaries(st.text(max_size=5), st.integers(0, 2**53), max_size=3)


@st.composite
def intervals(draw: Any) -> Interval:
    interval = Interval(draw(st.floats(0, 1e6)))
    interval.ended = draw(st.floats(0, 1e6))
    interval.latencies.add(array("d", draw(SECONDS)))
    interval.service.add(array("d", draw(SECONDS)))
    interval.statuses.update(draw(KINDS))
    interval.errors.update(draw(KINDS))
    return interval


def values(found: list[Interval]) -> list[Any]:
    return [each.as_json(steps=True) for each in found]


class IntervalsTests(ClockCase):
    @given(st.lists(intervals(), max_size=5))
    def test_are_written_and_read(self, some: list[Interval]) -> None:
        found = read_intervals(write_intervals(some))
        self.assertEqual(values(found), values(some))

    def test_are_short(self) -> None:
        interval = Interval(0.0)
        interval.latencies.add(array("d", [0.010, 0.011, 0.012] * 100))
        # A byte a step, and the row.
        self.assertLess(len(write_intervals([interval])), 120)

    def test_what_is_none_is_refused(self) -> None:
        interval = Interval(0.1)
        interval.latencies.add(array("d", [0.5, 0.7]))
        interval.service.add(array("d", [0.25]))
        interval.statuses["2xx"] = 2
        interval.errors["ConnectFailed"] = 1
        written = write_intervals([interval])
        head, _, counts = written.partition(b"\n")
        (row,) = json.loads(head)
        for bad in (b"", b"{}", b"[1]\n", b"[[]]", b"\xff", head, written + b"x"):
            self.assertRaises(ValueError, read_intervals, bad)
        for place in range(len(row)):
            for value in (-1, "x", True, [1], float("nan"), {"2xx": -1}):
                changed = [*row[:place], value, *row[place + 1 :]]
                bad = json.dumps([changed]).encode() + b"\n" + counts
                self.assertRaises(ValueError, read_intervals, bad)
        self.assertEqual(values(read_intervals(written)), values([interval]))
