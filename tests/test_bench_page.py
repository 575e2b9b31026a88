"""The page of `make bench`, from figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.bench import DOCS, servers
from benchmarks.bench_clients import CLIENT_GROUPS, asking, list_urls
from benchmarks.bench_cores import COMPARED
from benchmarks.bench_figures import Figures, Table
from benchmarks.bench_merging import LOOPS
from benchmarks.bench_page import (
    OURS,
    REMEMBERED,
    REQUESTS,
    SECTIONS,
    TARGETS,
    TO_WORKERS,
    page,
    summary,
)
from benchmarks.bench_programs import run
from benchmarks.bench_proxy import PROXY_NAMES, proxies
from benchmarks.bench_proxy_page import NO_PROXY
from benchmarks.bench_runs import BenchRun, about, added, read_run, write_run


class Names(Table):
    """The names of what would be measured, by group; nothing is run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}

    def measure(
        self, group: str, name: str, what: Callable[..., Figures], *args: object
    ) -> None:
        self.found.setdefault(group, []).append(name)


def clients(with_peers: bool = True, with_long_list: bool = False) -> Names:
    """The names of all clients."""
    names = Names()
    asking(names, CLIENT_GROUPS, 8000, Path(), with_peers, with_long_list)
    return names


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

    def test_ratios_have_three_digits(self) -> None:
        self.assertEqual(self.row("many", [1.0], [2.0])[2:], ["2.00", "1.67", "2.5"])

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

    def test_it_can_have_an_aim_without_a_peer(self) -> None:
        figures = {"wall": 0.2, "cpu": 0.2}
        table = table_of("start", **{"nbtwisted get -n 1": [figures]})
        row = row_of(summary(table), "nbtwisted get -n 1: seconds")
        self.assertEqual(row[1:], ["-", "0.20", "at most 0.25", "0.15"])

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

    def test_a_program_that_is_not_there_is_named_without_its_folder(self) -> None:
        table = Table()
        table.measure("start", "curl", lambda: {"cpu": run(["/nowhere/curl"]).cpu})
        row = row_of(summary(table), "curl")
        self.assertEqual(row[1], "curl is not installed")

    def test_a_failure_in_a_later_round_takes_the_place_of_figures(self) -> None:
        table = table_of("get", nbtwisted=[{"us": 20.0, "rps": 50_000.0}])
        table.failures["get"] = {OURS: "it does not start"}
        row = row_of(summary(table), REQUESTS["get"], OURS)
        self.assertEqual(row[2], "it does not start")

    def test_groups_that_were_not_measured_now_are_the_earlier_ones(self) -> None:
        table = table_of("get", nbtwisted=[{"us": 20.0, "rps": 50_000.0}])
        earlier = table_of("get", nbtwisted=[{"us": 30.0, "rps": 40_000.0}])
        earlier.failures = {
            "get": {"aiohttp + uvloop": "it did not start"},
            "same": {OURS: "it did not start"},
        }
        table.add_earlier(earlier)
        self.assertEqual(table.median("get", OURS, "us"), 20.0)
        self.assertEqual(table.failures, {"same": {OURS: "it did not start"}})

    def test_the_page_in_docs_is_of_the_figures_beside_it(self) -> None:
        kept = json.loads((DOCS / "benchmarks.json").read_text())
        table = Table()
        table.rounds, table.failures = kept["rounds"], kept["failures"]
        runs = [read_run(each) for each in kept["runs"]]
        written = (DOCS / "benchmarks.md").read_text()
        self.assertEqual(page(table, about(runs)), written)
        measured = sorted({**table.rounds, **table.failures})
        self.assertEqual(
            sorted(group for run in runs for group in run.groups), measured
        )


class RunTests(SynchronousTestCase):
    def run_of(self, command: str, *groups: str, machine: str = "2 cores") -> BenchRun:
        return BenchRun(command, "2026-11-27", machine, "nbtwisted 0.1.0", groups)

    def test_a_group_is_of_the_latest_run_that_measured_it(self) -> None:
        runs = added([self.run_of("all", "get", "load")], self.run_of("one", "load"))
        self.assertEqual([run.groups for run in runs], [("get",), ("load",)])

    def test_a_run_of_which_nothing_is_left_is_not_named(self) -> None:
        runs = added([self.run_of("first", "load")], self.run_of("again", "load"))
        self.assertEqual([run.command for run in runs], ["again"])

    def test_the_machine_is_said_once(self) -> None:
        runs = [self.run_of("all", "get"), self.run_of("one", "load", "rules")]
        text = about(runs)
        self.assertEqual(text.count("2 cores; nbtwisted 0.1.0"), 1)
        self.assertEqual(
            text.splitlines()[-2:],
            [
                "- `all` on 2026-11-27: all but what is below",
                "- `one` on 2026-11-27: load, rules",
            ],
        )

    def test_another_machine_is_said_of_its_run(self) -> None:
        runs = [
            self.run_of("all", "get"),
            self.run_of("one", "load", machine="8 cores"),
        ]
        self.assertTrue(about(runs).endswith("- `one` on 2026-11-27: load; 8 cores"))

    def test_runs_go_through_json(self) -> None:
        run = self.run_of("all", "get", "load")
        self.assertEqual(read_run(json.loads(json.dumps(write_run(run)))), run)


class ClientTests(SynchronousTestCase):
    def test_every_target_names_what_is_measured(self) -> None:
        with TemporaryDirectory() as place:
            compared = servers(place, 8000)
        measured = {
            **{
                group: [each.name for each in found]
                for group, found in compared.items()
            },
            **clients(with_long_list=True).found,
            "cores": [*COMPARED],
            "merging": [*LOOPS],
            **PROXY_NAMES,
        }
        for target in TARGETS:
            names = {target.ours, target.peer or target.ours}
            names |= {target.aim} if isinstance(target.aim, str) else set()
            self.assertLessEqual(names, set(measured[target.group]), target)

    def test_every_proxy_has_a_command_and_is_of_a_section(self) -> None:
        names = {name for group in PROXY_NAMES.values() for name in group}
        with TemporaryDirectory() as place:
            self.assertEqual({*proxies(Path(place), 1, 2)}, names - {NO_PROXY})
        shown = {group for section in SECTIONS for group in section.groups}
        self.assertLessEqual({*PROXY_NAMES}, shown)

    def test_without_peers_there_is_ours_alone(self) -> None:
        found = clients(with_peers=False).found
        self.assertEqual(found["load"], ["nbtwisted load"])
        self.assertEqual(found["start"], ["nbtwisted get -n 1"])
        self.assertEqual(found["growth"], clients().found["growth"])

    def test_the_longest_lists_are_got_only_when_asked_for(self) -> None:
        usual = ["1,000 URLs", "200,000 URLs"]
        simulated = f"1,000,000 {TO_WORKERS}"
        self.assertEqual(clients().found["memory"], [*usual, simulated])
        long = clients(with_long_list=True).found["memory"]
        self.assertEqual(
            long, [*usual, "1,000,000 URLs", simulated, f"10,000,000 {TO_WORKERS}"]
        )

    def test_the_urls_of_a_list_are_all_different(self) -> None:
        with TemporaryDirectory() as place:
            lines = list_urls(Path(place), "http://a/", 1000).read_text().splitlines()
        self.assertEqual(len(set(lines)), 1000)
        self.assertEqual(lines[7], "http://a/?n=0000000007")
