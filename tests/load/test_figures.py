"""What is made of the requests of a run: percentiles, conditions, the report."""

from __future__ import annotations

import json
import re
from math import inf
from statistics import fmean, pstdev
from typing import Any
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbtwisted.client.errors import ConnectFailed, DeadlinePassed
from nbtwisted.load.conditions import Condition
from nbtwisted.load.figures.latencies import Latencies
from nbtwisted.load.figures.tally import MOST_ERRORS, Tally
from nbtwisted.load.reporting.hgrm import hgrm
from nbtwisted.load.reporting.report import report, text
from nbtwisted.load.schedule import pacing
from nbtwisted.load.schedule.arrivals import POISSON, Arrivals
from nbtwisted.load.schedule.pacing import Pace
from nbtwisted.load.schedule.profile import Profile
from tests import examples
from tests.guard import ClockCase


def tally_of(latencies: list[float], *, failed: int = 0, status: int = 200) -> Tally:
    tally = Tally()
    for seconds in latencies:
        tally.responses[status, 10] += 1
        tally.latencies.add(seconds)
    for _ in range(failed):
        tally.fail(ConnectFailed("127.0.0.1 port 9: Connection refused"))
    tally.fold()
    return tally


def at(rate: float, seconds: float = inf) -> Arrivals:
    return Arrivals(Profile.hold(rate, seconds))


def report_of(tally: Tally, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "seconds": 2.0,
        "cpu_share": 0.5,
        "connections": 5,
        "rate": None,
        "timeout": 20.0,
        "urls": ["http://x/"],
        "methods": {"GET": tally.sent},
        "interrupted": False,
        **more,
    }
    if told["rate"] is not None:
        told["arrivals"] = at(told["rate"])
    return report(tally, **told)


