"""From addresses to a connection, by `reactor.connectTCP`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from nbtwisted.client.connection.protocol import nothing
from nbtwisted.client.errors import ConnectFailed

__all__ = ["connect", "connect_unix", "interleaved"]

HEAD_START = 0.25
"""Seconds that an address has before the next is tried beside it: RFC 8305, 5."""


class Connects(Protocol):
    """A protocol that tells when it has a connection, which is when it is done."""

    on_connected: Callable[[], None]


def connect(
    reactor: Any, addresses: Sequence[str], port: int, protocol: Connects
) -> Deferred[None]:
    """Connect `protocol` to that of `addresses` which takes it first.

    They are tried one after another, each a quarter of a second after the one before,
    or as soon as that has failed (happy eyeballs). To be cancelled is to stop all
    attempts.

    Fails with `ConnectFailed`, which says for each address why.
    """
    places = [(address, f"{address} port {port}") for address in addresses]

    def begin(place: str, attempt: _Attempt) -> None:
        # No timer of connectTCP's own: who calls this has a deadline for all of it.
        reactor.connectTCP(place, port, attempt, timeout=None)

    return _Race(reactor, places, begin, protocol).connected


def connect_unix(reactor: Any, path: str, protocol: Connects) -> Deferred[None]:
    """Connect `protocol` to a UNIX socket; the rest is as in `connect`."""

    def begin(place: str, attempt: _Attempt) -> None:
        reactor.connectUNIX(place, attempt, timeout=None)

    return _Race(reactor, [(path, path)], begin, protocol).connected


def interleaved(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses, IPv6 and IPv4 by turns, beginning with the first's family.

    So that a family which does not work costs one head start: RFC 8305, 4.
    """
    families: dict[bool, list[str]] = {}
    for address in addresses:
        families.setdefault(":" in address, []).append(address)
    by_turns = chain.from_iterable(zip_longest(*families.values()))
    return tuple(address for address in by_turns if address is not None)


class _Race:
    """Attempts at several places, of which the first that succeeds wins."""

    def __init__(
        self,
        reactor: Any,
        places: Sequence[tuple[str, str]],
        begin: Any,
        protocol: Connects,
    ) -> None:
        self.connected: Deferred[None] = Deferred(lambda _: self._stop())
        self.is_over = False
        self._reactor = reactor
        self._begin = begin
        self._protocol = protocol
        self._left = list(places)
        self._running: set[_Attempt] = set()
        self._next: IDelayedCall | None = None
        self._failures: list[str] = []
        self._try_next()

    def win(self, attempt: _Attempt) -> Any:
        """An attempt has a connection; returns who is to speak on it, if anybody."""
        if self.is_over:
            return None
        self._running.discard(attempt)
        self._stop()
        self._protocol.on_connected = self._end
        return self._protocol

    def _end(self) -> None:
        self._protocol.on_connected = nothing
        self.connected.callback(None)

    def lose(self, attempt: _Attempt, reason: str) -> None:
        """An attempt has failed."""
        self._running.discard(attempt)
        if self.is_over:
            return
        self._failures.append(f"{attempt.shown}: {reason}")
        if self._next is not None:
            self._next.cancel()
        self._try_next()

    def _try_next(self) -> None:
        self._next = None
        if self._left:
            place, shown = self._left.pop(0)
            if self._left:
                self._next = self._reactor.callLater(HEAD_START, self._try_next)
            attempt = _Attempt(self, shown)
            self._running.add(attempt)
            try:
                self._begin(place, attempt)
            # Twisted reports most, and raises some: no descriptor for a UNIX socket.
            except OSError as error:
                self.lose(attempt, error.strerror or str(error))
        elif not self._running:
            self.is_over = True
            self.connected.errback(ConnectFailed("; ".join(self._failures)))

    def _stop(self) -> None:
        self.is_over = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        for attempt in list(self._running):
            attempt.give_up()


class _Attempt(ClientFactory):
    """One attempt at one place."""

    noisy = False

    def __init__(self, race: _Race, shown: str) -> None:
        self.shown = shown
        self._race: _Race | None = race
        self._connector: IConnector | None = None

    def startedConnecting(self, connector: IConnector) -> None:
        """Note what can stop the attempt."""
        self._connector = connector

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """There is a connection."""
        return self._let_go().win(self)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """There is none. To give up is reported like this as well."""
        self._let_go().lose(self, _cause(reason.value))

    def _let_go(self) -> _Race:
        """Forget what knows this: all that is left of it goes at once, then."""
        race, self._race, self._connector = self._race, None, None
        assert race is not None, "it had an end already"
        return race

    def give_up(self) -> None:
        """Stop."""
        assert self._connector is not None, "given up before it was begun"
        self._connector.stopConnecting()


def _cause(error: BaseException | None) -> str:
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return os.strerror(error.osError)
    # Such as when the process ends; Twisted's text for it is a page long.
    return type(error).__name__
