"""How figures go over time: nothing is lost, and there is never much of it."""

from __future__ import annotations

import json
from array import array
from itertools import pairwise
from math import ceil
from types import BuiltinMethodType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nbtwisted.client.errors import DeadlinePassed
from nbtwisted.load.figures.latencies import Latencies
from nbtwisted.load.figures.series import FIRST_WIDTH, MOST, Interval, Series
from nbtwisted.load.figures.tallies import Tallies
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.run import Run
from tests import examples
from tests.guard import ClockCase
from tests.load.in_memory import ANSWER, MILLISECOND, Server, always, plan_of

SECONDS = st.floats(0.000001, 3600)


def nearest_rank(values: list[float], percent: float) -> float:
    return sorted(values)[max(ceil(len(values) * percent / 100), 1) - 1]


def totals(intervals: list[Interval]) -> dict[int, list[Any]]:
    """What is in each of the longest intervals that any series here has."""
    found: dict[int, list[Any]] = {}
    for each in intervals:
        place = round(each.began / FIRST_WIDTH) // 64
        whole = found.setdefault(place, [0, 0, 0])
        whole[0] += each.latencies.total
        whole[1] += each.statuses.total()
        whole[2] += each.errors.total()
    return found


class PiecesTests(ClockCase):
    """A series that is told in pieces while it goes on, and put together elsewhere."""

    @given(
        st.lists(st.tuples(st.floats(0, 40), st.integers(0, 3)), max_size=80),
        st.sets(st.integers(0, 80)),
    )
    @settings(max_examples=examples(60))
    def test_together_they_are_the_whole(
        self, events: list[tuple[float, int]], told_at: set[int]
    ) -> None:
        series, copy = Series(), Series()
        statuses: dict[int, int] = {200: 0}
        errors: dict[tuple[str, str, str], int] = {("E", "", ""): 0}
        seconds = 0.0
        for number, (pause, came) in enumerate(events):
            seconds += pause
            series.cut(seconds, statuses, errors)
            series.add_latencies(array("d", [0.01] * came))
            statuses[200] += came
            errors["E", "", ""] += came % 2
            if number in told_at:
                for interval in series.news(seconds, statuses, errors)[:-1]:
                    copy.add(interval)
        for interval in series.news(seconds, statuses, errors):
            copy.add(Interval.from_json(interval.as_json(steps=True)))
        series.close(seconds, statuses, errors)
        self.assertEqual(totals(copy.intervals), totals(series.intervals))
        self.assertLessEqual(len(copy.intervals), MOST)
        for before, after in pairwise(copy.intervals):
            self.assertEqual(before.ended, after.began)
        self.assertEqual(copy.intervals[-1].ended, series.intervals[-1].ended)

    def test_a_look_changes_nothing(self) -> None:
        series = Series()
        series.add_latencies(array("d", [0.01]))
        for _ in range(2):
            (under_way,) = series.news(0.05, {200: 1}, {})
            self.assertEqual(under_way.statuses, {"2xx": 1})
            self.assertEqual(under_way.ended, 0.05)
        series.close(0.07, {200: 1}, {})
        self.assertEqual(series.intervals[0].statuses, {"2xx": 1})


