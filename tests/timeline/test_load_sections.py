"""Stages, labels, a comparison and a search on the page of a load run."""

from __future__ import annotations

import json
from typing import Any

from tests.guard import ClockCase
from tests.timeline.load_run import (
    CURVE,
    FOUR,
    HOSTILE,
    Read,
    active_content,
    cells,
    interval,
    latency,
    page,
    report,
    section,
)

STAGES = [
    {"began": 0.0, "ended": 0.2, "from": 100.0, "to": 500.0},
    {"began": 0.2, "ended": 0.4, "from": 500.0, "to": 500.0},
]
OPEN_LOOP: dict[str, Any] = {"uncorrected": latency(0.01)}
AT_A_RATE = [{**each, "uncorrected": each["latency"]} for each in FOUR]


class StagesTests(ClockCase):
    def text(self, **more: Any) -> str:
        found = report(stages=STAGES, arrivals="constant", **OPEN_LOOP, **more)
        return page(found, AT_A_RATE, CURVE)

    def test_the_sentence_names_rates_and_arrivals(self) -> None:
        self.assertIn(
            "over 5 connections, at 100 to 500 a second in 2 stages, evenly spaced, "
            "whether those before were answered or not (an open loop)",
            Read(self.text()).text,
        )
        poisson = report(rate=100.0, arrivals="poisson", seed=7, **OPEN_LOOP)
        self.assertIn(
            "at 100 a second, at random moments (Poisson arrivals, seed 7), whether",
            Read(page(poisson, AT_A_RATE, CURVE)).text,
        )

    def test_the_asked_rate_is_behind_the_reached_one(self) -> None:
        rate = section(self.text(), "rate")
        self.assertIn(
            "Asked a second: from 100 to 500 for 0.2 s, then 500 for 0.2 s.", rate
        )
        self.assertLess(rate.index("area asked"), rate.index("line answers"))
        head, *rows = cells(rate)
        self.assertEqual(head[:3], ["time", "asked a second", "answers a second"])
        self.assertEqual([row[1] for row in rows], ["200", "400", "500", "500"])
        self.assertEqual([row[2] for row in rows], ["100"] * 4)
        # The chart is as high as what was asked for.
        self.assertIn(">500</text>", rate)

    def test_what_came_of_each(self) -> None:
        figures = {"answered": 30, "failed": 1, "rps": 150.0, "p50": 0.01, "p99": None}
        stages = [
            {**STAGES[0], **figures},
            # The run was over before.
            {**STAGES[1], "ended": None, **dict.fromkeys(figures)},
        ]
        found = report(stages=stages, **OPEN_LOOP)
        self.assertEqual(
            cells(section(page(found, AT_A_RATE, CURVE), "stages"))[1:],
            [
                ["0 s", "100 to 500", "30", "1", "150", "10.0 ms", "–"],
                ["0.2 s", "500", *["–"] * 5],
            ],
        )
        self.assertNotIn('id="stages"', page())

    def test_boundaries_are_marked_in_both_charts(self) -> None:
        for name in ("rate", "latency"):
            found = section(self.text(), name)
            self.assertIn("another stage begins", found)
            self.assertEqual(found.count('class="line stage"'), 3, name)
        alone = report(stages=STAGES[1:], **OPEN_LOOP)
        self.assertNotIn("another stage", page(alone, AT_A_RATE, CURVE))
        many = report(stages=STAGES * 30, **OPEN_LOOP)
        self.assertNotIn("another stage", page(many, AT_A_RATE, CURVE))

    def test_a_constant_rate_is_drawn_too(self) -> None:
        found = report(rate=100.0, **OPEN_LOOP)
        rate = section(page(found, AT_A_RATE, CURVE), "rate")
        self.assertIn("area asked", rate)
        self.assertNotIn("Asked a second:", rate)
        self.assertNotIn("asked", section(page(), "rate"))


def label(name: str, **more: Any) -> dict[str, Any]:
    return {
        "label": name,
        "weight": 3,
        "sent": 1000,
        "answered": 1000,
        "failed": 0,
        "latency": latency(0.02),
        **more,
    }


