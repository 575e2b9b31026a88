"""From a host to a connection, by `reactor.connectTCP`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from nbtwisted.client.errors import ConnectFailed, RequestError
from nbtwisted.client.proxies import Proxy

__all__ = ["Opening", "interleaved"]

HEAD_START = 0.25
"""Seconds that an address has before the next is tried beside it: RFC 8305, 5."""


def interleaved(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses, IPv6 and IPv4 by turns, beginning with the first's family.

    So that a family which does not work costs one head start: RFC 8305, 4.
    """
    families: dict[bool, list[str]] = {}
    for address in addresses:
        families.setdefault(":" in address, []).append(address)
    by_turns = chain.from_iterable(zip_longest(*families.values()))
    return tuple(address for address in by_turns if address is not None)


class Opened(Protocol):
    """Whatever is to have a connection: a protocol of Twisted's."""

    @property
    def listener(self) -> Any:
        """Whoever is told by `host_resolved` that there are addresses."""

    def could_not_open(self, error: RequestError | None) -> None:
        """There will be no connection, for this reason."""


class Opening:
    """Opens a connection to that of some addresses which takes it first.

    They are tried one after another, each a quarter of a second after the one before,
    or as soon as that has failed (happy eyeballs). With a `port` None they are paths of
    UNIX sockets.

    The connection is told by `connectionMade`, or by `could_not_open`: with the error
    that `addresses` failed with, or `ConnectFailed`, which says for each address why,
    and whether they are those of a `proxy`.
    """

    def __init__(
        self,
        reactor: Any,
        connection: Opened,
        port: int | None,
        proxy: Proxy | None = None,
    ) -> None:
        self._reactor = reactor
        self._connection = connection
        self._port = port
        self._proxy = proxy
        self._finding: Deferred[Any]
        self._left: list[str] = []
        self._running: set[_Attempt] = set()
        self._next: IDelayedCall | None = None
        self._failures: list[str] = []
        self._is_over = False

    def begin(self, addresses: Deferred[tuple[str, ...]]) -> None:
        """Try the addresses, as soon as they are found."""
        self._finding = addresses
        addresses.addCallbacks(self._found, self._not_found)

    def _found(self, addresses: Sequence[str]) -> None:
        listener = self._connection.listener
        assert listener is not None
        listener.host_resolved()
        self._left = list(addresses)
        self._try_next()

    def _not_found(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            error = failure.value
            assert isinstance(error, RequestError), error
            self._connection.could_not_open(error)

    def _try_next(self) -> None:
        self._next = None
        if self._left:
            place = self._left.pop(0)
            if self._left:
                self._next = self._reactor.callLater(HEAD_START, self._try_next)
            attempt = _Attempt(self, place)
            self._running.add(attempt)
            # No timer of the reactor's own: the caller has a deadline for all of it.
            try:
                if self._port is None:
                    self._reactor.connectUNIX(place, attempt, timeout=None)
                else:
                    self._reactor.connectTCP(place, self._port, attempt, timeout=None)
            # Twisted reports most, and raises some: no descriptor for a UNIX socket.
            except OSError as error:
                self.lose(attempt, error.strerror or str(error))
        elif not self._running:
            self._connection.could_not_open(self._failed())

    def _failed(self) -> ConnectFailed:
        reasons = "; ".join(self._failures)
        if self._proxy is None:
            return ConnectFailed(reasons)
        failed = ConnectFailed(f"the proxy {self._proxy}: {reasons}")
        failed.phase = "proxy"
        return failed

    def win(self, attempt: _Attempt) -> Opened | None:
        """An attempt has a connection; returns who is to speak on it, if anybody."""
        if self._is_over:
            return None
        self._running.discard(attempt)
        self.stop()
        return self._connection

    def lose(self, attempt: _Attempt, reason: str) -> None:
        """An attempt has failed."""
        self._running.discard(attempt)
        if self._is_over:
            return
        place = attempt.place
        where = place if self._port is None else f"{place} port {self._port}"
        self._failures.append(f"{where}: {reason}")
        if self._next is not None:
            self._next.cancel()
        self._try_next()

    def stop(self) -> None:
        """Stop what is under way."""
        self._is_over = True
        self._finding.cancel()
        if self._next is not None:
            self._next.cancel()
        for attempt in list(self._running):
            attempt.give_up()


class _Attempt(ClientFactory):
    """An attempt at one address."""

    noisy = False

    def __init__(self, opening: Opening, place: str) -> None:
        self.place = place
        self._opening: Opening | None = opening
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

    def _let_go(self) -> Opening:
        """Forget what knows this: all that is left of it goes at once, then."""
        opening, self._opening, self._connector = self._opening, None, None
        assert opening is not None, "it had an end already"
        return opening

    def give_up(self) -> None:
        """Stop."""
        assert self._connector is not None, "given up before it was begun"
        self._connector.stopConnecting()


def _cause(error: BaseException | None) -> str:
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return os.strerror(error.osError)
    # Such as when the process ends; Twisted's text for it is a page long.
    return type(error).__name__
