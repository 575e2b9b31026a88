"""Runs in this process."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.plan import Plan
from nbtwisted.load.run import Run

__all__ = ["Local"]


class Local:
    """Makes runs in this process."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def begin(self) -> Deferred[None]:
        """Do nothing."""
        return succeed(None)

    def new_run(self, plan: Plan, tally: Tally) -> Run:
        """Make a run."""
        return Run(self._reactor, plan, tally=tally)

    def end(self) -> Deferred[None]:
        """Do nothing."""
        return succeed(None)
