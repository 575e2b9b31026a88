"""A part of a run, in a process of its own: `python -m nbtwisted.load --part`.

It does what its driver says, by frames (`cluster/frame.py`):

| the driver says | the part answers |
|---|---|
| `spec`, with the requests as payload | `ready`, or `refused`, which says why |
| `start`, a moment of the part's clock | `tally` each `interval`, and `is_last` |
| `stop` | the same: `tally`, `is_last` |

A `tally` is all that has come so far. Of a series it has the interval that is under
way, and as payload those that ended since the last one; when the run is over, all of
them. So what is lost with a worker is what it has not told yet. When it has told its
last, a part may be given another `spec`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from nbtwisted import steady_clock
from nbtwisted.cluster.driver import Driver, be_part
from nbtwisted.cluster.frame import Frame
from nbtwisted.command_line import open_files_left
from nbtwisted.load.figures.intervals import write_intervals
from nbtwisted.load.figures.series import Interval, Series
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.figures.tally_json import write_tally
from nbtwisted.load.fleet.spec import read_requests, read_spec
from nbtwisted.load.plan import Plan
from nbtwisted.load.run import Run

__all__ = ["LoadPart", "main"]


class State(Enum):
    """Where a part is in its work.

    | state | what happens | where that leads |
    |---|---|---|
    | IDLE | `spec`, and it can be done | READY |
    | READY | `start`, and the moment comes | RUNNING |
    | | another `spec` | READY |
    | READY, RUNNING | `stop` | IDLE |
    | RUNNING | the run is over | IDLE |
    """

    IDLE = auto()
    READY = auto()
    RUNNING = auto()


class LoadPart:
    """Carries out the plans that its driver sends; `gone` fires when that is gone.

    A run goes by a clock of its own, which `now` reads; the driver knows the one that
    `clock` reads.
    """

    def __init__(
        self,
        reactor: Any,
        driver: Driver,
        *,
        new_run: Callable[[Plan, Tally], Run],
        now: Callable[[], float] = time.perf_counter,
        clock: Callable[[], float] = steady_clock.now,
    ) -> None:
        self.gone: Deferred[None] = Deferred()
        self._reactor = reactor
        self._driver = driver
        self._new_run = new_run
        self._now = now
        self._clock = clock
        self._state = State.IDLE
        self._run: Run
        self._spec: dict[str, Any] = {}
        self._skew: float | None = None
        self._timer: IDelayedCall | None = None
        driver.listener = self

    # What the driver says.

    def frame_received(self, frame: Frame) -> None:
        """Do it."""
        head = frame.head
        if "spec" in head and self._state is not State.RUNNING:
            self._prepare(head, frame.payload)
        elif "start" in head and self._state is State.READY:
            wait = max(head["start"] - self._clock(), 0.0)
            self._call_later(wait, self._begin, head["start"])
        elif "stop" in head:
            self._stop()

    def driver_ready(self) -> None:
        """What it was not told is in the next tally."""

    def driver_gone(self) -> None:
        """There is nobody to send requests for."""
        self._stop()
        self.gone.callback(None)

    # What it does.

    def _prepare(self, head: dict[str, Any], requests: bytes) -> None:
        self._cancel_timer()
        self._state = State.IDLE
        plan = read_spec(head["spec"], read_requests(requests))
        most = open_files_left()
        if plan.connections > most:
            self._refuse(
                f"{plan.connections} connections: expected at most {most}, which is "
                "how many files its process may open besides its own (ulimit -n)"
            )
            return
        self._spec = head
        self._skew = None
        tally = Tally(Series() if head["series"] else None)
        try:
            self._run = self._new_run(plan, tally)
        # As where there is no TLS.
        except ImportError as error:
            self._refuse(str(error))
            return
        self._state = State.READY
        self._driver.send({"ready": True})

    def _refuse(self, why: str) -> None:
        self._driver.send({"refused": why})

    def _begin(self, moment: float) -> None:
        self._state = State.RUNNING
        self._skew = self._clock() - moment
        self._call_later(self._spec["phase"], self._tell_again)
        # Whoever begins late has its requests due when they would have been.
        self._run.start(self._now() - self._skew).addCallback(self._end)

    def _tell_again(self) -> None:
        # A driver that has much to read is told less often.
        if not self._driver.is_full:
            intervals = self._run.news()
            under_way = intervals.pop() if intervals else None
            self._tell(intervals, under_way)
        self._call_later(self._spec["interval"], self._tell_again)

    def _end(self, _: None) -> None:
        self._cancel_timer()
        self._state = State.IDLE
        series = self._run.tally.series
        self._tell([] if series is None else series.intervals, is_last=True)

    def _tell(
        self,
        intervals: Sequence[Interval],
        under_way: Interval | None = None,
        *,
        is_last: bool = False,
    ) -> None:
        run, has_begun = self._run, self._skew is not None
        told = {
            "tally": write_tally(run.tally, with_series=False),
            "under_way": None if under_way is None else under_way.as_json(steps=True),
            "seconds": run.seconds if has_begun else 0.0,
            "cpu": run.cpu_share if has_begun else 0.0,
            "skew": self._skew,
            "methods": run.methods,
            "is_last": is_last,
        }
        self._driver.send(told, write_intervals(intervals) if intervals else b"")

    def _stop(self) -> None:
        if self._state is State.RUNNING:
            self._run.stop()
        elif self._state is State.READY:
            self._end(None)

    def _call_later(
        self, seconds: float, call: Callable[..., None], *arguments: Any
    ) -> None:
        self._timer = self._reactor.callLater(seconds, call, *arguments)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def main() -> NoReturn:
    """Be a part, until the driver is gone; raises `SystemExit`."""
    be_part(_begin)


def _begin(reactor: Any, driver: Driver) -> Deferred[None]:
    part = LoadPart(
        reactor,
        driver,
        new_run=lambda plan, tally: Run(reactor, plan, tally=tally),
    )
    return part.gone
