"""One timer that looks after all connections."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Watch", "Watched"]

SECONDS_BETWEEN_LOOKS = 1.0


class Watched(Protocol):
    """A connection with deadlines."""

    def look(self, now: float) -> None:
        """See whether the client is in time; `now` is the reactor's seconds."""


class Watch:
    """Has each connection look at its deadlines, about once a second.

    A timer for each of ten thousand would take 4 MB, and would be set anew for each
    request.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._connections: set[Watched] = set()
        self._timer: IDelayedCall | None = None

    def add(self, connection: Watched) -> None:
        """Look after a connection."""
        self._connections.add(connection)
        if self._timer is None:
            self._timer = self._reactor.callLater(SECONDS_BETWEEN_LOOKS, self._look)

    def discard(self, connection: Watched) -> None:
        """Look after it no longer."""
        self._connections.discard(connection)
        if self._timer is not None and not self._connections:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._reactor.callLater(SECONDS_BETWEEN_LOOKS, self._look)
        now = self._reactor.seconds()
        for connection in list(self._connections):
            connection.look(now)
