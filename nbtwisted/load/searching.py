"""A search for a rate at work: one trial after another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from nbtwisted.cluster.errors import ClusterError
from nbtwisted.load.conditions import Condition
from nbtwisted.load.outputs import Outcome
from nbtwisted.load.plan import Plan
from nbtwisted.load.search.find_rate import Search
from nbtwisted.load.search.found_rate import found_rate
from nbtwisted.load.search.trial import Trial, Verdict

__all__ = ["search_for_rate"]

CarryOut = Callable[[Plan, str], Awaitable[Outcome]]
"""Carries out a plan, under a title; the report says if that was interrupted."""

Settle = Callable[[], Awaitable[bool]]
"""Waits between two trials; returns whether nobody has interrupted that."""


async def search_for_rate(
    plan: Plan, goals: Sequence[Condition], carry_out: CarryOut, settle: Settle
) -> Outcome:
    """Search for the highest rate at which the goals hold, from that of the plan on.

    The outcome is that of the last trial that held there; if none did, of the last. Its
    report says what was found, also if the search is interrupted, or if a cluster fails
    after the first trial.
    """
    assert plan.rate is not None, "a search without a first rate"
    search = Search(plan.rate)
    held: dict[float | None, Outcome] = {}
    failure: ClusterError | None = None
    is_interrupted = False
    while not (search.state.is_over or is_interrupted):
        trial_plan = replace(plan, rate=search.rate)
        if plan.seed is not None:
            # What is due at random differs from trial to trial.
            trial_plan = replace(trial_plan, seed=plan.seed + len(search.trials))
        try:
            last = await carry_out(trial_plan, search.title)
        except ClusterError as error:
            if not search.trials:
                raise
            failure = error
            break
        if last.report["interrupted"]:
            is_interrupted = True
            break
        trial = Trial.of(search.rate, last.report, last.tally, goals)
        if trial.verdict is Verdict.HELD:
            held[trial.rate] = last
        search.add(trial)
        is_interrupted = not (search.state.is_over or await settle())
    outcome = held.get(search.low, last)
    outcome.report.update(
        found_rate=found_rate(
            search,
            goals,
            interrupted=not search.state.is_over,
            error=None if failure is None else str(failure),
        ),
        interrupted=is_interrupted,
    )
    return outcome