class LabelsTests(ClockCase):
    def test_a_row_each(self) -> None:
        text = page(
            report(
                labels=[
                    label("read"),
                    label("buy", weight=1, answered=990, failed=10),
                    label("", weight=None, answered=0, sent=2, failed=2, latency=None),
                ]
            )
        )
        self.assertEqual(
            cells(section(text, "labels")),
            [
                ["label", "weight", "sent", "failed", "p50", "p99", "max"],
                ["read", "3", "1,000", "none", "20.0 ms", "20.0 ms", "20.0 ms"],
                ["buy", "1", "1,000", "10 (1%)", "20.0 ms", "20.0 ms", "20.0 ms"],
                ["(no label)", "–", "2", "2 (100%)", "–", "–", "–"],
            ],
        )

    def test_none_and_many(self) -> None:
        for nothing in (report(), report(labels=[])):
            self.assertNotIn('id="labels"', page(nothing))
        many = [label(f"l{n}") for n in range(130)]
        found = section(page(report(labels=many)), "labels")
        self.assertEqual(len(cells(found)), 101)
        self.assertIn("And 30 more.", found)


def figure(name: str, change: float | None, *, beyond: bool | None, **more: Any) -> Any:
    margin = None if change is None else 0.05
    return {
        "figure": name,
        "before": 0.02,
        "now": 0.02 * (1 + (change or 0)),
        "change": change,
        "low": None if change is None else change - (margin or 0),
        "high": None if change is None else change + (margin or 0),
        "is_beyond_noise": beyond,
        **more,
    }


class ComparisonTests(ClockCase):
    def test_what_changed(self) -> None:
        points, near = "+1.00 points", {"low": 0.005, "high": 0.01}
        figures = [
            figure("rps", -0.2, beyond=True, before=400.0, now=320.0),
            figure("p50", -0.1, beyond=True),
            figure("p99", 0.02, beyond=False),
            figure("p90", 0.1, beyond=None, low=None, high=None),
            figure("p99.9", None, beyond=True, before=0.0),
            figure("errors", 0.01, beyond=True, before=0.0, now=0.01, **near),
        ]
        text = page(report(comparison={"file": "old.json", "figures": figures}))
        found = section(text, "comparison")
        worse, better = "worse, beyond noise", "better, beyond noise"
        self.assertEqual(
            cells(found)[1:],
            [
                ["rps", "400", "320", "−20%", "−25% to −15%", worse],
                ["p50", "20.0 ms", "18.0 ms", "−10%", "−15% to −5.0%", better],
                [
                    "p99",
                    "20.0 ms",
                    "20.4 ms",
                    "+2.0%",
                    "−3.0% to +7.0%",
                    "within noise",
                ],
                ["p90", "20.0 ms", "22.0 ms", "+10%", "–", "too few to tell"],
                ["p99.9", "0.00 ms", "20.0 ms", "–", "–", worse],
                ["errors", "0%", "1%", points, f"+0.50 points to {points}", worse],
            ],
        )
        said = Read(found).text
        self.assertIn(
            "Before is old.json. Beyond noise, rps (−20%), p99.9 (was 0.00 ms), "
            "errors (+1.00 points) got worse. Beyond noise, p50 (−10%) got better.",
            said,
        )
        # What is no ratio is not drawn.
        self.assertNotIn(">errors</text>", found)
        self.assertNotIn(">p99.9</text>", found)
        for kind in ("mark worse", "mark disc better", "mark noise", "mark unknown"):
            self.assertEqual(found.count(f'class="{kind}"'), 3, kind)

    def test_nothing_beyond_noise(self) -> None:
        figures = [figure("p99", 0.02, beyond=False)]
        text = page(report(comparison={"file": "old.json", "figures": figures}))
        found = section(text, "comparison")
        self.assertIn("No difference is beyond the noise", found)
        self.assertNotIn("better", found)
        figures = [figure("p99", 0.02, beyond=None, low=None, high=None)]
        text = page(report(comparison={"file": "old.json", "figures": figures}))
        self.assertIn("too little to tell", section(text, "comparison"))

    def test_nobody_asked(self) -> None:
        for nothing in (report(), report(comparison=None)):
            self.assertNotIn('id="comparison"', page(nothing))

    def test_the_run_before_is_behind_the_latency(self) -> None:
        def slow(seconds: float | None) -> dict[str, float | None]:
            return {"p50": 0.1, "p90": 0.2, "p99": seconds, "max": 3.0}

        before = [
            interval(0.0, 0.2, latency=slow(0.5)),
            interval(0.2, 0.3, latency=slow(None)),
            interval(0.3, 0.4, latency=None),
            # This run was shorter than that.
            interval(0.4, 0.9, latency=slow(0.7)),
        ]
        text = page(before=before)
        found = section(text, "latency")
        drawn = found.partition("canvas")[2]
        self.assertLess(drawn.index("mark before"), drawn.index("line p99"))
        head, *rows = cells(found)
        self.assertEqual(head[-1], "p99 before")
        self.assertEqual([row[-1] for row in rows], ["500 ms", "500 ms", "–", "–"])
        self.assertEqual(json.loads(Read(text).data)["before"], before)
        self.assertNotIn("before", section(page(), "latency"))


