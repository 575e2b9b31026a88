"""A fleet whose parts, and whose server, are in one process on one clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.defer import succeed

from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.load.figures.series import Series
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.fleet.fleet import Fleet
from nbtwisted.load.fleet.fleet_run import FleetRun
from nbtwisted.load.fleet.part import LoadPart
from nbtwisted.load.plan import Plan
from nbtwisted.load.run import Run
from tests.cluster.in_memory import MemoryCluster, MemoryDriver, MemoryPart
from tests.load.in_memory import MILLISECOND, Answers, Names, Server, plan_of

__all__ = ["MemoryFleet"]


class MemoryFleet:
    """So many workers that ask one server, which is the clock of them all.

    `differences` are by how much their clocks are ahead, in seconds.
    """

    def __init__(
        self,
        answers: Answers,
        number: int,
        differences: Sequence[float] = (),
        *,
        refusing: Sequence[str] = (),
    ) -> None:
        self.server = Server(answers)
        self.differences = differences or [0.0] * number
        self.cluster = MemoryCluster(
            self.server,
            number,
            self._program,
            differences=self.differences,
            refusing=refusing,
        )
        self.programs: list[LoadPart] = []
        self.lacks = ""
        """What its workers lack, without which they cannot run."""
        self.sent_by: list[Run] = []
        """The runs of the parts."""
        self.fleet = Fleet(
            self.server,
            lambda: succeed(self.cluster),
            ["--part"],
            most=number,
            now=self.server.seconds,
        )

    @property
    def parts(self) -> list[MemoryPart]:
        """As the driver has them."""
        return self.cluster.parts

    def begin(
        self, *, tally: Tally | None = None, **plan: Any
    ) -> tuple[FleetRun, list[object]]:
        """Begin a run; returns it, and what is not empty when it is over.

        That is None, or the error with which it could not be.
        """
        if not self.parts:
            self.fleet.begin()
        planned = plan_of(*plan.pop("urls", ()), **plan)
        run = self.fleet.new_run(planned, Tally() if tally is None else tally)
        over: list[object] = []
        run.start().addBoth(over.append)
        return run, over

    def finish(self, over: list[object], most: float = 120.0) -> None:
        """Let time pass until it is over."""
        server = self.server
        until = server.seconds() + most
        while not over:
            assert server.seconds() < until, "it does not end"
            server.advance(MILLISECOND)

    def run(self, *, with_series: bool = False, **plan: Any) -> FleetRun:
        """Carry out a plan."""
        run, over = self.begin(tally=Tally(Series() if with_series else None), **plan)
        self.finish(over)
        assert over == [None], over
        return run

    def _program(self, driver: MemoryDriver, arguments: list[str]) -> None:
        assert arguments == ["--part"]
        ahead = self.differences[len(self.programs)]
        server = self.server

        def new_run(plan: Plan, tally: Tally) -> Run:
            if self.lacks:
                raise ImportError(self.lacks)
            run = Run(
                server,
                plan,
                tally=tally,
                resolver=cast(Resolver, Names(server)),
                now=server.seconds,
                cpu=lambda: server.seconds() / 2,
            )
            self.sent_by.append(run)
            return run

        part = LoadPart(
            server,
            driver,
            new_run=new_run,
            now=server.seconds,
            clock=lambda: server.seconds() + ahead,
        )
        self.programs.append(part)
