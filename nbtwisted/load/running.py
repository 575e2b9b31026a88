"""The command's view of runs, and of those who make them: here, or on a cluster."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from twisted.internet.defer import Deferred

from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.plan import Plan
from nbtwisted.load.worker_results import Workers

__all__ = ["Runner", "Running"]


class Running(Protocol):
    """A run of some plan, in this process or in many."""

    @property
    def tally(self) -> Tally:
        """What has come of it so far."""

    @property
    def seconds(self) -> float:
        """From the first request that counts to the end of the last; or until now."""

    @property
    def cpu_share(self) -> float:
        """How much of a core it has used, since the requests count."""

    @property
    def methods(self) -> Counter[str]:
        """The methods of the requests that count; once it is over."""

    @property
    def interval(self) -> float:
        """Seconds after which there may be more in its tally."""

    @property
    def workers(self) -> Workers | None:
        """What each worker has done, if it is of many."""

    def start(self) -> Deferred[None]:
        """Begin; fires when every request has ended, and nothing is open any more.

        Fails with a `ClusterError` if a worker cannot do its part.
        """

    def stop(self) -> None:
        """Send nothing more, and end what is under way."""


class Runner(Protocol):
    """Makes runs. It is begun before the first of them, and ended after the last."""

    def begin(self) -> Deferred[None]:
        """Be ready for runs; who does not want to wait any more cancels it."""

    def new_run(self, plan: Plan, tally: Tally) -> Running:
        """Make a run of a plan, which adds to the tally; one at a time may be going."""

    def end(self) -> Deferred[None]:
        """Let go of everything, also when it could not begin."""
