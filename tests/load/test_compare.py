"""Two runs beside each other: what changed, and whether that is noise."""

from __future__ import annotations

import json
import math
from array import array
from random import Random
from statistics import mean, stdev
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.load.comparing import compare as compare_module
from nbtwisted.load.comparing.compare import compare, comparison_lines, is_worse
from nbtwisted.load.comparing.earlier import FEWEST_INTERVALS, Earlier
from nbtwisted.load.comparing.resampling import Resampling
from nbtwisted.load.comparing.worsening import Worsening, add_comparison, parse_failure
from nbtwisted.load.conditions import Condition
from nbtwisted.load.figures.series import Interval, Series
from nbtwisted.load.figures.steps import Steps
from tests import examples

Made = tuple[dict[str, Any], list[Interval]]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=5,
)
FIGURES = ["mean", "p50", "p90", "p99", "p99.9", "rps", "errors"]


def made(
    seed: int = 1,
    *,
    intervals: int = 50,
    each: int = 200,
    times: float = 1.0,
    failing: float = 0.0,
    **more: Any,
) -> Made:
    """A report and the intervals of a run, whose latencies are `times` 20 ms or so."""
    drawn = Random(seed)
    cut, everything = [], []
    for place in range(intervals):
        interval = Interval(round(place / 10, 6))
        interval.ended = round((place + 1) / 10, 6)
        number = drawn.randint(each * 9 // 10, each * 11 // 10)
        latencies = [
            times * drawn.lognormvariate(math.log(0.02), 0.5) for _ in range(number)
        ]
        interval.latencies.add(array("d", latencies))
        interval.statuses["2xx"] = number
        interval.errors["ConnectFailed"] = round(number * failing)
        everything += latencies
        cut.append(interval)
    everything.sort()
    answered = len(everything)
    latency = {
        f"p{percent:g}": everything[math.ceil(answered * percent / 100) - 1]
        for percent in (50, 90, 99, 99.9)
    }
    report = {
        "answered": answered,
        "failed": sum(interval.errors.total() for interval in cut),
        "sent": answered,
        "statuses": {"200": answered},
        "latency": {"mean": sum(everything) / answered, **latency},
        "rps": answered / (intervals / 10),
        "urls": ["http://x/"],
        "urls_left_out": 0,
        "methods": {"GET": answered},
        "connections": 50,
        "rate": None,
        "timeout": 20.0,
        "warnings": [],
        "conditions": [],
        **more,
    }
    return report, cut


def written(run: Made) -> str:
    report, intervals = run
    series = Series()
    series.intervals = intervals
    return json.dumps({**report, "intervals": series.as_json()})


def compared(before: Made, now: Made) -> dict[str, dict[str, Any]]:
    found = compare(Earlier("old.json", *before), *now)
    return {figure["figure"]: figure for figure in found["figures"]}


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        # As many as it takes, and no more time than that.
        self.patch(compare_module, "RESAMPLES", 200)


class CompareTests(Case):
    def test_what_got_slower(self) -> None:
        figures = compared(made(1), made(2, times=1.2, failing=0.02))
        self.assertEqual([*figures], FIGURES)
        for name in ("mean", "p50", "p90", "p99"):
            figure = figures[name]
            self.assertLess(abs(figure["change"] - 0.2), 0.05, figure)
            self.assertTrue(figure["low"] < figure["change"] < figure["high"], figure)
            self.assertTrue(figure["is_beyond_noise"], figure)
            self.assertTrue(is_worse(figure), figure)
        errors = figures["errors"]
        self.assertEqual(errors["before"], 0)
        # Of shares, the difference: there is no share of none.
        self.assertEqual(errors["change"], errors["now"])
        self.assertTrue(errors["is_beyond_noise"])
        self.assertFalse(figures["rps"]["is_beyond_noise"])

    def test_what_got_faster(self) -> None:
        figures = compared(made(1), made(2, times=0.9, each=220))
        self.assertTrue(figures["p50"]["is_beyond_noise"])
        self.assertFalse(is_worse(figures["p50"]))
        self.assertTrue(figures["rps"]["is_beyond_noise"])
        self.assertFalse(is_worse(figures["rps"]))
        self.assertTrue(is_worse(compared(made(1), made(2, each=180))["rps"]))

    def test_what_is_less_than_a_step(self) -> None:
        """Steps are no more precise than 1%, but the figures of the reports are."""
        runs = []
        for seconds in (0.02, 0.0201):
            report, intervals = made()
            for interval in intervals:
                interval.latencies = Steps()
                interval.latencies.add(array("d", [seconds] * 50))
            latency = dict.fromkeys(("mean", "p50", "p90", "p99", "p99.9"), seconds)
            runs.append(({**report, "latency": latency}, intervals))
        figures = compared(*runs)
        for name in ("mean", "p50", "p99"):
            figure = figures[name]
            self.assertTrue(figure["is_beyond_noise"], figure)
            for end in ("low", "change", "high"):
                self.assertAlmostEqual(figure[end], 0.005)

    def test_like_with_like_is_noise(self) -> None:
        """One comparison in twenty says otherwise by chance, of each figure."""
        runs = [made(seed, intervals=20, each=60) for seed in range(40)]
        pairs = [compared(*pair) for pair in zip(runs[::2], runs[1::2], strict=True)]
        for name in ("mean", "p50", "p90", "rps"):
            wrong = sum(pair[name]["is_beyond_noise"] for pair in pairs)
            self.assertLessEqual(wrong, 4, name)

    def test_a_range_is_the_middle_of_what_might_have_been(self) -> None:
        """And as wide as that of a mean is, where intervals have nothing in common."""
        self.patch(compare_module, "RESAMPLES", 1000)
        self.patch(compare_module, "_wider", lambda blocks: 1.0)
        runs = [made(seed, intervals=125, each=30) for seed in (1, 2)]
        figure = compared(*runs)["rps"]
        share = sum(
            stdev(answered) / mean(answered) ** 2 * stdev(answered) / len(answered)
            for answered in (
                [interval.statuses.total() for interval in intervals]
                for _, intervals in runs
            )
        )
        width = figure["high"] - figure["low"]
        self.assertLess(abs(width / (2 * 1.96 * math.sqrt(share)) - 1), 0.12)

    def test_of_few_blocks_it_is_wider(self) -> None:
        """By Student's distribution, and as blocks are around a mean of their own."""
        for blocks, students in ((5, 2.776), (10, 2.262), (30, 2.045), (1000, 1.962)):
            expected = students / 1.96 * math.sqrt(blocks / (blocks - 1))
            wider = compare_module._wider(blocks)
            self.assertLess(abs(wider / expected - 1), 0.1, blocks)
        self.assertLess(compare_module._wider(1), 10)
        asked: list[int] = []

        def much_wider(blocks: int) -> float:
            asked.append(blocks)
            return 100.0

        self.patch(compare_module, "_wider", much_wider)
        figures = compared(made(1, intervals=64), made(2, intervals=27))
        self.assertEqual(asked, [9])
        # Nothing gets less than nothing.
        self.assertEqual(figures["p50"]["low"], -1.0)

    def test_what_might_as_well_not_have_been_there(self) -> None:
        """Of figures that are none now and then, nobody knows by how much they grew."""
        report, intervals = made(1, intervals=10)
        for interval in intervals[1:]:
            interval.latencies = Steps()
            interval.statuses.clear()
        figures = compared((report, intervals), made(2))
        for name in ("p50", "rps"):
            self.assertIsNone(figures[name]["low"], figures[name])
            self.assertIsNotNone(figures[name]["change"])

    def test_what_is_the_same_is_not_worse(self) -> None:
        for figure in compared(made(1), made(1)).values():
            self.assertFalse(is_worse(figure))

    def test_the_same_runs_have_the_same_comparison(self) -> None:
        self.assertEqual(compared(made(1), made(2)), compared(made(1), made(2)))

    def test_of_few_latencies_percentiles_are_not_judged(self) -> None:
        figures = compared(made(1, each=30), made(2, each=30))
        for name, enough in (("p90", True), ("p99", True), ("p99.9", False)):
            self.assertEqual(figures[name]["low"] is not None, enough, name)
            self.assertEqual(figures[name]["is_beyond_noise"] is not None, enough)
        figures = compared(made(1, each=300), made(2, each=30))
        self.assertIsNone(figures["p99.9"]["low"])
        figures = compared(made(1), made(2, intervals=FEWEST_INTERVALS - 1))
        for figure in figures.values():
            self.assertIsNone(figure["is_beyond_noise"])
            self.assertIsNotNone(figure["change"])

    def test_for_people(self) -> None:
        found = compare(Earlier("old.json", *made(1)), *made(2, times=1.5))
        lines = comparison_lines(found)
        self.assertEqual(lines[0], "Before (old.json) and now:")
        self.assertEqual(len(lines), 2 + len(FIGURES))
        self.assertRegex(
            lines[3],
            r"\A  p50: +19\.\d+ ms +29\.\d+ ms +\+4\d\.\d% +\(\+4\d.* worse\Z",
        )
        self.assertRegex(lines[7], r"rps: .* within noise\Z")
        self.assertIn("+0.00 points", lines[8])
        found = compare(Earlier("old.json", *made(1)), *made(2, intervals=3))
        self.assertIn("(too few to tell)", comparison_lines(found)[2])


class ResamplingTests(SynchronousTestCase):
    def test_its_own_figures(self) -> None:
        report, intervals = made(intervals=100)
        figures = Resampling(intervals).figures()
        self.assertEqual([*figures], FIGURES)
        for name, value in report["latency"].items():
            self.assertLess(abs(figures[name] / value - 1), 0.01, name)
        # The middle of a step is as often too high as too low.
        self.assertLess(abs(figures["mean"] / report["latency"]["mean"] - 1), 0.001)
        self.assertLess(abs(figures["rps"] / report["rps"] - 1), 1e-6)
        # Within a step, latencies are taken to be as far apart as can be.
        interval = Interval(0.0)
        interval.latencies.add(array("d", [1 + n / 1000 for n in range(1000)]))
        figures = Resampling([interval]).figures()
        for name, value in (("p50", 1.5), ("p90", 1.9), ("p99", 1.99)):
            self.assertLess(abs(figures[name] - value), 0.003, name)

    @given(
        st.lists(
            st.tuples(
                st.lists(st.floats(0, 5000), max_size=20),
                st.integers(0, 2**33),
                st.integers(0, 5),
            ),
            max_size=10,
        )
    )
    def test_of_any_run(self, given: list[tuple[list[float], int, int]]) -> None:
        intervals = []
        for place, (latencies, answered, failed) in enumerate(given):
            interval = Interval(float(place))
            interval.ended = place + 1.0
            interval.latencies.add(array("d", latencies))
            interval.statuses["2xx"] = answered
            interval.errors["ConnectFailed"] = failed
            intervals.append(interval)
        run = Resampling(intervals)
        everything = [each for latencies, _, _ in given for each in latencies]
        self.assertEqual(run.latencies, len(everything))
        for figures in (run.figures(), run.draw(Random(1))):
            self.assertTrue(0 <= figures["errors"] <= 1)
            percentiles = [figures[name] for name in ("p50", "p90", "p99", "p99.9")]
            self.assertEqual(percentiles, sorted(percentiles))
            most = max([1e-6, *everything])
            self.assertLessEqual(percentiles[-1], most * 1.01)

    def test_each_interval_is_in_as_many_blocks(self) -> None:
        run = Resampling(made(intervals=27)[1])
        self.assertEqual((run.drawn, len(run._blocks)), (9, 27))
        self.assertEqual(sum(run._blocks), 3 * run._whole)

    def test_of_very_many(self) -> None:
        """What is drawn is never more than a lane holds."""
        interval = Interval(0.0)
        interval.ended = 1.0
        interval.latencies.add(array("d", [0.1, 0.2]))
        for _ in range(31):
            double = Interval(0.0)
            double.merge(interval)
            interval.merge(double)
        interval.statuses["2xx"] = 2**32
        run = Resampling([interval] * 3)
        self.assertLess(abs(run.draw(Random(1))["mean"] - 0.15), 0.01)


class EarlierTests(Case):
    def test_read(self) -> None:
        run = made()
        earlier = Earlier.read("old.json", written(run))
        self.assertEqual(len(earlier.intervals), 50)
        self.assertEqual(
            compare(earlier, *made(2)), compare(Earlier("old.json", *run), *made(2))
        )

    def test_what_is_none(self) -> None:
        report, intervals = made()
        ours = json.loads(written((report, intervals)))
        for text, why in (
            ("", "it is no report: expected what --json of nbtwisted load has written"),
            ("[" * 100_000, "it is no report"),
            ("[1]", "it is no report"),
            ('{"a": 1}', "it is no report"),
            (json.dumps(report), "it has no intervals, as another version of"),
            (json.dumps({**ours, "latency": 1}), "it is no report of this version: 1:"),
            (json.dumps({**ours, "answered": -1}), "it is no report of this version"),
            (json.dumps({**ours, "rps": 10**400}), "it is no report of this version"),
            (json.dumps({**ours, "rps": 0}), "it is no report of this version: no rps"),
            (json.dumps({**ours, "urls": None}), "it is no report of this version"),
            (json.dumps({**ours, "workers": 7}), "it is no report of this version"),
            (json.dumps({**ours, "intervals": [1]}), "it is no report of this version"),
            (json.dumps({"intervals": []}), "it is no report of this version"),
            (
                json.dumps({**ours, "answered": 0, "rps": 0}),
                "none of its requests was answered",
            ),
            (written(made(intervals=9)), "its run is too short to compare with: it "),
        ):
            error = self.assertRaises(ValueError, Earlier.read, "old.json", text)
            self.assertIn(why, str(error), text[:100])
            self.assertNotIn("\n", str(error))

    @settings(max_examples=examples(30))
    @given(st.data())
    def test_whatever_is_in_it(self, data: st.DataObject) -> None:
        """It is read and compared, or refused in one line."""
        report = json.loads(written(made(intervals=10, each=10)))
        at: Any = report
        while True:
            key = data.draw(
                st.sampled_from([*(at if isinstance(at, dict) else range(len(at)))])
            )
            if not (
                isinstance(at[key], (dict, list))
                and at[key]
                and data.draw(st.booleans())
            ):
                break
            at = at[key]
        at[key] = data.draw(JSON)
        try:
            earlier = Earlier.read("old.json", json.dumps(report))
        except ValueError as error:
            self.assertNotIn("\n", str(error))
            return
        now, intervals = made(2, intervals=10, each=10)
        add_comparison(now, earlier, intervals, [Worsening.parse("p99 worse than 1%")])
        for line in [*comparison_lines(now["comparison"]), *now["warnings"]]:
            self.assertNotIn("\n", line)

    def test_runs_that_differ(self) -> None:
        earlier = Earlier("old.json", *made())
        self.assertEqual(earlier.differences(made()[0]), [])
        now, _ = made(
            connections=20,
            rate=100.0,
            urls=["http://y/"],
            arrivals="poisson",
            stages=[{"began": 0, "ended": 1, "from": 1, "to": 2, "answered": 5}],
            workers=[{"name": "a"}],
            timeout=5.0,
        )
        self.assertEqual(
            earlier.differences(now),
            [
                "the URLs",
                "the connections (50, now 20)",
                "the rate (none, now 100)",
                "the stages",
                "the arrivals (none, now poisson)",
                "the timeout (20, now 5)",
                "the number of workers (0, now 1)",
            ],
        )


class WorseningTests(Case):
    def judged(self, text: str, now: Made, *others: str) -> dict[str, Any]:
        report, intervals = now
        conditions = [Condition.parse(other) for other in others]
        earlier = Earlier("old.json", *made())
        add_comparison(report, earlier, intervals, [Worsening.parse(text)], conditions)
        (found,) = report["conditions"]
        self.assertEqual(found["text"], text)
        return dict(found)

    def test_read(self) -> None:
        self.assertEqual(
            parse_failure(" p99  worse than 12.5% "),
            Worsening("p99 worse than 12.5%", "p99", 0.125),
        )
        # They may be more than twice as many.
        self.assertEqual(
            parse_failure("p99 worse than 150%").text, "p99 worse than 150%"
        )
        for text in ("p99>1s", "p99[worse]>1s"):
            self.assertIsInstance(parse_failure(text), Condition)
        for text, why in (
            ("p99 worse than 10", "expected one such as p99 worse than 10%"),
            ("p99 worse than 1.2.3%", "expected one such as p99 worse than 10%"),
            ("p98 worse than 10%", "p50, p90, p99, p99.9, rps or errors"),
            ("p99 better than 10%", "expected one such as p99>500ms"),
            ("p99 worse", "expected one such as p99 worse than 10%"),
            ("rps worse than 100%", "expected a condition that can hold"),
        ):
            error = self.assertRaises(ValueError, parse_failure, text)
            self.assertIn(why, str(error), text)

    def test_holds_beyond_limit_and_noise(self) -> None:
        for text, now, holds in (
            ("p99 worse than 10%", made(2, times=1.2), True),
            ("p99 worse than 30%", made(2, times=1.2), False),
            ("p99 worse than 0%", made(2), False),
            ("mean worse than 0%", made(1), False),
            ("p50 worse than 0%", made(2, times=0.8), False),
            ("rps worse than 5%", made(2, each=180), True),
            ("rps worse than 15%", made(2, each=180), False),
            ("rps worse than 5%", made(2, each=220), False),
            ("errors worse than 1%", made(2, failing=0.02), True),
            ("errors worse than 3%", made(2, failing=0.02), False),
        ):
            found = self.judged(text, now)
            self.assertEqual(found["holds"], holds, found)
        found = self.judged("p99 worse than 10%", made(2, times=1.2))
        self.assertRegex(found["shown"], r"\A\+\d+\.\d%, beyond noise\Z")

    def test_what_may_be_noise_is_no_excuse(self) -> None:
        found = self.judged("p99 worse than 10%", made(2, times=2, intervals=3))
        self.assertTrue(found["holds"])
        self.assertIn("with too few to tell if it is noise", found["shown"])
        found = self.judged("p99 worse than 10%", made(2, times=0.5, intervals=3))
        self.assertFalse(found["holds"])

    def test_a_run_does_not_pass_by_being_broken(self) -> None:
        fast, intervals = made(2, times=0.1)
        fast["statuses"] = {"503": fast["answered"]}
        found = self.judged("p99 worse than 10%", (fast, intervals))
        self.assertTrue(found["holds"])
        self.assertIn("most answers are 4xx or 5xx", found["shown"])
        fast["conditions"] = []
        found = self.judged("p99 worse than 10%", (fast, intervals), "5xx<1%")
        self.assertFalse(found["holds"])
        none, intervals = made(2)
        none["answered"] = 0
        found = self.judged("errors worse than 10%", (none, intervals))
        self.assertEqual((found["holds"], found["shown"]), (True, "no answer"))

    def test_warnings(self) -> None:
        report, intervals = made(2, intervals=3, connections=10)
        add_comparison(report, Earlier("old.json", *made()), intervals, [])
        one, other = report["warnings"]
        self.assertEqual(
            one,
            "this run is not like that of old.json, which had others of these: the "
            "connections (50, now 10)",
        )
        self.assertIn("too short to tell changes from noise: it has 3 int", other)
