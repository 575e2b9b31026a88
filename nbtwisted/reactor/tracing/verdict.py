"""Whether a traced program has blocked its reactor for longer than it may."""

from __future__ import annotations

from typing import Any

from nbtwisted.reactor.installing import installed_reactor
from nbtwisted.reactor.tracing.recorder import Stall
from nbtwisted.reactor.tracing.stacks import blocking_place

__all__ = ["BLOCKED", "Verdict"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# ReactorBase: _exitSignal

BLOCKED = 99
"""The exit code of a program that has."""


class Verdict:
    """What a program has failed for: callbacks that took `limit` seconds or more.

    A time for which the kernel ran something else is not theirs.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.count = 0
        self.longest: Stall | None = None

    def note(self, stall: Stall) -> None:
        """One has ended just now."""
        if stall.blocked < self.limit:
            return
        if not self.count:
            # Who is stopped by a signal, as twistd is, would die by it.
            reactor: Any = installed_reactor()
            reactor.addSystemEventTrigger("after", "shutdown", _forget_signal, reactor)
        self.count += 1
        if self.longest is None or stall.blocked > self.longest.blocked:
            self.longest = stall

    def told(self) -> str:
        """A sentence for people, of a program that has."""
        stall = self.longest
        assert stall is not None
        place = blocking_place(stall.stack)
        where = "" if place is None else f" ({place.file}:{place.line})"
        times = "once" if self.count == 1 else f"{self.count} times"
        return (
            f"blocked {times} for {self.limit * 1000:g} ms or more: for "
            f"{stall.seconds * 1000:.0f} ms in {stall.name}{where}"
        )


def _forget_signal(reactor: Any) -> None:
    """Have the program end as it does when it was stopped without a signal."""
    reactor._exitSignal = None