class SeriesTests(ClockCase):
    def test_intervals(self) -> None:
        series = Series()
        series.add_latencies(array("d", [0.001] * 3))
        series.cut(0.11, {200: 3}, {})
        # What comes late for its interval is told before it is added.
        series.cut(0.21, {200: 3}, {("DeadlinePassed", "deadline", "late"): 1})
        series.add_latencies(array("d", [0.005]))
        series.add_service(array("d", [0.004]))
        series.close(
            0.3,
            {200: 3, 503: 1},
            {
                ("DeadlinePassed", "deadline", "late"): 2,
                ("DeadlinePassed", "deadline", "very"): 1,
            },
        )
        found = [interval.as_json() for interval in series.intervals]
        json.dumps(found, allow_nan=False)
        self.assertEqual([each["answered"] for each in found], [3, 0, 1])
        self.assertEqual([each["failed"] for each in found], [0, 1, 2])
        self.assertEqual(
            [(each["began"], each["ended"]) for each in found],
            [(0.0, 0.1), (0.1, 0.2), (0.2, 0.3)],
        )
        # Nothing is not zero.
        self.assertIsNone(found[1]["latency"])
        self.assertEqual(found[2]["latency"]["max"], 0.005)
        self.assertIsNone(found[0]["uncorrected"])
        self.assertEqual(found[2]["uncorrected"]["max"], 0.004)
        self.assertEqual(found[2]["statuses"], {"5xx": 1})
        self.assertEqual(found[2]["errors"], {"DeadlinePassed": 2})

    def test_those_that_nothing_ended_in(self) -> None:
        series = Series()
        series.cut(0.35, {200: 1}, {})
        series.cut(0.4, {200: 9}, {})
        series.close(0.5, {200: 3}, {})
        found = [(each.ended, each.statuses["2xx"]) for each in series.intervals]
        self.assertEqual(found, [(0.1, 1), (0.2, 0), (0.3, 0), (0.4, 2), (0.5, 0)])

    def test_it_ends_with_the_last_answer(self) -> None:
        series = Series()
        series.cut(0.15, {200: 1}, {})
        # Which came before somebody came to look.
        series.cut(0.45, {200: 3}, {})
        series.close(0.1999999, {200: 3}, {})
        self.assertEqual([each.ended for each in series.intervals], [0.1, 0.2])
        self.assertEqual([each.statuses["2xx"] for each in series.intervals], [1, 2])
        for end in (0.0, 0.001, 0.1):
            short = Series()
            short.close(end, {200: 1}, {})
            (interval,) = short.intervals
            self.assertEqual((interval.seconds, interval.statuses["2xx"]), (end, 1))

    def test_rates_have_no_last_one_by_chance(self) -> None:
        for end, ends in [
            (0.24, [0.1, 0.24]),
            (0.26, [0.1, 0.2, 0.26]),
            (0.04, [0.04]),
        ]:
            series = Series()
            series.close(end, {200: 5}, {})
            rates = series.rates()
            self.assertEqual([each.ended for each in rates], ends)
            self.assertEqual(sum(each.statuses["2xx"] for each in rates), 5)
        # Which changes nothing.
        self.assertEqual(series.intervals, rates)

    @settings(max_examples=examples(50))
    @given(
        st.lists(st.tuples(st.floats(0.0, 10.0), SECONDS), max_size=30),
        st.integers(1, 3),
    )
    def test_nothing_is_lost(
        self, additions: list[tuple[float, float]], times: int
    ) -> None:
        series = Series()
        seconds, statuses = 0.0, 0
        # At any times, and so many times that intervals have to be merged.
        for late, value in additions * times * 30:
            seconds += late
            series.cut(seconds, {200: statuses}, {})
            series.add_latencies(array("d", [value] * 2))
            statuses += 2
            self.assertLessEqual(len(series.intervals), MOST)
        series.close(seconds, {200: statuses}, {})
        intervals = series.intervals
        self.assertEqual(sum(each.latencies.total for each in intervals), statuses)
        self.assertEqual(sum(each.statuses.total() for each in intervals), statuses)
        ends = [0.0, *(each.ended for each in intervals)]
        self.assertEqual([each.began for each in intervals], ends[:-1])
        self.assertLess(abs(ends[-1] - seconds), 0.000001)
        widths = {round(each.seconds, 6) for each in intervals[:-1]}
        self.assertLessEqual(len(widths), 1)

    def filled(self, *counts: int) -> Series:
        """Intervals of a second each, with so many latencies of as many ms."""
        series = Series()
        for seconds, count in enumerate(counts):
            interval = Interval(float(seconds))
            interval.latencies.add(array("d", [count / 1000] * count))
            interval.statuses["2xx"] = count
            interval.ended = seconds + 1.0
            series.intervals.append(interval)
        return series

    def test_bins_hold_enough_for_their_percentiles(self) -> None:
        for counts, ends in [
            ([100, 100, 200, 300, 100], [1, 2, 3, 4, 5]),
            ([99, 1, 150, 40, 50, 30, 200], [2, 3, 6, 7]),
            # A stall is part of the bin that its answers are in.
            ([200, 0, 0, 50, 150, 200], [1, 5, 6]),
            # What is left at the end joins the last.
            ([250, 250, 30, 0], [1, 4]),
            # A few bins with a p90 are better than one with a p99.
            ([60, 60, 5, 5, 40], [1, 2, 4, 5]),
            ([3, 2, 1], [3]),
            ([0, 0], [2]),
        ]:
            series = self.filled(*counts)
            bins = series.bins()
            self.assertEqual([each.ended for each in bins], ends, counts)
            self.assertEqual(len(series.intervals), len(counts))
            self.assertEqual(bins[0].began, 0)
            self.assertEqual([each.began for each in bins[1:]], ends[:-1])
            answered = [each.as_json()["answered"] for each in bins]
            self.assertEqual(sum(answered), sum(counts))

    def test_a_percentile_of_too_few_is_none(self) -> None:
        for count, there in [
            (1, {"p50", "max"}),
            (9, {"p50", "max"}),
            (10, {"p50", "p90", "max"}),
            (99, {"p50", "p90", "max"}),
            (100, {"p50", "p90", "p99", "max"}),
        ]:
            (interval,) = self.filled(count).intervals
            found = interval.as_json()["latency"]
            self.assertEqual(
                {name for name, value in found.items() if value is not None}, there
            )

    def test_hours(self) -> None:
        series = Series()
        seconds = 0.0
        while seconds < 4 * 3600:
            seconds = series.due + 0.01
            series.cut(seconds, {}, {})
            self.assertLessEqual(len(series.intervals), MOST)
            # Never much finer than can be seen, and never much coarser.
            longest = max(each.seconds for each in series.intervals)
            self.assertLessEqual(longest, max(seconds / 90, 0.12))
        self.assertGreaterEqual(len(series.intervals), MOST / 2)