def trial(rate: float, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "rate": rate,
        "holds": value is not None and value < 0.2,
        "value": value,
    } | more


FOUND: dict[str, Any] = {
    "condition": "p99<200ms",
    "rate": 800.0,
    "low": 800.0,
    "high": 1000.0,
    "trials": [
        trial(400.0, 0.03),
        trial(1600.0, 2.5, verdict="limited", rps=900.0),
        trial(1000.0, 0.4, verdict="failed", rps=880.0),
        trial(800.0, 0.05),
        trial(1200.0, None),
    ],
}


class FoundRateTests(ClockCase):
    def sentence(self, **more: Any) -> str:
        text = Read(page(report(found_rate={**FOUND, **more}))).text
        return text.partition("(a closed loop)")[2].partition(").")[0]

    def test_the_answer_is_a_sentence(self) -> None:
        self.assertIn(
            "p99<200ms holds up to 800 requests a second, and not at 1,000 (5 trials",
            self.sentence(ended="found"),
        )
        self.assertIn(
            "(5 trials; confidence 95%; given up",
            self.sentence(confidence=0.949, ended="given up"),
        )
        self.assertIn(
            "at least 800 requests a second; at 1,000 the client was the limit (5",
            self.sentence(is_at_least=True),
        )
        self.assertIn(
            "holds up to at least 800 requests a second (5",
            self.sentence(high=None, is_at_least=True, confidence=None),
        )
        self.assertIn(
            "p99<200ms held at no rate in 5 trials", self.sentence(rate=None, low=None)
        )
        self.assertIn(
            "of the last trial that held at this", page(report(found_rate=FOUND))
        )
        self.assertNotIn('id="trials"', page(report(found_rate=None)))
        nothing = page(report(found_rate={**FOUND, "trials": []}))
        self.assertNotIn('id="trials"', nothing)

    def test_trials_are_drawn_by_what_came_of_them(self) -> None:
        found = section(page(report(found_rate=FOUND)), "trials")
        # In the key, and in both drawings.
        self.assertEqual(found.count('class="mark disc held"'), 1 + 2 * 2)
        self.assertEqual(found.count('class="mark broken"'), 1 + 2)
        self.assertEqual(found.count('class="mark limited"'), 1 + 2)
        self.assertEqual(found.count('class="line limit"'), 1 + 2)
        self.assertEqual(found.count('class="bracket"'), 1 + 2)
        self.assertEqual(
            cells(found),
            [
                ["asked a second", "trial", "p99", "answers a second", "the condition"],
                ["400", "1", "30.0 ms", "–", "held"],
                ["800", "4", "50.0 ms", "–", "held"],
                ["1,000", "3", "400 ms", "880", "did not hold"],
                ["1,200", "5", "–", "–", "did not hold"],
                [
                    "1,600",
                    "2",
                    "2.50 s",
                    "900",
                    "was not tried: the client was the limit",
                ],
            ],
        )
        said = Read(found).text
        self.assertIn(
            "5 trials at 400 to 1,600 requests a second. It held at 800 at most, and "
            "failed at 1,000 at least.",
            said,
        )

    def test_without_a_bracket(self) -> None:
        held = {**FOUND, "high": None, "trials": [trial(100.0, 0.1)]}
        found = section(page(report(found_rate=held)), "trials")
        self.assertNotIn("bracket", found)
        self.assertIn("It held at 100 at most.", found)
        failed = {**FOUND, "rate": None, "low": None, "trials": [trial(1.0, 9.0)]}
        failed["limited_by"] = "its timers were late"
        found = section(page(report(found_rate=failed)), "trials")
        self.assertIn("It held at none of them. The client was the limit: its", found)
        limited = {**failed, "trials": [trial(1.0, 9.0, verdict="limited")]}
        found = section(page(report(found_rate=limited)), "trials")
        self.assertIn("1 trial at 1 requests a second. The client was", found)

    def test_figures_have_their_units(self) -> None:
        for condition, value, expected in [
            ("errors<1%", 0.005, "0.5%"),
            ("5xx<10", 3.0, "3"),
            ("mean <= 2s", 0.25, "250 ms"),
            ("something else", 3.0, "3"),
        ]:
            found = {**FOUND, "condition": condition, "trials": [trial(9.0, value)]}
            text = section(page(report(found_rate=found)), "trials")
            self.assertEqual(cells(text)[1][2], expected, condition)

    def test_of_several_conditions_the_one_that_broke_is_drawn(self) -> None:
        trials = [
            trial(100.0, 0.0, values=[0.0, 1.0], holds=True),
            trial(107.5, 0.0, values=[0.0, 0.2], holds=False),
            # It was over before anything could be measured.
            trial(200.0, None, values=[]),
            trial(300.0, 0.0, values=[0.0], holds=False),
        ]
        found = {**FOUND, "condition": "errors<1% and 2xx>99%", "trials": trials}
        text = section(page(report(found_rate=found)), "trials")
        head, *rows = cells(text)
        self.assertEqual(head[2], "2xx")
        self.assertEqual([row[2] for row in rows], ["100%", "20%", "–", "–"])
        # Ends are near to each other.
        self.assertEqual(rows[1][0], "107.5")

    def test_rates_far_apart_are_on_a_logarithmic_axis(self) -> None:
        far = [trial(rate, 0.1) for rate in (2.0, 4.0, 1000.0)]
        for low, expected in [(4.0, True), (1000.0, False)]:
            found = {**FOUND, "low": low, "trials": far}
            text = section(page(report(found_rate=found)), "trials")
            said = "asked a second, on a logarithmic scale"
            self.assertEqual(said in text, expected, low)

    def test_nothing_is_on_no_logarithmic_axis(self) -> None:
        for value, expected in [(0.001, True), (0.0, False)]:
            found = {**FOUND, "trials": [trial(9.0, value), trial(10.0, 5.0)]}
            text = section(page(report(found_rate=found)), "trials")
            self.assertEqual("p99, on a logarithmic scale" in text, expected, value)


class SectionsTests(ClockCase):
    def test_what_is_hostile_is_text(self) -> None:
        name = HOSTILE * 3
        text = page(
            report(
                labels=[label(name)],
                comparison={
                    "file": name,
                    "figures": [figure(name, 0.1, beyond=True)],
                },
                found_rate={**FOUND, "condition": name, "limited_by": name},
            )
        )
        self.assertEqual(active_content(text), [])
        for element in ("labels", "comparison", "trials"):
            said = Read(section(text, element)).text
            self.assertIn("<img src=x onerror=alert(1)>", said, element)

    def test_intervals_of_the_report_are_not_there_twice(self) -> None:
        data = json.loads(Read(page(report(intervals=[{"steps": [1] * 9}]))).data)
        self.assertNotIn("intervals", data["report"])
