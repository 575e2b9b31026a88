"""The rate that was asked for: its points, its averages and its words."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.timeline.load.asked_rate import AskedRate
from tests.guard import ClockCase
from tests.timeline.load_run import report


def stage(began: float, ended: float | None, first: float, last: float) -> Any:
    return {"began": began, "ended": ended, "from": first, "to": last}


def asked(*stages: Any, **more: Any) -> AskedRate:
    found = AskedRate.of(report(stages=list(stages) or None, **more))
    assert found is not None
    return found


UP_AND_HOLD = [stage(0, 60, 100, 1000), stage(60, 360, 1000, 1000)]


class AskedRateTests(ClockCase):
    def test_a_closed_loop_asks_for_no_rate(self) -> None:
        self.assertIsNone(AskedRate.of(report()))
        self.assertIsNone(AskedRate.of(report(stages=None)))

    def test_a_constant_rate_ends_when_all_were_due(self) -> None:
        client = {"cpu": 0.1, "not_sent": 10}
        found = asked(rate=100.0, sent=40, client=client)
        self.assertFalse(found.is_varying)
        self.assertEqual(found.points(9.0), [(0.0, 100.0), (0.5, 100.0)])
        self.assertEqual(found.boundaries(9.0), [])
        self.assertEqual(found.summary(), "100 a second")
        self.assertEqual(found.average(0.25, 0.75), 50)

    def test_what_was_lost_was_due_as_well(self) -> None:
        partial = {"lost_share": 0.5, "workers": ["w"]}
        found = asked(rate=100.0, sent=40, seconds=0.8, partial=partial)
        self.assertEqual(found.points(9.0), [(0.0, 100.0), (0.8, 100.0)])

    def test_stages(self) -> None:
        found = asked(*UP_AND_HOLD)
        self.assertTrue(found.is_varying)
        self.assertEqual(found.boundaries(400.0), [60])
        self.assertEqual(found.points(400.0), [(0, 100), (60, 1000), (360, 1000)])
        self.assertEqual(found.average(0, 60), 550)
        self.assertEqual(found.average(50, 70), 962.5)
        self.assertEqual(found.average(360, 400), 0)
        self.assertEqual(found.average(5, 5), 0)
        self.assertEqual(found.summary(), "100 to 1,000 a second in 2 stages")
        self.assertEqual(
            found.stages_in_words(), "from 100 to 1,000 for 1 min, then 1,000 for 5 min"
        )

    def test_a_run_that_was_stopped_asked_no_more(self) -> None:
        found = asked(*UP_AND_HOLD)
        self.assertEqual(found.points(30.0), [(0, 100), (30, 550)])
        self.assertEqual(found.boundaries(30.0), [])

    def test_a_stage_without_an_end_lasts_as_long_as_the_run(self) -> None:
        found = asked(stage(0, 1, 5, 5), stage(1, None, 9, 9), seconds=4.0)
        self.assertEqual(found.points(4.0), [(0, 5), (1, 5), (1, 9), (4, 9)])
        self.assertEqual(found.stages_in_words(), "5 for 1 s, then 9 until the end")
        # It may not have come to that.
        found = asked(stage(0, 1, 5, 5), stage(1, None, 9, 9), seconds=0.5)
        self.assertEqual(found.points(0.5), [(0, 5), (0.5, 5)])
        self.assertEqual(found.stages_in_words(), "5 for 1 s, then 9 until the end")

    def test_many_stages_are_not_all_said(self) -> None:
        found = asked(*(stage(n, n + 1, n, n) for n in range(1, 10)))
        self.assertTrue(
            found.stages_in_words().endswith("6 for 1 s, then 3 stages more")
        )

    @given(
        st.lists(
            st.tuples(st.floats(0, 100), st.floats(0, 1e4), st.floats(0, 1e4)),
            min_size=1,
            max_size=6,
        ),
        st.floats(0, 600),
    )
    def test_parts_of_the_time_add_up(
        self, found: list[tuple[float, float, float]], cut: float
    ) -> None:
        stages, at = [], 0.0
        for length, first, last in found:
            stages.append(stage(at, at + length, first, last))
            at += length
        rate = asked(*stages)
        due = sum((first + last) / 2 * length for length, first, last in found)
        cut = min(cut, at)
        parts = rate.average(0, cut) * cut + rate.average(cut, at) * (at - cut)
        self.assertApproximates(parts, due, due * 1e-6 + 1e-6)
        for x, y in rate.points(cut):
            self.assertTrue(0 <= x <= cut)
            self.assertTrue(0 <= y <= 1e4 * 1.000001)
