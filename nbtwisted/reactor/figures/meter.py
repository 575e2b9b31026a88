"""Measures a reactor that records nothing: its turns, and how late its timers are.

Two clocks for each poll, and one look at the timer that is due first: nothing for each
callback. It is put on a reactor while that runs, as attributes of the one object, and
stays there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from nbtwisted.reactor.figures.histogram import Histogram

__all__ = ["STALL", "Meter", "meter_of"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
#
# ReactorBase: _pendingTimedCalls
# EPollReactor, PollReactor: _poller
# selectreactor: _select
# AsyncioSelectorReactor: _asyncioEventloop, and of asyncio's loops: _selector

STALL = 0.1
"""Seconds of work between two polls that are a stall."""


class Meter:
    """What was measured of one reactor since it was put there.

    turns     seconds of work between two polls; None where polls cannot be seen
    lateness  seconds that the first timer of a turn is behind its time
    stalls    turns of `STALL` seconds or more
    stalled   their seconds
    """

    def __init__(self, reactor: Any, now: Callable[[], float]) -> None:
        self.turns: Histogram | None = None
        self.lateness = Histogram()
        self.stalls = 0
        self.stalled = 0.0
        self._now = now
        # When the last poll has ended; None until one has.
        self._working_since: float | None = None
        loop: Any = getattr(reactor, "_asyncioEventloop", None)
        if hasattr(getattr(reactor, "_poller", None), "poll"):
            reactor._poller = _MeteredPoll(reactor._poller, "poll", self)
        elif hasattr(getattr(loop, "_selector", None), "select"):
            loop._selector = _MeteredPoll(loop._selector, "select", self)
        elif "twisted.internet.selectreactor" in _modules_of(type(reactor)):
            # It polls by a function of its module, as does any other of its kind.
            module: Any = sys.modules["twisted.internet.selectreactor"]
            module._select = self.measuring(module._select)
        if hasattr(reactor, "_pendingTimedCalls"):
            reactor.runUntilCurrent = self._looking_at_timers(reactor)

    def measuring(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        """`wait`, before which a turn ends, and after which the next begins."""
        now, turns = self._now, Histogram()
        self.turns = turns

        def measured(*args: Any) -> Any:
            since = self._working_since
            if since is not None:
                seconds = now() - since
                turns.add(seconds)
                if seconds >= STALL:
                    self.stalls += 1
                    self.stalled += seconds
            try:
                return wait(*args)
            finally:
                self._working_since = now()

        return measured

    def _looking_at_timers(self, reactor: Any) -> Callable[[], None]:
        """`runUntilCurrent`, which looks at the timer that is due first."""
        own = reactor.__dict__.get("runUntilCurrent")

        def runUntilCurrent() -> None:
            pending = reactor._pendingTimedCalls
            if pending:
                first = pending[0]
                # That of the heap: one that was put off is looked at when it is first.
                if not first.cancelled and first.delayed_time <= 0:
                    seconds = reactor.seconds() - first.time
                    if seconds >= 0:
                        self.lateness.add(seconds)
            if own is not None:
                own()
            else:
                # Its class may change: it may come to be traced.
                type(reactor).runUntilCurrent(reactor)

        return runUntilCurrent


class _MeteredPoll:
    """An epoll object, a poll object or a selector whose waits are measured."""

    def __init__(self, inner: Any, name: str, meter: Meter) -> None:
        self._inner = inner
        setattr(self, name, meter.measuring(getattr(inner, name)))
        # What is asked of it for each connection.
        for each in ("register", "modify", "unregister", "get_key", "get_map"):
            if hasattr(inner, each):
                setattr(self, each, getattr(inner, each))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _modules_of(kind: type) -> set[str]:
    return {base.__module__ for base in kind.__mro__}


_meters: WeakKeyDictionary[Any, Meter] = WeakKeyDictionary()


def meter_of(reactor: Any, now: Callable[[], float] = time.perf_counter) -> Meter:
    """The meter of a reactor, which is put there if it has none.

    `now` reads seconds. A reactor that is no reactor of Twisted's, such as a
    `task.Clock`, has a meter that measures nothing.
    """
    meter = _meters.get(reactor)
    if meter is None:
        meter = _meters[reactor] = Meter(reactor, now)
    return meter
