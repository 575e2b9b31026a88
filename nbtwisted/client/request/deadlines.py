"""Deadlines of many requests, by one timer of the reactor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

__all__ = ["Deadlines", "Lane"]

T = TypeVar("T")

ROUNDING = 1e-9
"""Seconds by which sums of floats may differ."""


class Deadlines:
    """The deadlines of requests that are under way, in lanes of one length each.

    The reactor runs timers before it reads. When the process could not run for a while
    (it was stopped, or blocked by a slow reader of its output), a deadline may find a
    response in the kernel that nobody has taken yet: so it lets one more turn read.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._lanes: dict[Lane[Any], None] = {}
        # For who has a length of its own; by that.
        self._passing: dict[float, Lane[Any]] = {}
        self._timer: IDelayedCall | None = None
        self._due = math.inf
        self._uncounted = 0.0

    def lane(self, seconds: float | None, expire: Callable[[T], None]) -> Lane[T]:
        """A lane of deadlines that are `seconds` away when they begin; None is never.

        `expire` is called with whoever has reached its deadline.
        """
        lane = Lane(self, seconds, expire)
        self._lanes[lane] = None
        return lane

    def passing_lane(self, seconds: float, expire: Callable[[T], None]) -> Lane[T]:
        """The same, for as long as somebody is in it; all share the one of a length."""
        lane = self._passing.get(seconds)
        if lane is None:
            lane = self._passing[seconds] = self.lane(seconds, expire)
        return lane

    def postpone(self, seconds: float) -> None:
        """Do not count some seconds in which this process could not read.

        For who blocks the reactor, by writing to a slow terminal for instance: a
        response that arrived in time, but could not be taken, is not too late.
        """
        self._uncounted += seconds

    def now(self) -> float:
        """The seconds that count, since whenever."""
        seconds: float = self._reactor.seconds()
        return seconds - self._uncounted

    def wake_at(self, due: float, now: float) -> None:
        """Look at the lanes then, at the latest."""
        if due < self._due:
            self._set_timer(due, now)

    def rest(self, lane: Lane[Any]) -> None:
        """A lane is empty: where all of them are, nothing stays in the reactor."""
        if self._passing.get(lane.seconds or 0.0) is lane:
            del self._passing[lane.seconds or 0.0], self._lanes[lane]
        if self._timer is not None and not any(lane.due for lane in self._lanes):
            self._timer.cancel()
            self._timer, self._due = None, math.inf

    def _set_timer(self, due: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._reactor.callLater(max(due - now, 0), self._on_time)

    def _on_time(self) -> None:
        self._timer, now = None, self.now()
        if self._earliest() <= now + ROUNDING:
            self._timer = self._reactor.callLater(0, self._expire, now + ROUNDING)
        else:
            self._go_on(now)

    def _expire(self, until: float) -> None:
        self._timer = None
        for lane in list(self._lanes):
            lane.expire(until)
        self._go_on(self.now())

    def _earliest(self) -> float:
        dues = (next(iter(lane.due.values()), math.inf) for lane in self._lanes)
        return min(dues, default=math.inf)

    def _go_on(self, now: float) -> None:
        self._due = math.inf
        self.wake_at(self._earliest(), now)


class Lane(Generic[T]):
    """Deadlines of one length: those that began first are due first."""

    def __init__(
        self, deadlines: Deadlines, seconds: float | None, expire: Callable[[T], None]
    ) -> None:
        self.due: dict[T, float] = {}
        """When each is due, in their order."""
        self.seconds = seconds
        self._deadlines = deadlines
        self._expire = expire

    def begin(self, whose: T) -> None:
        """Call `expire` with this one when the time is over."""
        if self.seconds is not None:
            now = self._deadlines.now()
            self.due[whose] = due = now + self.seconds
            self._deadlines.wake_at(due, now)

    def end(self, whose: T) -> None:
        """Do not, any more."""
        if self.due.pop(whose, None) is not None and not self.due:
            self._deadlines.rest(self)

    def expire(self, until: float) -> None:
        """Call `expire` with those that are due by then."""
        late = []
        for whose, due in self.due.items():
            if due > until:
                break
            late.append(whose)
        for whose in late:
            # Unless one of the others has ended it.
            if self.due.pop(whose, None) is not None:
                self._expire(whose)
        if late and not self.due:
            self._deadlines.rest(self)
