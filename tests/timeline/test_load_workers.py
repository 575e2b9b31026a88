"""The workers of a run on its page: each, or the few of many that are worth a look."""

from __future__ import annotations

import re
from typing import Any

from tests.guard import ClockCase
from tests.timeline.load_run import (
    HOSTILE,
    Read,
    active_content,
    cells,
    page,
    report,
    section,
)


def worker(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "answered": 1000,
        "failed": 0,
        "rps": 200.0,
        "p99": 0.05,
        "cpu": 0.4,
        "clock": -0.001,
        "clock_uncertainty": 0.0002,
        "skew": 0.002,
        "lost": None,
        **more,
    }


class WorkersTests(ClockCase):
    def test_without_a_cluster_there_are_none(self) -> None:
        for found in (report(), report(workers=[])):
            self.assertNotIn('id="workers"', page(found))

    def test_a_row_each(self) -> None:
        found = report(
            workers=[
                worker("tcp://10.0.0.1:40001"),
                worker("tcp://10.0.0.2:40002", cpu=0.97, rps=150.0, skew=0.005),
                worker("c", rps=90.0, clock=3600.0, skew=None, lost="killed"),
            ],
            bottleneck="10.0.0.2, whose core was 97% busy",
        )
        text = page(found)
        self.assertIn("over 5 connections of 3 workers, each asked", Read(text).text)
        found_section = section(text, "workers")
        _, one, two, three = cells(found_section)
        self.assertEqual(
            one,
            [
                *("tcp://10.0.0.1:40001", "200", "1,000", "0", "50.0 ms", "40%"),
                *("−1.00 ms ± 0.200 ms", "2.00 ms", "–"),
            ],
        )
        self.assertEqual(two[5], "97%")
        self.assertEqual(three[6:], ["+60.0 min ± 0.200 ms", "–", "killed"])
        self.assertIn('<tr class="lost">', found_section)
        said = Read(found_section).text
        self.assertIn("Bottleneck: 10.0.0.2, whose core was 97% busy.", said)
        self.assertIn(
            "3 workers, of which 1 lost: 150 to 200 answers a second each, with 40% "
            "to 97% of a core. Their parts began 3.00 ms apart at most.",
            said,
        )
        # Two bars each, in two layouts, and two in the key.
        self.assertEqual(found_section.count('class="bar '), 3 * 2 * 2 + 2)
        # What all addresses begin with is not drawn, and a number is said to be a name.
        numbered = section(page(report(workers=[worker("0")])), "workers")
        self.assertIn(">worker 0</text>", numbered)
        self.assertIn(">10.0.0.1:40001</text>", found_section)

    def test_bars_are_in_proportion(self) -> None:
        found = [
            worker("a", rps=200.0, cpu=0.5),
            worker("b", rps=50.0, cpu=1.0),
            worker("c", rps=0.0, cpu=2.0),
        ]
        text = section(page(report(workers=found)), "workers").partition("canvas")[2]
        bars = re.findall(r'"bar (\w+)" [^>]*width="([\d.]+)"', text)[:6]
        rates = [float(width) for kind, width in bars if kind == "answers"]
        cores = [float(width) for kind, width in bars if kind == "core"]
        self.assertApproximates(rates[0], rates[1] * 4, 0.5)
        self.assertEqual(rates[2], 1.0)
        # Beyond one core, the busiest is the measure of all.
        self.assertApproximates(cores[2], cores[1] * 2, 0.5)
        self.assertApproximates(cores[2], cores[0] * 4, 0.5)
        self.assertEqual(cores[2], rates[0])
        alone = section(page(report(workers=found[:1])), "workers")
        bars = re.findall(r'"bar (\w+)" [^>]*width="([\d.]+)"', alone)[2:4]
        self.assertApproximates(float(bars[0][1]), float(bars[1][1]) * 2, 0.5)

    def test_a_thousand_can_be_read(self) -> None:
        many = [worker(f"w{n}", cpu=0.3, rps=200.0 + n / 10) for n in range(1000)]
        many[70] = worker("dead", lost="its process ended")
        many[80] = worker("busy", cpu=1.2, rps=250.0)
        many[90] = worker("slow", cpu=0.2, rps=12.0)
        text = page(report(workers=many))
        found = section(text, "workers")
        shown, everyone = found.split("<details>")
        _, *rows = cells(shown)
        names = [row[0] for row in rows]
        self.assertEqual(names[:2], ["dead", "busy"])
        self.assertIn("slow", names)
        self.assertLess(len(names), 14)
        self.assertRegex(names[-1], r"^9\d\d others: medians$")
        self.assertEqual(rows[-1][5], "30%")
        self.assertEqual(len(cells(everyone)), 1001)
        self.assertLess(len(text), 700_000)

    def test_workers_of_which_nothing_is_known(self) -> None:
        nothing = dict.fromkeys(
            ("rps", "answered", "failed", "p99", "cpu", "clock", "skew")
        )
        lost = worker("w", **{**nothing, "clock_uncertainty": None, "lost": "gone"})
        found = section(page(report(workers=[lost])), "workers")
        self.assertEqual(cells(found)[1], ["w", *["–"] * 7, "gone"])
        self.assertIn("1 worker, of which 1 lost.", found)
        alive = section(page(report(workers=[worker("w", **nothing)] * 20)), "workers")
        self.assertIn("0 answers a second each, with 0% of a core", alive)

    def test_a_partial_run_is_said_at_the_top(self) -> None:
        partial = {"lost_share": 0.25, "workers": ["w1"]}
        read = Read(page(report(partial=partial)))
        said = "This run is partial. 25% of it was lost with worker w1. All figures"
        self.assertIn(said, read.text)
        self.assertLess(read.text.index(said), read.text.index("answers a second"))
        many = {"lost_share": 1.0, "workers": [f"w{n}" for n in range(9)]}
        self.assertIn(
            "with workers w0, w1, w2, w3, w4 and 4 more.",
            Read(page(report(partial=many))).text,
        )
        nameless = {"lost_share": 0.5, "workers": []}
        self.assertIn("50% of it was lost.", Read(page(report(partial=nameless))).text)
        self.assertNotIn("partial", Read(page(report(partial=None))).text)

    def test_what_is_hostile_is_text(self) -> None:
        name = HOSTILE * 3
        text = page(
            report(
                workers=[worker(name, lost=name)] * 20,
                bottleneck=name,
                partial={"lost_share": 1.0, "workers": [name]},
            )
        )
        self.assertEqual(active_content(text), [])
        self.assertIn(r"\u202e\ud800\x1b", Read(section(text, "workers")).text)
