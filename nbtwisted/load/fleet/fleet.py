"""Runs that are divided over the workers of a cluster: the driver's end.

Each worker has a part, a process that carries out plans (`part.py`), and is started
once for all runs. A run sends each its share of the plan, waits until all are ready,
and names one moment at which they begin, to each in the time of that one's clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, FirstError, gatherResults, succeed
from twisted.python.failure import Failure

from nbtwisted import steady_clock
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.fleet.fleet_run import FleetRun, Missing

if TYPE_CHECKING:
    from nbtwisted.cluster.cluster import Cluster
    from nbtwisted.cluster.frame import Frame
    from nbtwisted.cluster.part import Part, Worker
    from nbtwisted.load.plan import Plan

__all__ = ["Fleet"]


class Fleet:
    """Makes runs on a cluster, with one part on each worker, and at most so many.

    `connect` gives the cluster, and `arguments` are Python's that start a part.
    """

    def __init__(
        self,
        reactor: Any,
        connect: Callable[[], Awaitable[Cluster]],
        arguments: Sequence[str],
        *,
        most: int,
        now: Callable[[], float] = steady_clock.now,
    ) -> None:
        self._reactor = reactor
        self._connect = connect
        self._arguments = [*arguments]
        self._most = most
        self._now = now
        self._cluster: Cluster | None = None
        self._parts: list[Part] = []
        self._missing: list[Missing] = []
        self._idle = 0
        self._run: FleetRun | None = None

    def begin(self) -> Deferred[None]:
        """Start the parts; fails with a `ClusterError` if none can be started."""
        return Deferred.fromCoroutine(self._begin())

    async def _begin(self) -> None:
        cluster = self._cluster = await self._connect()
        workers = cluster.workers[: self._most]
        self._idle = len(cluster.workers) - len(workers)
        starting = [
            cluster.start_part(worker, self._arguments).addCallbacks(
                self._part_started, self._part_missing, errbackArgs=(worker,)
            )
            for worker in workers
        ]
        try:
            await gatherResults(starting, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        if not self._parts:
            first = self._missing[0]
            raise ClusterError(f"worker {first.name}: {first.why}")

    def _part_started(self, part: Part) -> None:
        part.listener = self
        self._parts.append(part)

    def _part_missing(self, failure: Failure, worker: Worker) -> None:
        failure.trap(ClusterError)
        why = failure.getErrorMessage().removeprefix(f"worker {worker.name}: ")
        self._missing.append(Missing(worker.name, why))

    def new_run(self, plan: Plan, tally: Tally) -> FleetRun:
        """Make a run, on those parts that are there."""
        self._run = FleetRun(
            self._reactor,
            self._parts,
            plan,
            tally,
            missing=self._missing,
            idle=self._idle,
            lose=self.part_lost,
            now=self._now,
        )
        self._missing = []
        return self._run

    def end(self) -> Deferred[None]:
        """End the parts, and leave the cluster."""
        return succeed(None) if self._cluster is None else self._cluster.close()

    # As the listener of the parts.

    def frame_received(self, part: Part, frame: Frame) -> None:
        """It is the run's that is going."""
        if self._run is not None:
            self._run.frame_received(part, frame)

    def part_lost(self, part: Part, reason: str) -> None:
        """It has no share of the runs that follow."""
        if part in self._parts:
            self._parts.remove(part)
            part.end()
            if self._run is None:
                self._missing.append(Missing(part.worker.name, reason))
            else:
                self._run.part_lost(part, reason)
