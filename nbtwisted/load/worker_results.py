"""What each worker of a cluster did of a run, and what limited it. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.judging import BUSY, LATE, named
from nbtwisted.load.plan import Plan

__all__ = ["Goal", "WorkerResult", "Workers"]


@dataclass(frozen=True)
class Goal:
    """How much a part of a run is to do: so many requests, or seconds of connections.

    Where a run has no number of requests, `number` is infinite, and `seconds` is not.
    """

    number: float
    seconds: float
    connections: int

    def left(self, done: int, seconds: float) -> float:
        """What is missing when so many requests are over, after so many seconds."""
        if self.number == math.inf:
            return self.connections * max(self.seconds - seconds, 0.0)
        return max(self.number - done, 0.0)

    @classmethod
    def of(cls, plan: Plan) -> Goal:
        """What a part does that carries out this plan."""
        number, arrivals = plan.number, plan.open_loop
        if arrivals is not None:
            due = arrivals.profile.requests
            if due < math.inf:
                number = min(number, math.ceil((due - plan.first) / plan.step))
        return cls(number, plan.seconds, plan.connections)

    @property
    def all(self) -> float:
        """What it comes to."""
        return self.left(0, 0.0)


@dataclass
class WorkerResult:
    """What a worker has done of a run so far."""

    name: str
    clock: ClockDifference
    goal: Goal
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    """From the one moment at which all begin to count."""
    cpu_share: float = 0.0
    skew: float | None = None
    """Seconds after that moment that it began; None if it did not."""
    methods: Counter[str] = field(default_factory=Counter)
    lost: str | None = None
    """Why the rest of it never came."""

    @property
    def lateness(self) -> float:
        """Seconds that one timer in a hundred was late."""
        return self.tally.lateness.percentile(99)

    @property
    def rps(self) -> float:
        """Its answers a second."""
        return self.tally.answered / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Workers:
    """What all of them have done of a run."""

    results: Sequence[WorkerResult]
    idle: int = 0
    """As many had no part in it, because there were fewer connections."""
    stopped_after: float | None = None
    """Seconds until the run was stopped, if it was."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each as JSON values; times are in seconds."""
        return [
            {
                "name": result.name,
                "answered": result.tally.answered,
                "failed": result.tally.failed,
                "rps": result.rps,
                "p99": result.tally.latencies.percentile(99),
                "cpu": result.cpu_share,
                "lateness": result.lateness,
                "clock": result.clock.seconds,
                "clock_uncertainty": result.clock.uncertainty,
                "skew": result.skew,
                "lost": result.lost,
            }
            for result in self.results
        ]

    @property
    def partial(self) -> dict[str, Any] | None:
        """What is missing: the share of the run, and whose that was; None for nothing.

        A run that was stopped misses what those who were lost would have done until
        then, at the pace that they had.
        """
        lost = [result for result in self.results if result.lost is not None]
        if not lost:
            return None
        if self.stopped_after is None:
            missing = sum(
                result.goal.left(result.tally.sent, result.seconds) for result in lost
            )
            everything = sum(result.goal.all for result in self.results)
        else:
            missing = sum(
                result.tally.sent / result.seconds * left
                for result in lost
                if result.seconds > 0
                and (left := self.stopped_after - result.seconds) > 0
            )
            everything = missing + sum(result.tally.sent for result in self.results)
        return {
            "lost_share": missing / everything if everything else 0.0,
            "workers": [result.name for result in lost],
        }

    @property
    def bottleneck(self) -> str | None:
        """What limited the run, as far as the workers know; None if nothing came."""
        if not any(result.tally.answered for result in self.results):
            return None
        there = [result for result in self.results if result.lost is None]
        busy = [result for result in there if result.cpu_share > BUSY]
        if busy:
            most = max(result.cpu_share for result in busy)
            return f"{named([result.name for result in busy])}: {most:.0%} of a core"
        late = [result for result in there if result.lateness > LATE]
        if late:
            most = max(result.lateness for result in late)
            who = named([result.name for result in late])
            return f"{who}: timers {most * 1000:.0f} ms late (p99)"
        return "the target, or the network" if there else None

    @property
    def warnings(self) -> list[str]:
        """What is to be known of some of them."""
        found = []
        if self.idle:
            took_part = len(self.results)
            found.append(
                f"{took_part} of {took_part + self.idle} workers took part: each needs "
                "a connection (more with -c)"
            )
        if any(result.tally.answered for result in self.results):
            for result in self.results:
                if result.tally.answered or not result.tally.failed:
                    continue
                (((_, phase, message), _),) = result.tally.errors.most_common(1)
                found.append(
                    f"worker {result.name}: {phase}: {message} (all of its "
                    f"{result.tally.failed} requests failed; others' did not)"
                )
        return found
