"""A deadline that is fair to answers which arrived in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from nbtwisted.client.connection.protocol import nothing

__all__ = ["Deadline"]


class Deadline:
    """Calls `expire` when `seconds` have passed, unless it is ended before.

    `blocked` reads the seconds in which the process could not read, since whenever:
    those that pass meanwhile do not count. Asked for only when the time is over, they
    cost nothing for each of ten thousand.

    The reactor runs timers before it reads. When the process could not run for a while
    (it was stopped, or blocked by a slow reader of its output), a deadline may find an
    answer in the kernel that nobody has taken yet: so it lets one more turn read first.
    """

    def __init__(
        self,
        reactor: Any,
        seconds: float,
        expire: Callable[[], None],
        blocked: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._expire = expire
        self._blocked = blocked
        self._blocked_before = blocked()
        self._call: IDelayedCall = reactor.callLater(seconds, self._on_time)

    def end(self) -> None:
        """Do not expire any more."""
        # Who is told knows this: a cycle, if it stayed.
        self._expire = nothing
        if self._call.active():
            self._call.cancel()

    def _on_time(self) -> None:
        blocked = self._blocked()
        uncounted, self._blocked_before = blocked - self._blocked_before, blocked
        if uncounted > 0:
            self._call = self._reactor.callLater(uncounted, self._on_time)
        else:
            self._call = self._reactor.callLater(0, self._expire)