class LatenciesTests(ClockCase):
    @given(st.lists(st.floats(0.00001, 100), min_size=1, max_size=300))
    @example([1.0] * 50 + [2.0])
    def test_three_digits(self, seconds: list[float]) -> None:
        latencies = Latencies()
        for each in seconds:
            latencies.add(each)
        self.assertEqual(latencies.count, len(seconds))
        self.assertEqual(
            latencies.mean(), latencies.histogram.get_mean_value() / 1_000_000
        )
        in_order = sorted(seconds)
        for percent in (1, 50, 99, 100):
            place = max(-(-len(in_order) * percent // 100), 1) - 1
            exact = in_order[place]
            found = latencies.percentile(percent)
            self.assertTrue(in_order[0] <= found <= in_order[-1])
            error = abs(found - exact)
            self.assertLessEqual(error, exact * 0.001 + 0.000002)
        self.assertLess(abs(latencies.longest() - in_order[-1]), in_order[-1] * 0.002)

    def test_what_is_added_later_counts_too(self) -> None:
        latencies = Latencies()
        latencies.add(1.0)
        self.assertEqual(latencies.count, 1)
        latencies.add(3.0)
        self.assertEqual(latencies.count, 2)
        self.assertLess(abs(latencies.mean() - 2.0), 0.01)

    def test_extremes(self) -> None:
        latencies = Latencies()
        self.assertEqual((latencies.mean(), latencies.percentile(99)), (0, 0))
        self.assertEqual((latencies.shortest(), latencies.longest()), (0, 0))
        latencies.add(0.012345)
        # As they are, where the histogram has three digits of them.
        self.assertEqual(latencies.shortest(), 0.012345)
        self.assertEqual(latencies.longest(), 0.012345)
        latencies.add(0.0)
        latencies.add(100_000.0)
        self.assertEqual(latencies.count, 3)
        self.assertEqual(latencies.longest(), 3600)
        self.assertEqual(latencies.shortest(), 0.000001)

    def test_bins(self) -> None:
        latencies = Latencies()
        for seconds in (0.010, 0.011, 0.012, 0.110):
            latencies.add(seconds)
        bins = latencies.bins(10)
        self.assertEqual([count for _, count in bins], [3, *[0] * 8, 1])
        self.assertLess(abs(bins[-1][0] - 0.110), 0.001)
        same = Latencies()
        same.add(0.5)
        self.assertEqual(sum(count for _, count in same.bins(10)), 1)


class HgrmTests(ClockCase):
    def footer(self, printed: str) -> dict[str, float]:
        found = re.findall(r"(\w[\w ]*\w) *= +([\d.]+)", printed)
        return {name: float(value) for name, value in found}

    def test_all_is_in_milliseconds(self) -> None:
        for seconds in ([0.004], [0.5, 1.5], [0.001 * n * n for n in range(1, 40)]):
            self.in_milliseconds(seconds)

    def in_milliseconds(self, seconds: list[float]) -> None:
        latencies = Latencies()
        for each in seconds:
            latencies.add(each)
        milliseconds = [1000 * each for each in seconds]
        most = max(milliseconds)
        footer = self.footer(hgrm(latencies.histogram))
        for name, expected in [
            ("Mean", fmean(milliseconds)),
            ("StdDeviation", pstdev(milliseconds)),
            ("Max", most),
        ]:
            self.assertLess(abs(footer[name] - expected), most * 0.002, name)
        self.assertEqual(footer["Total count"], len(seconds))

    def test_the_table(self) -> None:
        latencies = Latencies()
        for number in range(1, 1001):
            latencies.add(number / 1000)
        head, blank, *rows = hgrm(latencies.histogram).splitlines()
        self.assertEqual(
            head.split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
        )
        self.assertEqual(blank, "")
        self.assertEqual(rows[-4].split(), ["1000.447", "1.000000000000", "1000"])
        self.assertEqual(rows[1].split(), ["100.031", "0.100000000000", "100", "1.11"])
        # As Java's outputPercentileDistribution has them.
        self.assertEqual(
            rows[-3:],
            [
                "#[Mean    =      500.505, StdDeviation   =      288.676]",
                "#[Max     =     1000.447, Total count    =         1000]",
                "#[Buckets =           22, SubBuckets     =         2048]",
            ],
        )

    def test_of_nothing(self) -> None:
        footer = self.footer(hgrm(Latencies().histogram))
        self.assertEqual(footer["Total count"], 0)
        self.assertEqual((footer["Mean"], footer["Max"]), (0, 0))


class PaceTests(ClockCase):
    def test_each_is_due_at_its_time(self) -> None:
        pace = Pace(100.0, number=3, arrivals=at(2.0))
        self.assertEqual(pace.take(100.0), 100.0)
        self.assertIsNone(pace.take(100.4))
        self.assertLess(abs((pace.wait(100.4) or 0) - 0.1), 1e-6)
        # Who comes late is given what was due before.
        self.assertEqual(pace.take(109.0), 100.5)
        self.assertFalse(pace.is_over(109.0))
        self.assertEqual(pace.take(109.0), 101.0)
        self.assertIsNone(pace.take(109.0))
        self.assertIsNone(pace.wait(109.0))
        self.assertTrue(pace.is_over(109.0))

    @given(st.floats(0.1, 10_000), st.floats(0.01, 3))
    def test_as_many_as_the_rate_makes(self, rate: float, seconds: float) -> None:
        pace = Pace(0.0, arrivals=at(rate, seconds))
        taken = 0
        while taken <= rate * seconds + 1 and pace.take(seconds) is not None:
            taken += 1
        self.assertLess(abs(taken - rate * seconds), 1 + 1e-6)

    def test_whichever_comes_first(self) -> None:
        for number, seconds, expected in [(5, 100, 5), (100, 0.5, 50)]:
            pace = Pace(0.0, number=number, arrivals=at(100.0, seconds))
            taken = 0
            while pace.take(min(seconds, 10)) is not None:
                taken += 1
            self.assertEqual(taken, expected)

    def test_what_was_due_and_not_taken_in_time(self) -> None:
        pace = Pace(0.0, arrivals=at(10.0, 1))
        self.assertEqual(pace.take(1.05), 0.0)
        self.assertIsNone(pace.take(1.2))
        self.assertTrue(pace.is_over(1.2))
        self.assertIsNone(pace.wait(1.2))
        self.assertEqual(pace.give_up(1.2), 9)
        self.assertIsNone(pace.take(1.05))
        self.assertEqual(pace.give_up(1.2), 0)

    def test_what_was_due_when_it_was_stopped(self) -> None:
        for number, stopped, expected in [(inf, 3.05, 20), (5, 3.05, 4), (inf, 0.9, 0)]:
            pace = Pace(0.0, number=number, arrivals=at(10.0), warm_up=1.0)
            for _ in range(11 if stopped > 1 else 10):
                self.assertIsNotNone(pace.take(1.0))
            self.assertEqual(pace.give_up(stopped), expected)

    def test_what_was_due_in_the_warm_up_does_not_count(self) -> None:
        pace = Pace(0.0, arrivals=at(10.0), warm_up=1.0)
        self.assertEqual(pace.give_up(1.35), 4)

    @given(
        st.sampled_from(["1000/10", "0..2000/10", "500/4,0/1,2000..0/5", "1000"]),
        st.integers(0, 3),
        # None is due in the middle of a millisecond.
        st.integers(0, 12_000).map(lambda number: (number + 0.5) / 1000),
        st.one_of(st.integers(1, 9000), st.just(inf)),
        st.booleans(),
    )
    @settings(max_examples=examples(30))
    def test_millions_are_not_counted_one_by_one(
        self, text: str, first: int, stopped: float, number: float, is_early: bool
    ) -> None:
        pace, other = (
            Pace(
                0.0,
                number=number,
                arrivals=Arrivals(Profile.parse(text), first=first, step=4),
            )
            for _ in range(2)
        )
        with mock.patch.object(pacing, "MOST_COUNTED", 0 if is_early else 10):
            missed = pace.give_up(stopped)
        self.assertEqual(missed, other.give_up(stopped))

    def test_a_poisson_process_that_nobody_took(self) -> None:
        pace, other = (
            Pace(0.0, arrivals=Arrivals(Profile.hold(1000.0, 10), POISSON, 1))
            for _ in range(2)
        )
        with mock.patch.object(pacing, "MOST_COUNTED", 10):
            missed = pace.give_up(20.0)
        self.assertLess(abs(missed - 10_000), 500)
        self.assertEqual(
            other.give_up(20.0),
            len([*Arrivals(Profile.hold(1000.0, 10), POISSON, 1).moments(0.0)]),
        )

    def test_without_a_rate(self) -> None:
        pace = Pace(0.0, number=2, seconds=5, warm_up=1.0)
        self.assertEqual([pace.take(t) for t in (0.1, 0.2, 0.3)], [0.1, 0.2, 0.3])
        self.assertEqual([pace.take(t) for t in (1.1, 1.2, 1.3)], [1.1, 1.2, None])
        self.assertIsNone(Pace(0.0, seconds=5).take(5.0))


class ConditionTests(ClockCase):
    def judge(self, tally: Tally, *said: str, **more: Any) -> list[bool]:
        """Whether each condition holds, which is bad."""
        found = report_of(tally, conditions=[Condition.parse(t) for t in said], **more)
        json.dumps(found, allow_nan=False)
        return [condition["holds"] for condition in found["conditions"]]

    def each_judged(
        self, tally: Tally, expected: list[tuple[str, bool]]
    ) -> list[tuple[str, bool]]:
        said = [condition for condition, _ in expected]
        return list(zip(said, self.judge(tally, *said), strict=True))

    def test_are_read(self) -> None:
        for said, name, sign, limit, is_share in [
            ("p99>500ms", "p99", ">", 0.5, False),
            ("p99.9 >= 2s", "p99.9", ">=", 2.0, False),
            ("mean>1m", "mean", ">", 60.0, False),
            ("errors>1%", "errors", ">", 0.01, True),
            ("errors>0", "errors", ">", 0.0, False),
            ("resent>0", "resent", ">", 0.0, False),
            ("5xx>0", "5xx", ">", 0.0, False),
            ("4xx >= 2.5%", "4xx", ">=", 0.025, True),
            ("404>3", "404", ">", 3.0, False),
            ("non2xx>1%", "non2xx", ">", 0.01, True),
            ("2xx<99%", "2xx", "<", 0.99, True),
            ("rps<1000", "rps", "<", 1000.0, False),
            (" max <= 1.5s ", "max", "<=", 1.5, False),
        ]:
            condition = Condition.parse(said)
            self.assertEqual(
                (condition.figure, condition.sign, condition.limit, condition.is_share),
                (name, sign, limit, is_share),
            )

    def test_are_not_read(self) -> None:
        for said in [
            *("", "p99", "p99>", ">1s", "p99>abc", "p99=1s", "p0>1s", "p101>1s"),
            *("p>1s", "median>1s", "errors>1ms", "rps<5%", "errors>-1"),
            *("p99>1s,max>2s", "p99>>1s", "p99.99999>1s", "errors>\u0661"),
            *("p99>nans", "p99>infs", "5xx>nan", "rps<inf", "rps<1e3", "0xx>0"),
            *("6000>0", "non5xx>0", "xx>0", "5xx>1%%", "p99>1%", "p99<>1s"),
            *("rps<" + "9" * 400, "errors>" + "0" * 5000, "p99>" + "9" * 400 + "s"),
        ]:
            error = self.assertRaises(ValueError, Condition.parse, said)
            self.assertIn("expected one such as p99>500ms", str(error))
            self.assertLess(len(str(error)), 300)

    def test_a_time_needs_a_unit(self) -> None:
        for said in ("p99>500", "mean>=0.5", "max > 1", "min<0"):
            error = self.assertRaises(ValueError, Condition.parse, said)
            self.assertIn("expected a unit, as in ", str(error))

    def test_one_that_never_holds_is_not_read(self) -> None:
        # With it a run would pass, whatever happens.
        for said in ("errors>100%", "5xx>=101%", "rps<0", "p99<0s", "2xx<0%"):
            error = self.assertRaises(ValueError, Condition.parse, said)
            self.assertIn("expected a condition that can hold", str(error))
        for said in ("errors>=100%", "2xx<100%", "rps<=0"):
            Condition.parse(said)

    def test_hold(self) -> None:
        tally = tally_of([0.01] * 95 + [0.7] * 5, failed=2)
        tally.resent = 3
        expected = [
            *[("p99>500ms", True), ("p90>500ms", False), ("p95>=10ms", True)],
            *[("errors>1%", True), ("errors>2%", False), ("errors>1", True)],
            *[("rps<51", True), ("rps<50", False), ("mean>40ms", True)],
            *[("max>1s", False), ("min<1ms", False), ("max<=1s", True)],
            *[("resent>2", True), ("resent>3", False), ("resent>2%", True)],
        ]
        self.assertEqual(self.each_judged(tally, expected), expected)

    def test_statuses(self) -> None:
        tally = tally_of([0.01] * 90)
        for status, count in [(204, 1), (301, 2), (404, 3), (500, 3), (503, 1)]:
            tally.statuses[status] += count
        expected = [
            *[("5xx>3", True), ("5xx>4", False), ("5xx>=4%", True), ("5xx>4%", False)],
            *[("4xx>0", True), ("404>2", True), ("404>3", False), ("410>0", False)],
            *[("503>0", True), ("3xx>=2", True), ("1xx>0", False), ("2xx<91", False)],
            *[("2xx<92", True), ("non2xx>8", True), ("non2xx>9", False)],
            *[("non2xx>8%", True), ("non2xx>9%", False)],
        ]
        self.assertEqual(self.each_judged(tally, expected), expected)

    def test_shares_are_of_all_requests(self) -> None:
        tally = tally_of([0.01] * 50, failed=50, status=500)
        for said, expected in [("5xx>=50%", True), ("5xx>50%", False)]:
            self.assertEqual(self.judge(tally, said), [expected], said)

    def test_any_holds_of_a_run_without_answers(self) -> None:
        every = ("p99>1s", "p99<1ms", "min>1m", "rps>1", "rps<1", "5xx>0", "resent>0")
        for tally in (Tally(), tally_of([], failed=3)):
            self.assertEqual(self.judge(tally, *every, "errors>=100%"), [True] * 8)

    def test_how_fast_errors_came_passes_nothing(self) -> None:
        fast = ("p99>1s", "rps<1")
        for status in (404, 500):
            broken = tally_of([0.01] * 10, status=status)
            self.assertEqual(self.judge(broken, *fast), [True, True])
            # Unless the statuses are what another condition is about.
            self.assertEqual(self.judge(broken, *fast, "2xx>0"), [False] * 3)
        # One in ten that is good makes it no better, and half of them does.
        broken.statuses[200] += 1
        self.assertEqual(self.judge(broken, *fast), [True, True])
        broken.statuses[302] += 9
        self.assertEqual(self.judge(broken, *fast), [False, False])

    def test_how_fast_few_answers_came_passes_nothing(self) -> None:
        tally = tally_of([0.01] * 10, failed=11)
        self.assertEqual(self.judge(tally, "p99>1s", "rps<1"), [True, True])
        self.assertEqual(self.judge(tally, "p99>1s", "errors>90%"), [False, False])

    def test_requests_that_were_never_sent(self) -> None:
        # 2 in 100 that were due: nobody knows how long the slowest 1 would have taken.
        tally = tally_of([0.01] * 98)
        tally.not_sent = 2
        said = ("p99>1s", "p98>1s", "p50>1s", "max>1s", "mean>1s", "p99<1ms")
        self.assertEqual(
            self.judge(tally, *said, rate=10.0),
            [True, False, False, True, False, False],
        )

    def test_what_ran_out_of_time_is_not_known_to_be_within_a_limit(self) -> None:
        tally = tally_of([0.01] * 9 + [2.01])
        tally.fail(DeadlinePassed("no answer within 2 s"), within=2.0)
        said = ("p99>1m", "p50>1m", "max>=3s", "p99<2s", "max<1m")
        self.assertEqual(
            self.judge(tally, *said, timeout=2.0), [True, False, True, False, True]
        )
        # Some had less than others.
        self.assertEqual(
            self.judge(tally, "p99>1m", "p50>1m", timeout=20.0), [True, False]
        )
        # Of answers it is known, however long they took in the whole.
        slow = tally_of([3.0] * 10)
        self.assertEqual(self.judge(slow, "p99>1m", timeout=2.0), [False])

    def test_the_verdict_is_the_first_line(self) -> None:
        tally = tally_of([0.01] * 9 + [0.7], failed=1)
        for said, expected in [
            (["p99>500ms"], "Failed: p99>500ms (700.0 ms)"),
            (["p99>1s"], "Passed: p99>1s (700.0 ms)"),
            (
                ["p99>1s", "errors>1%", "5xx>0"],
                "Failed: errors>1% (9.09%). Passed: p99>1s (700.0 ms), 5xx>0 (0)",
            ),
            ([], "Summary:"),
        ]:
            found = report_of(
                tally, conditions=[Condition.parse(each) for each in said]
            )
            self.assertEqual(text(found, tally).splitlines()[0], expected)
        found = report_of(
            tally, conditions=[Condition.parse("p99>1s")], interrupted=True
        )
        self.assertEqual(
            text(found, tally).splitlines()[0],
            "Interrupted. Until then: Passed: p99>1s (700.0 ms)",
        )
        nothing = tally_of([], failed=2)
        conditions = [Condition.parse("p99<1s")]
        self.assertEqual(
            text(report_of(nothing, conditions=conditions), nothing).splitlines()[0],
            "Failed: no request was answered, p99<1s (no answer)",
        )


class ReportTests(ClockCase):
    def test_adds_up(self) -> None:
        found = report_of(tally_of([0.1, 0.2], failed=1))
        json.dumps(found)
        self.assertEqual((found["sent"], found["answered"], found["failed"]), (3, 2, 1))
        self.assertEqual((found["rps"], found["bytes"]), (1.0, 20))
        self.assertEqual(found["statuses"], {"200": 2})
        ((error),) = found["errors"]
        self.assertEqual((error["type"], error["count"]), ("ConnectFailed", 1))
        self.assertIsNone(found["uncorrected"])
        self.assertEqual((found["resent"], found["timed_out"]), (0, 0))
        self.assertEqual(found["timeout"], 20.0)

    def test_text(self) -> None:
        tally = tally_of([0.001] * 9 + [0.1], failed=2, status=503)
        tally.resent = 7
        printed = text(report_of(tally), tally, bar="#")
        for line in [
            "  Requests/sec: 5.00",
            "  Sent:         12 = 10 answered + 2 failed",
            "  Resent:       7 (a kept connection ended before its answer)",
            "  50% in 1.000 ms",
            "  [503] 10 responses",
            "  [2] ConnectFailed: connect: 127.0.0.1 port 9: Connection refused",
            "Client: 50% of a core; its timers 0.0 ms late (p99)",
        ]:
            self.assertIn(line + "\n", printed)
        self.assertEqual(printed.count("Warning"), 1)
        self.assertIn("Warning: 10 of 10 answers are not 2xx", printed)

    def test_nothing_at_all(self) -> None:
        tally = Tally()
        printed = text(report_of(tally, seconds=0.0), tally)
        self.assertIn("Sent:         0 = 0 answered + 0 failed", printed)

    def test_a_warning_of_answers_that_are_mostly_errors(self) -> None:
        tally = tally_of([0.1] * 5)
        tally.statuses[503] += 5
        # However short the run was.
        self.assertEqual(report_of(tally, seconds=0.01)["warnings"], [])
        tally.statuses[302] += 1
        (warning,) = report_of(tally, seconds=0.01)["warnings"]
        self.assertIn("6 of 11 answers are not 2xx", warning)

    def test_requests_that_ran_out_of_a_time_of_their_own(self) -> None:
        tally = tally_of([0.5] * 2)
        tally.fail(DeadlinePassed("no answer within 0.3 s"), within=0.3)
        found = report_of(tally, timeout=20)
        self.assertEqual(found["cut_off_at"], 0.3)
        self.assertIn(
            "1 requests had no answer in their time (-t, or their own max_time); they",
            found["warnings"][0],
        )
        self.assertIsNone(report_of(tally_of([0.5]))["cut_off_at"])

    def test_methods(self) -> None:
        tally = tally_of([0.5] * 7)
        found = report_of(tally, methods={"PUT": 1, "POST": 5, "GET": 1})
        self.assertEqual([*found["methods"]], ["POST", "GET", "PUT"])
        self.assertIn("\n  Methods:      5 POST, 1 GET, 1 PUT\n", text(found, tally))
        for alone in ({"GET": 7}, {}):
            self.assertNotIn("Methods", text(report_of(tally, methods=alone), tally))

    def test_requests_that_ran_out_of_time(self) -> None:
        tally = tally_of([0.5] * 2)
        for _ in range(2):
            tally.fail(DeadlinePassed("no answer within 0.5 s"), within=0.5)
        tally.statuses.clear()
        found = report_of(tally, timeout=0.5, seconds=0.5)
        self.assertEqual((found["answered"], found["timed_out"]), (0, 2))
        self.assertEqual(found["latency"]["min"], 0.5)
        self.assertIn("2 requests had no answer within 0.5 s", found["warnings"][0])
        printed = text(found, tally)
        self.assertIn("50% in 500.000 ms", printed)
        self.assertNotIn("Total data", printed)

    def test_warnings(self) -> None:
        tally = tally_of([0.1])
        self.assertIn("97%", report_of(tally, cpu_share=0.97)["warnings"][0])
        # In no time, everything is beginning and ending.
        self.assertEqual(report_of(tally, cpu_share=1.0, seconds=0.01)["warnings"], [])
        for _ in range(10):
            tally.lateness.add(0.05)
        self.assertIn("50 ms late", report_of(tally)["warnings"][0])
        tally.waited_for_connection = 4
        self.assertIn("more with -c", report_of(tally, rate=5.0)["warnings"][-1])

    def test_kinds_of_errors_are_bounded(self) -> None:
        tally = Tally()
        for number in range(2 * MOST_ERRORS):
            tally.fail(DeadlinePassed(f"number {number}"))
        self.assertLessEqual(len(tally.errors), MOST_ERRORS + 1)
        self.assertEqual(tally.failed, 2 * MOST_ERRORS)