class CurveTests(ClockCase):
    def curve(self, values: list[int]) -> list[tuple[float, float]]:
        latencies = Latencies()
        for value in values:
            latencies.add(value / 1e6)
        return latencies.curve()

    def test_none_and_one(self) -> None:
        self.assertEqual(self.curve([]), [])
        ((share, seconds),) = self.curve([2_000])
        self.assertEqual(share, 0)
        self.assertLess(abs(seconds - 0.002), 0.000003)

    @given(st.lists(st.integers(1, 100_000_000), min_size=1, max_size=300))
    def test_is_the_percentiles(self, values: list[int]) -> None:
        curve = self.curve(values)
        for share, seconds in curve[:-1]:
            exact = nearest_rank([*values], share * 100) / 1e6
            self.assertLessEqual(abs(seconds - exact), exact * 0.001 + 0.000002)
        self.assertEqual(curve[-1][0], 1 - 1 / len(values))
        self.assertLess(curve[-1][1] / max(values) * 1e6 - 1, 0.001)
        self.assertEqual(curve, sorted(curve))

    def test_is_even_on_its_axis(self) -> None:
        curve = self.curve([*range(1000, 2000)] * 100)
        self.assertEqual(len(curve), 5 * 20 + 1)
        for nines in range(5):
            self.assertLess(abs(1 - curve[nines * 20][0] - 10**-nines), 1e-12)


