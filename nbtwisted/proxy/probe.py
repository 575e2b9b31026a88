"""One attempt to reach the upstream, so that a wrong place is told at the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol

from nbtwisted.client.connection.opening import Opening, interleaved
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.errors import ConnectTimeout, RequestError

__all__ = ["Probe"]


class Probe(Protocol):
    """A connection that is closed as soon as it is there.

    It is tried at once. `complain` is called with the error if there is none in so many
    `seconds`.
    """

    transport: Any

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        *,
        seconds: float,
        complain: Callable[[RequestError], None],
    ) -> None:
        self._seconds = seconds
        self._complain = complain
        self.listener = self
        """Whoever is told that the host has addresses; an `Opening` wants one."""
        self._deadline: IDelayedCall | None = reactor.callLater(seconds, self._too_late)
        self._opening = Opening(reactor, self, port)
        self._opening.begin(Resolver(reactor).resolve(host).addCallback(interleaved))

    def stop(self) -> None:
        """Try no longer."""
        if self._deadline is not None:
            self._end()
            self._opening.stop()

    def host_resolved(self) -> None:
        """The host has addresses."""

    def connectionMade(self) -> None:
        """It can be reached."""
        self._end()
        self.transport.loseConnection()

    def could_not_open(self, error: RequestError | None) -> None:
        """It cannot be reached."""
        self._end()
        if error is not None:
            self._complain(error)

    def _too_late(self) -> None:
        self._deadline = None
        self._opening.stop()
        self._complain(ConnectTimeout(f"no connection within {self._seconds:g} s"))

    def _end(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()
