"""One attempt to reach the upstream, so that a wrong place is told at the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol

from nbtwisted.client.connection.opening import Opening, interleaved
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.errors import RequestError

__all__ = ["probe"]


class _Probe(Protocol):
    """A connection that is closed as soon as it is there."""

    transport: Any

    def __init__(self, complain: Callable[[RequestError], None]) -> None:
        self._complain = complain
        self.listener = self
        """Whoever is told that the host has addresses; an `Opening` wants one."""

    def host_resolved(self) -> None:
        """The host has addresses."""

    def connectionMade(self) -> None:
        """It can be reached."""
        self.transport.loseConnection()

    def could_not_open(self, error: RequestError | None) -> None:
        """It cannot be reached."""
        if error is not None:
            self._complain(error)


def probe(
    reactor: Any, host: str, port: int, complain: Callable[[RequestError], None]
) -> None:
    """Connect once, and call `complain` with the error if that fails."""
    opening = Opening(reactor, _Probe(complain), port)
    opening.begin(Resolver(reactor).resolve(host).addCallback(interleaved))
