"""Requests with labels: figures of each, and of all of them together."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nbtwisted.client.errors import ConnectFailed, DeadlinePassed
from nbtwisted.client.job import Job
from nbtwisted.load.conditions import Condition
from nbtwisted.load.figures.series import Series
from nbtwisted.load.figures.tallies import Tallies
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.figures.tally_json import read_tally, write_tally
from nbtwisted.load.reporting.report import text
from nbtwisted.load.reporting.report_json import report_json
from nbtwisted.timeline.columns import width_of
from tests import examples
from tests.guard import ClockCase
from tests.load.in_memory import ANSWER, MILLISECOND, Server
from tests.load.test_figures import report_of
from tests.load.test_tally import figures

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["", "read", "write"]),
        st.integers(0, 2**20).map(lambda number: number / 2**14),
        st.sampled_from([200, 503, "refused", "late"]),
    ),
    max_size=50,
)


def add(tally: Tally, took: float, what: Any) -> None:
    if what == "refused":
        tally.fail(ConnectFailed("refused"))
        return
    tally.latencies.add(took)
    tally.connecting.add(took)
    if what == "late":
        tally.fail(DeadlinePassed("late"), within=took)
    else:
        tally.responses[what, 7] += 1


class TalliesTests(ClockCase):
    @settings(max_examples=examples(30))
    @given(EVENTS)
    def test_the_total_is_as_if_there_were_none(self, events: list[Any]) -> None:
        by_label = Tallies(Tally(Series()), ["", "read", "write"])
        plain = Tallies(Tally(Series()), [""])
        for moment, (label, took, what) in enumerate(events):
            for tallies in (by_label, plain):
                tallies.look_at_series(float(moment))
                tallies.whole.lateness.add(took)
                tallies.whole.not_sent += 1
            add(by_label.by_label[label], took, what)
            add(plain.by_label[""], took, what)
        for tallies in (by_label, plain):
            tallies.look_at_series(float(len(events)), is_end=True)
        total = by_label.total()
        found, expected = figures(total), figures(plain.total())
        self.assertEqual([*found.pop("labels")], ["", "read", "write"])
        self.assertEqual(expected.pop("labels"), {})
        self.assertEqual(found, expected)
        for label in ("", "read", "write"):
            alone = Tally()
            for of, took, what in events:
                if of == label:
                    add(alone, took, what)
            self.assertEqual(figures(total.by_label[label]), figures(alone))
        # To have asked for it changes nothing.
        self.assertEqual(figures(by_label.total()), figures(total))
        written = json.loads(json.dumps(write_tally(total)))
        self.assertEqual(figures(read_tally(written)), figures(total))

    def test_those_of_parts_are_merged(self) -> None:
        whole = Tally()
        for labels in (["a", "b"], ["b", "c"]):
            tallies = Tallies(Tally(), labels)
            for label in labels:
                add(tallies.by_label[label], 0.25, 200)
            whole.merge(tallies.total())
        self.assertEqual(whole.answered, 4)
        sent = {label: tally.answered for label, tally in whole.by_label.items()}
        self.assertEqual(sent, {"a": 1, "b": 2, "c": 1})

    def test_a_single_label_is_one(self) -> None:
        tallies = Tallies(Tally(), ["a"])
        add(tallies.by_label["a"], 0.25, 200)
        total = tallies.total()
        self.assertEqual((total.answered, [*total.by_label]), (1, ["a"]))
        # What is added to a total is nobody else's.
        total.by_label.clear()
        self.assertEqual(tallies.total().answered, 1)

    def test_news_are_of_intervals_that_are_over(self) -> None:
        """Also where nothing came since, and nobody has looked."""
        tallies = Tallies(Tally(Series()), [""])
        add(tallies.by_label[""], 0.25, 200)
        news = tallies.news(0.25)
        self.assertEqual([each.ended for each in news], [0.1, 0.2, 0.25])
        self.assertEqual([each.statuses.total() for each in news], [1, 0, 0])

    def test_without_labels_there_is_nothing_to_merge(self) -> None:
        tally = Tally()
        tallies = Tallies(tally, [""])
        self.assertIs(tallies.by_label[""], tally)
        self.assertIs(tallies.total(), tally)


class RunTests(ClockCase):
    def answers(self, now: float, number: int) -> tuple[float, bytes]:
        """The second of three takes longer than the others."""
        is_second = b"GET /2 " in self.server.requests[number]
        return (50 if is_second else 10) * MILLISECOND, ANSWER

    def run_of(self, *jobs: Job, **plan: Any) -> Any:
        self.server = Server(self.answers)
        return self.server.run(jobs=jobs, connections=1, **plan)

    def test_each_has_its_figures(self) -> None:
        run = self.run_of(
            Job("http://x/1", label="fast"),
            Job("http://x/2", label="slow"),
            Job("http://x/3"),
            number=30,
        )
        tally = run.tally
        self.assertEqual((tally.sent, tally.latencies.count), (30, 30))
        sent = {label: each.sent for label, each in tally.by_label.items()}
        self.assertEqual(sent, {"fast": 10, "slow": 10, "": 10})
        self.assertEqual(run.methods, {"GET": 30})
        for label, most in (("fast", 0.02), ("slow", 0.06)):
            latencies = tally.by_label[label].latencies
            self.assertLess(most - 0.011, latencies.shortest())
            self.assertLess(latencies.longest(), most)
        self.assertGreater(tally.latencies.longest(), 0.049)
        self.assertGreater(tally.lateness.count, 0)

    def test_the_series_is_of_all(self) -> None:
        self.server = Server(self.answers)
        run, over = self.server.begin(
            jobs=[Job("http://x/1", label="fast"), Job("http://x/2", label="slow")],
            connections=1,
            number=40,
            tally=Tally(Series()),
        )
        while not over:
            self.server.advance(MILLISECOND)
            # As the live line does.
            self.assertLessEqual(run.tally.answered, 40)
        series = run.tally.series
        assert series is not None
        answered = [each.statuses["2xx"] for each in series.intervals]
        self.assertEqual(sum(answered), 40)
        self.assertEqual(sum(each.latencies.total for each in series.intervals), 40)
        self.assertGreater(len(answered), 10)


class ReportTests(ClockCase):
    def report_of_labels(self) -> tuple[dict[str, Any], Tally]:
        tallies = Tallies(Tally(), ["login", "", "never"])
        for took in (0.01, 0.02, 0.03):
            add(tallies.by_label["login"], took, 200)
        add(tallies.by_label[""], 1.0, 404)
        add(tallies.by_label[""], 1.0, "refused")
        total = tallies.total()
        weights = {"login": 3, "": 2, "never": 1}
        return report_of(total, weights=weights, seconds=2.0), total

    def test_a_row_for_each(self) -> None:
        found, _ = self.report_of_labels()
        json.dumps(found, allow_nan=False)
        login, none, never = found["labels"]
        self.assertEqual((login["label"], login["weight"]), ("login", 3))
        self.assertEqual((login["sent"], login["answered"], login["rps"]), (3, 3, 1.5))
        self.assertEqual((login["latency"]["max"], login["uncorrected"]), (0.03, None))
        self.assertEqual((login["statuses"], login["bytes"]), ({"200": 3}, 21))
        self.assertEqual((none["label"], none["sent"], none["failed"]), ("", 2, 1))
        self.assertEqual(never["sent"], 0)
        self.assertEqual((found["sent"], found["answered"]), (5, 4))

    def test_for_people(self) -> None:
        found, tally = self.report_of_labels()
        lines = text(found, tally).splitlines()
        place = lines.index("By label:")
        rows = [re.split("  +", line.strip()) for line in lines[place + 1 : place + 5]]
        self.assertEqual(
            rows,
            [
                ["weight", "sent", "failed", "p50", "p99", "slowest"],
                ["login", "3", "3", "0", "20.015 ms", "30.000 ms", "30.000 ms"],
                ["(no label)", "2", "2", "1", *["1000.000 ms"] * 3],
                ["never", "1", "0", "0", "-", "-", "-"],
            ],
        )
        self.assertEqual(len({*map(len, lines[place + 1 : place + 5])}), 1)

    def test_wide_characters_keep_the_columns(self) -> None:
        tallies = Tallies(Tally(), ["読む", "é"])
        found = report_of(tallies.total(), weights={"読む": 1, "é": 1})
        lines = text(found, tallies.total()).splitlines()
        place = lines.index("By label:")
        widths = {width_of(line) for line in lines[place + 1 : place + 4]}
        self.assertEqual(len(widths), 1)

    def test_conditions_on_one_label(self) -> None:
        said = {
            "p99[login]>20ms": True,
            "p99[login]>50ms": False,
            "max>50ms": True,
            "404[login]>0": False,
            "404>0": True,
            "errors[login]>0": False,
            "rps[login] >= 1.5": True,
            "2xx[login]<100%": False,
            # No request with it was answered.
            "p99[never]>1s": True,
            "errors[never]>0": True,
        }
        conditions = [Condition.parse(text) for text in said]
        _, tally = self.report_of_labels()
        weights = {"login": 3, "": 2, "never": 1}
        found = report_of(tally, weights=weights, conditions=conditions)
        self.assertEqual(
            {each["text"]: each["holds"] for each in found["conditions"]}, said
        )
        # That most of others were errors says nothing of these.
        conditions = [Condition.parse("p99[login]>50ms"), Condition.parse("p99>2s")]
        add(tally, 1.0, "refused")
        for _ in range(9):
            add(tally, 1.0, "refused")
        found = report_of(tally, weights=weights, conditions=conditions)
        self.assertEqual([each["holds"] for each in found["conditions"]], [False, True])

    def test_as_json(self) -> None:
        found, tally = self.report_of_labels()
        empty = json.loads(report_json(found, tally.series))
        self.assertEqual(empty, {**found, "intervals": []})
        series = Series()
        series.cut(0.25, {200: 3}, {})
        series.close(0.26, {200: 3}, {})
        full = report_json(found, series)
        intervals = json.loads(json.dumps(series.as_json()))
        self.assertEqual(json.loads(full), {**found, "intervals": intervals})
        self.assertEqual(full.count("\n"), report_json(found, None).count("\n") + 4)

    def test_without_labels_there_are_none(self) -> None:
        found = report_of(Tally())
        self.assertEqual(found["labels"], [])
        self.assertNotIn("By label", text(found, Tally()))
