"""Connections: opened as they are needed, and kept for the next request to there."""

from __future__ import annotations

import os
import select
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from nbtwisted.client.connection.opening import Opening, interleaved
from nbtwisted.client.connection.protocol import Connection, Listener, State
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.connection.tunnel import Connect, Socks
from nbtwisted.client.errors import NameNotResolved, ProxyNotResolved
from nbtwisted.client.proxies import Proxies, Proxy, Route
from nbtwisted.client.target import Origin
from nbtwisted.printable import printable

if TYPE_CHECKING:
    from nbtwisted.client.connection.tls import TLS, Handshake

__all__ = ["EVERY_HOST", "Pool", "TLSOptions", "socket_path"]

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


class Pool:
    """Opens connections, and keeps those that are free if they are to be kept alive.

    No more are kept than make `most` together with those in use, and no more than
    `most_idle` if that is given. `overrides` gives
    hosts and ports the addresses that they are to have; the host `*` is each that is
    not among them. `unix_socket` is the path of a socket to connect to in place of any
    host, and `family` 4 or 6 to use addresses of one kind only. `tls` is whom to trust
    and whom to be, and `limits` what a response may have. `proxies` are gone through,
    but for a UNIX socket.

    Raises `ValueError` for files of `tls` that hold something else, and for a path that
    is too long for a socket; `OSError` for files that cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        limits: Limits,
        keeps_alive: bool,
        most: int,
        most_idle: int | None = None,
        tls: TLSOptions | None = None,
        overrides: Mapping[tuple[str, int], Sequence[str]] | None = None,
        unix_socket: str | None = None,
        family: Literal[4, 6] | None = None,
        proxies: Proxies | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._reactor = reactor
        self._limits = limits
        self._keeps_alive = keeps_alive
        self._most = most
        self._most_idle = most_idle
        self._overrides = overrides or {}
        self._unix_socket = unix_socket and socket_path(unix_socket)
        self._resolver = resolver or Resolver(reactor, family=family)
        self._family = family
        self._proxies = proxies if unix_socket is None else None
        self._in_use: dict[Connection, Route] = {}
        # The one that was used last comes last, in both.
        self._idle: OrderedDict[Connection, Route] = OrderedDict()
        self._idle_at: dict[Route, list[Connection]] = {}
        # Those that make room, with what waits for it.
        self._leaving: dict[Connection, Deferred[None] | None] = {}
        self._closed: Deferred[None] | None = None
        self._tls_options = tls or {}
        self._tls: TLS | None = None
        if tls is not None:
            # What is wrong with a file is told before anything is sent.
            self._handshake("")

    def route(self, origin: Origin) -> Route:
        """The way to there: directly, or through a proxy."""
        if self._proxies is None:
            return Route(origin, None)
        return self._proxies.route(origin)

    def take(self, route: Route, listener: Listener) -> Connection | None:
        """A free connection that goes there, for the listener, if there is one."""
        while route in self._idle_at:
            # Of the one used last the server is the least likely to have tired.
            connection = self._idle_at[route][-1]
            self._forget(connection)
            # Unless it is closing, because the server has said something on it, or is
            # about to, for something has arrived.
            if connection.state is not State.IDLE:
                self._leaving[connection] = None
            elif _has_arrived(connection):
                self._leave(connection)
            else:
                self._in_use[connection] = route
                connection.listener = listener
                return connection
        return None

    def new(self, route: Route, listener: Listener) -> Connection:
        """A connection for the listener; it is to be opened by `open`."""
        origin, proxy = route
        connection = Connection(
            self._reactor,
            self,
            listener,
            ResponseReader(self._limits),
            self._handshake(origin.host) if origin and origin.is_tls else None,
            keeps_alive=self._keeps_alive,
        )
        if proxy is not None and origin is not None:
            if proxy.kind == "http":
                connection.tunnel = Connect(proxy, origin, self._limits)
            else:
                connection.tunnel = Socks(proxy, origin.host, origin.port)
        self._in_use[connection] = route
        return connection

    def open(self, connection: Connection) -> None:
        """Open a new connection, as soon as there is room for one more."""
        origin, proxy = route = self._in_use[connection]
        place = proxy or origin
        assert place is not None, "neither a proxy nor an origin"
        port = place.port if self._unix_socket is None else None
        connection.opening = opening = Opening(self._reactor, connection, port, proxy)
        if self._idle and len(self._idle) + len(self._in_use) > self._most:
            oldest = next(iter(self._idle))
            self._forget(oldest)
            # Its descriptor is there until it is gone.
            has_room: Deferred[None] = Deferred()
            self._leave(oldest, has_room)
            found: Any = has_room.addCallback(lambda _: self._found(connection, route))
            opening.begin(found)
        else:
            opening.begin(self._found(connection, route))

    def close(self) -> Deferred[None]:
        """Close those that are kept; fires when they are gone."""
        for connection in list(self._idle):
            self._forget(connection)
            self._leave(connection)
        if not self._leaving:
            return succeed(None)
        # Nothing is won by not waiting for them.
        self._closed = Deferred(lambda closed: closed.callback(None))
        return self._closed

    def connection_free(self, connection: Connection) -> None:
        """Keep it for the next request to there."""
        route = self._in_use.pop(connection)
        self._idle[connection] = route
        self._idle_at.setdefault(route, []).append(connection)
        if self._most_idle is not None and len(self._idle) > self._most_idle:
            oldest = next(iter(self._idle))
            self._forget(oldest)
            self._leave(oldest)

    def connection_gone(self, connection: Connection) -> None:
        """Forget it."""
        if self._in_use.pop(connection, None) is not None:
            return
        if connection in self._idle:
            self._forget(connection)
            return
        has_room = self._leaving.pop(connection)
        if has_room is not None:
            has_room.callback(None)
        closed = self._closed
        if closed is not None and not self._leaving and not closed.called:
            closed.callback(None)

    def _forget(self, connection: Connection) -> None:
        route = self._idle.pop(connection)
        idle = self._idle_at[route]
        # It is looked for from the front, and is the last most often.
        if idle[-1] is connection:
            idle.pop()
        else:
            idle.remove(connection)
        if not idle:
            del self._idle_at[route]

    def _leave(
        self, connection: Connection, has_room: Deferred[None] | None = None
    ) -> None:
        self._leaving[connection] = has_room
        connection.abort()

    def _handshake(self, host: str) -> Handshake:
        if self._tls is None:
            from nbtwisted.client.connection.tls import TLS  # 60 ms, with OpenSSL

            self._tls = TLS(**self._tls_options)
        return self._tls.handshake(host)

    def _found(self, connection: Connection, route: Route) -> Deferred[tuple[str, ...]]:
        """Where to connect; fails with `NameNotResolved` or `ProxyNotResolved`."""
        origin, proxy = route
        if self._unix_socket is not None:
            return succeed((self._unix_socket,))
        if proxy is None:
            assert origin is not None
            return self._addresses(origin)
        if proxy.kind != "socks5":
            return self._addresses_of(proxy)
        assert origin is not None

        def ask_for(addresses: Sequence[str]) -> Deferred[tuple[str, ...]]:
            connection.tunnel = Socks(proxy, addresses[0], origin.port)
            return self._addresses_of(proxy)

        return self._addresses(origin).addCallback(ask_for)

    def _addresses_of(self, proxy: Proxy) -> Deferred[tuple[str, ...]]:
        found = self._addresses(proxy)

        def not_found(failure: Failure) -> Any:
            if failure.check(NameNotResolved):
                return fail(ProxyNotResolved(f"the proxy: {failure.value}"))
            return failure

        return found.addErrback(not_found)

    def _addresses(self, place: Origin | Proxy) -> Deferred[tuple[str, ...]]:
        for host in (place.host, EVERY_HOST):
            addresses = self._overrides.get((host, place.port))
            if addresses is not None:
                return self._of_family(place.host, addresses)
        return self._resolver.resolve(place.host).addCallback(interleaved)

    def _of_family(
        self, host: str, addresses: Sequence[str]
    ) -> Deferred[tuple[str, ...]]:
        is_wanted = {None: "", 4: ".", 6: ":"}[self._family]
        wanted = tuple(address for address in addresses if is_wanted in address)
        if wanted:
            return succeed(interleaved(wanted))
        given = printable(", ".join(addresses), longest=100)
        return fail(
            NameNotResolved(
                f"{host}: expected an IPv{self._family} address, and not {given}"
            )
        )


_ARRIVED = select.POLLIN | select.POLLHUP | select.POLLERR


def _has_arrived(connection: Connection) -> bool:
    """Whether there is something to read, which nobody can have asked for.

    What was said in a time in which this process could not read would be taken for the
    next response otherwise; and a connection that is closed need not be tried.
    """
    assert connection.fileno is not None
    poller = select.poll()
    poller.register(connection.fileno, select.POLLIN)
    events = poller.poll(0)
    return bool(events) and bool(events[0][1] & _ARRIVED)
