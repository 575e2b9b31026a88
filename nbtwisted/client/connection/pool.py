"""Connections: opened as they are needed, and kept for the next request to there."""

from __future__ import annotations

import os
import select
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, succeed

from nbtwisted.client.connection.connecting import connect, connect_unix, interleaved
from nbtwisted.client.connection.protocol import Connection, nothing
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.errors import NameNotResolved
from nbtwisted.client.target import Origin, Target
from nbtwisted.printable import printable

if TYPE_CHECKING:
    from nbtwisted.client.connection.tls import TLS

__all__ = ["EVERY_HOST", "Connections", "TLSOptions", "socket_path"]

EVERY_HOST = "*"
"""In the place of a host that is to have addresses, as in curl."""

LONGEST_UNIX_PATH = 107
"""Bytes, in Linux' `sockaddr_un` with the zero behind them: unix(7)."""


def socket_path(path: str) -> str:
    """The path, if a UNIX socket can have it; else raises `ValueError`."""
    if not 0 < len(os.fsencode(path)) <= LONGEST_UNIX_PATH:
        raise ValueError(f"expected a path of 1 to {LONGEST_UNIX_PATH} bytes")
    return path


class TLSOptions(TypedDict, total=False):
    """Whom to trust and whom to be, in TLS: as `TLS` takes it."""

    verify: bool
    authorities: str | None
    certificate: str | None
    key: str | None


class Connections:
    """Opens connections, and keeps those that are free.

    No more are kept than make `most` together with those in use. `overrides` gives
    hosts and ports the addresses that they are to have; the host `*` is each that is
    not among them. `unix_socket` is the path of a
    socket to connect to in place of any host, and `family` 4 or 6 to use addresses of
    one kind only. `tls` is whom to trust and whom to be.

    Raises `ValueError` for files of `tls` that hold something else, and for a path that
    is too long for a socket; `OSError` for files that cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        most: int,
        tls: TLSOptions | None,
        overrides: Mapping[tuple[str, int], Sequence[str]],
        unix_socket: str | None,
        family: Literal[4, 6] | None,
        resolver: Resolver | None,
        now: Callable[[], float],
    ) -> None:
        self.most = most
        self._reactor = reactor
        self._overrides = overrides
        self._unix_socket = unix_socket and socket_path(unix_socket)
        self._resolver = resolver or Resolver(reactor, family=family)
        self._family = family
        self._now = now
        # The one that was used last comes last.
        self._free: OrderedDict[Connection, Origin] = OrderedDict()
        self._free_of: dict[Origin, list[Connection]] = {}
        self._in_use = 0
        self._tls_options = tls or {}
        self._tls: TLS | None = None
        if tls is not None:
            # What is wrong with a file is told before anything is sent.
            self._load_tls()

    def reuse(self, target: Target) -> Connection | None:
        """Take a free connection to there, if there is one."""
        while target.origin in self._free_of:
            # Of the one used last the server is the least likely to have tired.
            connection = self._free_of[target.origin][-1]
            self._forget(connection)
            # Unless it is closing, because the server has said something on it, or is
            # about to, for something has arrived.
            if connection.is_free and not _has_arrived(connection):
                self._in_use += 1
                return connection
            if connection.is_free:
                connection.abort()
        return None

    async def new(self, target: Target) -> Connection:
        """Wait until there is room for a connection, which `connect` is to open."""
        self._in_use += 1
        try:
            while self._free and len(self._free) + self._in_use > self.most:
                oldest = next(iter(self._free))
                self._forget(oldest)
                oldest.abort()
                # Its descriptor is there until it is gone.
                await oldest.when_over()
        except CancelledError:
            self._in_use -= 1
            raise
        handshake = None
        if target.is_tls:
            tls = self._tls or self._load_tls()
            handshake = tls.handshake(target.host)
        return Connection(self._now, handshake)

    def _load_tls(self) -> TLS:
        from nbtwisted.client.connection.tls import TLS  # 60 ms, with OpenSSL

        self._tls = TLS(**self._tls_options)
        return self._tls

    def addresses(self, target: Target) -> Deferred[tuple[str, ...]]:
        """Where to connect; fails with `NameNotResolved`."""
        if self._unix_socket is not None:
            return succeed(())
        for host in (target.host, EVERY_HOST):
            addresses = self._overrides.get((host, target.port))
            if addresses is not None:
                return self._of_family(target.host, addresses)
        return self._resolver.resolve(target.host)

    def _of_family(
        self, host: str, addresses: Sequence[str]
    ) -> Deferred[tuple[str, ...]]:
        is_wanted = {None: "", 4: ".", 6: ":"}[self._family]
        wanted = tuple(address for address in addresses if is_wanted in address)
        if wanted:
            return succeed(wanted)
        given = printable(", ".join(addresses), longest=100)
        return fail(
            NameNotResolved(
                f"{host}: expected an IPv{self._family} address, and not {given}"
            )
        )

    def connect(
        self, connection: Connection, target: Target, addresses: Sequence[str]
    ) -> Deferred[None]:
        """Connect to one of the target's `addresses`; fails with `ConnectFailed`."""
        if self._unix_socket is not None:
            return connect_unix(self._reactor, self._unix_socket, connection)
        return connect(self._reactor, interleaved(addresses), target.port, connection)

    def give_back(self, target: Target, connection: Connection) -> None:
        """Be done with a connection: it is kept, if it can be used again."""
        self._in_use -= 1
        if connection.is_free:
            self._free[connection] = target.origin
            self._free_of.setdefault(target.origin, []).append(connection)
            connection.on_gone = lambda: self._forget(connection)

    def close(self) -> Deferred[None]:
        """Close those that are kept; fires when they are gone."""
        gone = []
        for connection in list(self._free):
            self._forget(connection)
            connection.abort()
            gone.append(connection.when_over())
        # Nothing is won by not waiting for them.
        closed: Deferred[None] = Deferred(lambda closed: closed.callback(None))
        DeferredList(gone).addCallback(
            lambda _: None if closed.called else closed.callback(None)
        )
        return closed

    def _forget(self, connection: Connection) -> None:
        origin = self._free.pop(connection)
        connection.on_gone = nothing
        free = self._free_of[origin]
        free.remove(connection)
        if not free:
            del self._free_of[origin]


def _has_arrived(connection: Connection) -> bool:
    """Whether there is something to read, which nobody can have been asked for.

    What was said in a time in which this process could not read would be taken for the
    next answer otherwise; and a connection that is closed need not be tried.
    """
    assert connection.fileno is not None
    poller = select.poll()
    poller.register(connection.fileno, select.POLLIN)
    gone = select.POLLIN | select.POLLHUP | select.POLLERR
    return any(event & gone for _, event in poller.poll(0))
