"""The page of `make bench`, from figures."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.bench import servers
from benchmarks.bench_page import (
    OURS,
    REMEMBERED,
    REQUESTS,
    TARGETS,
    Figures,
    Table,
    page,
    summary,
)


def table_of(group: str, **rounds: list[Figures]) -> Table:
    """A table of one group."""
    table = Table()
    table.rounds[group] = rounds
    return table


def row_of(text: str, *cells: str) -> list[str]:
    """The cells of the only row that begins so."""
    begins = "| " + " | ".join(cells) + " |"
    (row,) = [line for line in text.splitlines() if line.startswith(begins)]
    return [cell.strip() for cell in row.strip("|").split("|")]


class RatioTests(SynchronousTestCase):
    def row(self, group: str, ours: list[float], theirs: list[float]) -> list[str]:
        """The cells of the group's first target."""
        target = next(each for each in TARGETS if each.group == group)
        table = Table()
        for name, values in ((target.ours, ours), (target.peer, theirs)):
            table.rounds.setdefault(group, {})[name] = [
                {target.figure: value, "rps": 1.0} for value in values
            ]
        last = summary(table).splitlines()[-1]
        return [cell.strip() for cell in last.strip("|").split("|")]

    def test_half_the_cost_of_the_peer_is_twice_as_good(self) -> None:
        self.assertEqual(self.row("delay", [20.0], [40.0])[2:], ["2.00", "2", "3"])

    def test_twice_the_cost_of_the_peer_misses(self) -> None:
        self.assertEqual(self.row("delay", [40.0], [20.0])[2], "0.50 (missed)")

    def test_more_for_each_second_is_better(self) -> None:
        self.assertEqual(self.row("load", [90.0], [100.0])[2:], ["0.90", "0.8", "1"])

    def test_ratios_are_of_one_round(self) -> None:
        # Of medians it would be 10 / 10.
        ratio = self.row("delay", [1.0, 10.0, 100.0], [10.0, 100.0, 10.0])[2]
        self.assertEqual(ratio, "10.00")


class LimitTests(SynchronousTestCase):
    def row(self, past: float) -> list[str]:
        figures = {"past": past, "p99": 0.1, "kb": 3.0}
        table = table_of("held", nbtwisted=[figures])
        table.rounds["held"]["nginx + echo"] = [figures | {"past": 0.42}]
        name = f"{OURS}, {REQUESTS['held']}: seconds past 3"
        return row_of(summary(table), name)[1:]

    def test_a_figure_of_its_own_is_at_most_its_target(self) -> None:
        self.assertEqual(
            self.row(0.5), ["-", "0.50", "at most 0.5", "nginx + echo: 0.42"]
        )

    def test_more_is_a_miss(self) -> None:
        self.assertEqual(self.row(0.51)[1], "0.51 (missed)")


class PageTests(SynchronousTestCase):
    def test_leads_with_requests_that_are_all_different(self) -> None:
        titles = [
            line for line in page(Table(), "").splitlines() if line.startswith("## ")
        ]
        self.assertEqual(titles[:2], ["## Requests all different", "## Targets"])

    def test_says_what_is_remembered_of_ours_alone(self) -> None:
        figures = [{"us": 20.0, "rps": 50_000.0}]
        table = table_of("same", nbtwisted=figures, granian=figures)
        text = page(table, "")
        request = REQUESTS["same"]
        ours = row_of(text, request, OURS)
        self.assertEqual(ours[2:], ["20.0", "50,000", REMEMBERED["same"][OURS]])
        self.assertEqual(row_of(text, request, "granian")[4], "")

    def test_every_row_of_ours_says_what_is_remembered(self) -> None:
        with TemporaryDirectory() as place:
            compared = servers(place, 8000)
        ours = {
            group: {each.name for each in found if each.name.startswith(OURS)}
            for group, found in compared.items()
        }
        self.assertEqual(ours, {group: set(REMEMBERED[group]) for group in compared})

    def test_a_summary_has_nothing_that_was_not_measured(self) -> None:
        table = table_of("get", nbtwisted=[{"us": 20.0, "rps": 50_000.0}])
        lines = summary(table).split("\n")
        self.assertEqual(
            lines,
            [
                "| request |  | CPU µs a request | requests a second |",
                "|---|---|---|---|",
                "| `/get` | nbtwisted | 20.0 | 50,000 |",
                "",
            ],
        )

    def test_a_failure_is_a_row_that_says_why(self) -> None:
        def fail() -> Figures:
            raise OSError("it does not start")

        table = Table()
        table.measure("get", "aiohttp + uvloop", fail)
        row = row_of(summary(table), REQUESTS["get"], "aiohttp + uvloop")
        self.assertEqual(row[2:], ["it does not start", ""])

    def test_a_failure_in_a_later_round_takes_the_place_of_figures(self) -> None:
        table = table_of("get", nbtwisted=[{"us": 20.0, "rps": 50_000.0}])
        table.failures["get"] = {OURS: "it does not start"}
        row = row_of(summary(table), REQUESTS["get"], OURS)
        self.assertEqual(row[2], "it does not start")
