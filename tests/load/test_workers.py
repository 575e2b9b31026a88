"""What is said of the workers of a run: who was lost, who was slow, what limited it."""

from __future__ import annotations

from math import inf
from typing import Any

from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.load.conditions import Condition
from nbtwisted.load.fleet.parts import divide
from nbtwisted.load.reporting.report import text
from nbtwisted.load.reporting.workers import MOST_ROWS
from nbtwisted.load.schedule.arrivals import POISSON
from nbtwisted.load.schedule.profile import Profile
from nbtwisted.load.worker_results import Goal, WorkerResult, Workers
from tests.guard import ClockCase
from tests.load.in_memory import plan_of
from tests.load.test_figures import report_of, tally_of

GOAL = Goal(100, inf, 5)


def result(
    name: str = "a", answered: int = 100, failed: int = 0, **more: Any
) -> WorkerResult:
    told = {"goal": GOAL, "seconds": 1.0, "cpu_share": 0.2, "skew": 0.001, **more}
    clock = ClockDifference(3600.5, 0.002)
    tally = tally_of([0.01] * answered, failed=failed)
    return WorkerResult(name, clock, tally=tally, **told)


def report_on(*results: WorkerResult, **more: Any) -> dict[str, Any]:
    tally = tally_of([0.01] * sum(each.tally.answered for each in results))
    return report_of(tally, workers=Workers(results, **more))


class GoalTests(ClockCase):
    def test_a_number(self) -> None:
        goal = Goal.of(plan_of(number=40, connections=4))
        self.assertEqual(
            (goal.all, goal.left(30, 9.0), goal.left(50, 9.0)), (40, 10, 0)
        )

    def test_a_time(self) -> None:
        # Nobody knows how many it would have been: connections, and their seconds.
        goal = Goal.of(plan_of(seconds=10, connections=4))
        self.assertEqual((goal.all, goal.left(999, 7.5)), (40, 10))
        self.assertEqual(goal.left(999, 10.5), 0)

    def test_a_rate(self) -> None:
        for more in ({"rate": 90.0}, {"profile": Profile.parse("0..180/10s")}):
            parts = divide(plan_of(seconds=10, connections=4, **more), 4)
            self.assertEqual([Goal.of(part).all for part in parts], [225] * 4)
        parts = divide(plan_of(connections=4, profile=Profile.parse("3/1")), 2)
        self.assertEqual([Goal.of(part).all for part in parts], [2, 1])
        fewer = plan_of(number=2, connections=4, profile=Profile.parse("3/1"))
        self.assertEqual(Goal.of(fewer).all, 2)
        plan = plan_of(number=90, connections=4, rate=10.0, arrivals=POISSON, seed=1)
        self.assertEqual([Goal.of(part).all for part in divide(plan, 2)], [45, 45])


