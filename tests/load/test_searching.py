"""A search at work: what it makes of trials that end, are interrupted, or fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.cluster.errors import ClusterError
from nbtwisted.load.outputs import Outcome
from nbtwisted.load.plan import Plan
from nbtwisted.load.search.trial import parse_goal
from nbtwisted.load.searching import search_for_rate
from tests.load.in_memory import plan_of
from tests.load.test_figures import report_of, tally_of

GOALS = [parse_goal("p99<200ms")]


class SearchingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.plans: list[Plan] = []
        self.titles: list[str] = []
        self.settled = 0
        self.outcomes: list[Outcome] = []

    async def carry_out(self, plan: Plan, title: str) -> Outcome:
        """A run of a server that holds up to 1,000 a second."""
        self.plans.append(plan)
        self.titles.append(title)
        assert plan.rate is not None
        seconds = 0.1 if plan.rate <= 1000 else 0.5
        tally = tally_of([seconds] * 10)
        for _ in range(10):
            tally.service.add(seconds)
        self.outcomes.append(Outcome(report_of(tally, rate=plan.rate), tally, 0.0))
        return self.outcomes[-1]

    async def settle(self) -> bool:
        self.settled += 1
        return True

    def search(
        self,
        carry_out: Callable[[Plan, str], Any] | None = None,
        settle: Callable[[], Any] | None = None,
        **plan: Any,
    ) -> Outcome:
        searching = search_for_rate(
            plan_of(**{"rate": 100.0, **plan}),
            GOALS,
            carry_out or self.carry_out,
            settle or self.settle,
        )
        return self.successResultOf(Deferred.fromCoroutine(searching))

    def test_the_outcome_is_of_the_rate(self) -> None:
        outcome = self.search()
        found = outcome.report["found_rate"]
        self.assertEqual(found["ended"], "found")
        self.assertLess(abs(found["rate"] / 1000 - 1), 0.02)
        self.assertEqual(outcome.report["rate"], found["rate"])
        # The last that held there.
        rates = [each.report["rate"] for each in self.outcomes]
        place = len(rates) - 1 - rates[::-1].index(found["rate"])
        self.assertIs(outcome, self.outcomes[place])
        self.assertEqual([plan.rate for plan in self.plans], rates)
        self.assertEqual(len(found["trials"]), len(rates))
        self.assertEqual(self.settled, len(rates) - 1)
        self.assertEqual(self.titles[0], "trial 1 at 100/s: ")
        self.assertTrue(self.titles[4].startswith("trial 5 at 1,600/s (800/s held"))
        self.assertIsNone(outcome.report["found_rate"]["error"])
        self.assertFalse(outcome.report["interrupted"])

    def test_what_is_random_differs(self) -> None:
        self.search(seed=7)
        seeds = [plan.seed for plan in self.plans]
        self.assertEqual(seeds, [*range(7, 7 + len(seeds))])
        self.plans.clear()
        self.search()
        self.assertEqual({plan.seed for plan in self.plans}, {None})

    def test_none_is_good(self) -> None:
        async def carry_out(plan: Plan, title: str) -> Outcome:
            outcome = await self.carry_out(plan_of(rate=10_000.0), title)
            self.plans[-1] = plan
            return outcome

        outcome = self.search(carry_out)
        self.assertIs(outcome, self.outcomes[-1])
        found = outcome.report["found_rate"]
        self.assertEqual((found["rate"], found["ended"]), (None, "impossible"))
        self.assertEqual(self.plans[-1].rate, 1)

    def test_interrupted(self) -> None:
        async def carry_out(plan: Plan, title: str) -> Outcome:
            outcome = await self.carry_out(plan, title)
            outcome.report["interrupted"] = len(self.plans) == 3
            return outcome

        outcome = self.search(carry_out)
        found = outcome.report["found_rate"]
        # What was interrupted is no trial.
        self.assertIs(outcome, self.outcomes[1])
        self.assertEqual((found["rate"], len(found["trials"])), (200, 2))
        self.assertEqual(found["ended"], "interrupted")
        self.assertTrue(outcome.report["interrupted"])

    def test_interrupted_at_once(self) -> None:
        async def carry_out(plan: Plan, title: str) -> Outcome:
            outcome = await self.carry_out(plan, title)
            outcome.report["interrupted"] = True
            return outcome

        outcome = self.search(carry_out)
        self.assertIs(outcome, self.outcomes[0])
        self.assertIsNone(outcome.report["found_rate"]["rate"])

    def test_interrupted_between_two(self) -> None:
        async def settle() -> bool:
            return len(self.plans) < 2

        outcome = self.search(settle=settle)
        self.assertEqual(len(self.plans), 2)
        self.assertTrue(outcome.report["interrupted"])
        self.assertEqual(outcome.report["found_rate"]["rate"], 200)

    def test_a_cluster_fails(self) -> None:
        async def carry_out(plan: Plan, title: str) -> Outcome:
            if len(self.plans) == 2:
                raise ClusterError("all workers are gone")
            return await self.carry_out(plan, title)

        outcome = self.search(carry_out)
        found = outcome.report["found_rate"]
        self.assertEqual((found["rate"], found["error"]), (200, "all workers are gone"))
        self.assertEqual(found["ended"], "interrupted")
        self.assertFalse(outcome.report["interrupted"])

    def test_a_cluster_fails_at_once(self) -> None:
        async def carry_out(plan: Plan, title: str) -> Outcome:
            raise ClusterError("no workers")

        searching = search_for_rate(plan_of(rate=100.0), GOALS, carry_out, self.settle)
        self.failureResultOf(Deferred.fromCoroutine(searching), ClusterError)