class RunTests(ClockCase):
    """In runs: the series is of the same answers as the totals."""

    def run_with_series(self, server: Server, **told: Any) -> tuple[Run, Tally]:
        tally = Tally(Series())
        run = Run(
            server, plan_of(**told), tally=tally, now=server.seconds, cpu=lambda: 0.0
        )
        over: list[None] = []
        run.start().addCallback(over.append)
        while not over:
            assert server.seconds() < 60, "it does not end"
            server.advance(MILLISECOND)
        return run, tally

    def test_a_closed_loop(self) -> None:
        run, tally = self.run_with_series(Server(always(0.1)), number=100)
        assert tally.series is not None
        intervals = tally.series.intervals
        self.assertEqual(sum(each.statuses["2xx"] for each in intervals), 100)
        self.assertEqual(intervals[-1].ended, round(run.seconds, 6))
        self.assertTrue(all(each.service.figures() is None for each in intervals))
        for each in intervals[:-1]:
            self.assertEqual(round(each.seconds, 6), FIRST_WIDTH)

    def test_a_stall_is_where_it_was(self) -> None:
        def answers(now: float, number: int) -> tuple[float, bytes]:
            return (2.0 - now if 1.0 <= now < 2.0 else 0) + MILLISECOND, ANSWER

        _, tally = self.run_with_series(
            Server(answers), seconds=3, rate=200.0, connections=5
        )
        assert tally.series is not None
        found = [each.as_json() for each in tally.series.intervals]
        during = [each for each in found if each["began"] > 1.05 and each["ended"] < 2]
        self.assertGreater(len(during), 5)
        self.assertTrue(all(each["latency"] is None for each in during))
        self.assertTrue(all(each["answered"] == 0 for each in during))
        after = next(each for each in found if each["ended"] > 2.01)
        self.assertGreater(after["latency"]["p50"], 0.4)
        # Few were sent then: the others waited for a connection, and nobody saw.
        self.assertLess(after["uncorrected"]["p50"], 0.01)
        self.assertEqual(sum(each["answered"] for each in found), tally.answered)

    def test_a_warm_up_is_not_in_it(self) -> None:
        for rate in (None, 100.0):
            run, tally = self.run_with_series(
                Server(always(0.01)), seconds=1, rate=rate, warm_up=1.0
            )
            assert tally.series is not None
            found = [each.as_json() for each in tally.series.intervals]
            self.assertEqual(found[0]["began"], 0)
            self.assertEqual(sum(each["answered"] for each in found), tally.answered)
            self.assertLess(abs(found[-1]["ended"] - run.seconds), 0.03)

    def test_failures(self) -> None:
        _, tally = self.run_with_series(
            Server(always(0), refuses=True), number=5, connections=1
        )
        assert tally.series is not None
        intervals = tally.series.intervals
        self.assertEqual(sum(each.errors["ConnectFailed"] for each in intervals), 5)

    def test_what_is_read_meanwhile_is_not_lost(self) -> None:
        tally = Tally(Series())
        tally.responses[200, 1] += 1
        tally.latencies.add(0.25)
        # As the live line does, which flushes; others come after it.
        tally.latencies.percentile(50)
        tally.responses[200, 1] += 1
        tally.latencies.add(0.5)
        tally.fail(DeadlinePassed("no answer"))
        tallies = Tallies(tally, [""])
        tallies.look_at_series(FIRST_WIDTH / 2)
        assert tally.series is not None
        self.assertEqual(tally.series.intervals, [])
        tallies.look_at_series(FIRST_WIDTH + MILLISECOND)
        (interval,) = tally.series.intervals
        self.assertEqual(interval.latencies.total, 2)
        self.assertEqual((interval.statuses["2xx"], interval.errors.total()), (2, 1))

    def test_there_is_none_unless_it_is_asked_for(self) -> None:
        run = Server(always(0.1)).run(number=10)
        self.assertIsNone(run.tally.series)
        # The hot path is the array's own method, with a series as without.
        for tally in (run.tally, Tally(Series())):
            self.assertIsInstance(tally.latencies.add, BuiltinMethodType)