class WorkersTests(ClockCase):
    def test_without_any(self) -> None:
        found = report_of(tally_of([0.01]))
        self.assertEqual(
            (found["workers"], found["bottleneck"], found["partial"]), ([], None, None)
        )
        self.assertNotIn("Workers:", text(found, tally_of([0.01])))

    def test_rows(self) -> None:
        found = report_on(result("a", 60, 40), result("b", skew=None, lost="signal 9"))
        first, second = found["workers"]
        self.assertEqual((first["answered"], first["failed"]), (60, 40))
        self.assertEqual((first["rps"], first["cpu"]), (60.0, 0.2))
        self.assertEqual((first["clock"], first["clock_uncertainty"]), (3600.5, 0.002))
        self.assertEqual((first["skew"], first["lost"]), (0.001, None))
        self.assertEqual((second["skew"], second["lost"]), (None, "signal 9"))
        printed = text(found, tally_of([0.01])).splitlines()
        rows = [line.split() for line in printed[printed.index("Workers:") :]]
        self.assertEqual(rows[2][:4], ["b", "100", "0", "100.00"])
        self.assertEqual(rows[2][-4:], ["never", "lost:", "signal", "9"])
        self.assertEqual(
            " ".join(rows[3]),
            "a 60 40 60.00 10.000 ms 20% +3600.5000 s (2.0 ms) +1.0 ms",
        )

    def test_a_thousand_rows(self) -> None:
        results = [result(str(number)) for number in range(1000)]
        results[-1].lost = "its worker is lost"
        found = report_on(*results)
        self.assertEqual(len(found["workers"]), 1000)
        printed = text(found, tally_of([0.01]))
        self.assertIn(f"and {1000 - MOST_ROWS} more", printed)
        self.assertIn("its worker is lost", printed)

    def test_who_was_the_bottleneck(self) -> None:
        def bottleneck(*results: WorkerResult) -> object:
            return report_on(*results)["bottleneck"]

        quick = result()
        self.assertEqual(bottleneck(quick), "the target, or the network")
        busy = [result(name, cpu_share=0.95) for name in "bcdefg"]
        self.assertEqual(bottleneck(quick, busy[0]), "worker b: 95% of a core")
        self.assertEqual(bottleneck(quick, *busy[:2]), "workers b and c: 95% of a core")
        self.assertEqual(
            bottleneck(quick, *busy), "workers b, c, d and 3 more: 95% of a core"
        )
        late = result("z")
        late.tally.lateness.add(0.03)
        self.assertEqual(bottleneck(quick, late), "worker z: timers 30 ms late (p99)")
        self.assertEqual(bottleneck(late, busy[0]), "worker b: 95% of a core")
        self.assertIsNone(bottleneck(result("a", 0, failed=9)))
        # Of those that were lost, nothing is known for the whole of the run.
        self.assertIsNone(bottleneck(result(cpu_share=1.0, lost="signal 9")))

    def test_what_was_lost(self) -> None:
        found = report_on(
            result("a"), result("b"), result("c", 60, 20, lost="signal 9"), result("d")
        )
        self.assertEqual(found["partial"], {"lost_share": 0.05, "workers": ["c"]})
        self.assertTrue(
            text(found, tally_of([0.01])).startswith(
                "Partial: 5.0% was lost with worker c\n\nSummary:"
            )
        )
        timed = [
            result(name, goal=Goal(inf, 10.0, connections), seconds=2.5, lost="x")
            for name, connections in (("a", 30), ("b", 10))
        ]
        timed[0].lost, timed[0].seconds = None, 10.0
        partial = report_on(*timed)["partial"]
        self.assertEqual(partial, {"lost_share": 0.1875, "workers": ["b"]})

    def test_what_was_lost_before_it_began(self) -> None:
        lost = result("b", 0, skew=None, seconds=0.0, lost="signal 9")
        self.assertEqual(report_on(result("a"), lost)["partial"]["lost_share"], 0.5)
        self.assertEqual(report_on(lost)["partial"]["lost_share"], 1.0)

    def test_what_was_lost_of_a_run_that_was_stopped(self) -> None:
        # 40 in two seconds: 20 more in the third.
        lost = result("b", 40, seconds=2.0, lost="it did not stop within 1.5 s")
        found = report_on(result("a", 60, seconds=3.0), lost, stopped_after=3.0)
        self.assertEqual(found["partial"]["lost_share"], 20 / 120)
        never = result("b", 0, seconds=0.0, lost="signal 9")
        for stopped_after in (-0.1, 3.0):
            found = report_on(result("a", 0), never, stopped_after=stopped_after)
            self.assertEqual(found["partial"]["lost_share"], 0.0)
        # It was lost when it had nothing more to do.
        late = result("b", 40, seconds=4.0, lost="signal 9")
        found = report_on(result("a", 60, seconds=3.0), late, stopped_after=3.0)
        self.assertEqual(found["partial"]["lost_share"], 0.0)

    def test_the_verdict_says_it_first(self) -> None:
        results = [result("a"), result("b", 50, lost="signal 9")]
        found = report_of(
            tally_of([0.01]),
            workers=Workers(results),
            conditions=[Condition.parse("p99>1s")],
        )
        self.assertEqual(
            text(found, tally_of([0.01])).splitlines()[0],
            "Partial: 25.0% was lost with worker b. Passed: p99>1s (10.0 ms)",
        )

    def test_one_that_cannot_reach_the_target(self) -> None:
        found = report_on(result("a"), result("b", 0, failed=7), result("c", 5, 7))
        self.assertEqual(
            found["warnings"],
            [
                "worker b: connect: 127.0.0.1 port 9: Connection refused (all of its 7 "
                "requests failed; others' did not)"
            ],
        )
        # Where nobody can, it is not the worker.
        nobody = report_on(result("a", 0, failed=3), result("b", 0, failed=7))
        self.assertEqual(nobody["warnings"], [])

    def test_those_that_had_nothing_to_do(self) -> None:
        found = report_on(result("a"), result("b"), idle=3)
        self.assertEqual(
            found["warnings"],
            ["2 of 5 workers took part: each needs a connection (more with -c)"],
        )


class AdviceTests(ClockCase):
    def warning(self, **more: Any) -> str:
        (warning,) = report_of(tally_of([0.01]), cpu_share=0.97, **more)["warnings"]
        return str(warning)

    def test_who_has_one_core(self) -> None:
        self.assertEqual(
            self.warning(),
            "the client used 97% of its core: these figures are its own as much as the "
            "server's",
        )

    def test_who_has_more(self) -> None:
        self.assertTrue(
            self.warning(cores=8).endswith("(--cluster local uses 8 cores)")
        )

    def test_who_uses_them(self) -> None:
        self.assertEqual(
            self.warning(workers=Workers([result("a")]), cores=1),
            "the busiest worker used 97% of its core: these figures are the client's "
            "own as much as the server's",
        )
