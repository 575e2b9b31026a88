"""Sends GETs that have their deadlines, limits and connections in common."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypedDict

from twisted.internet.defer import Deferred
from typing_extensions import Unpack

from nbtwisted import steady_clock
from nbtwisted.client.connection.pool import Connections, TLSOptions
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.request.deadline import Deadline
from nbtwisted.client.request.request import Request
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.response import Answer
from nbtwisted.client.target import Headers, Origin, check_header

__all__ = ["DEFAULT_MAX_TIME", "Getter", "How", "TLSOptions", "get"]

DEFAULT_MAX_TIME = 30.0
"""Seconds that a request may take in all, unless it is told otherwise."""


class How(TypedDict, total=False):
    """How to send a GET: what `Getter`, `get` and `get_all` take."""

    max_time: float
    connect_timeout: float | None
    first_byte_timeout: float | None
    limits: Limits | None
    headers: Headers
    max_redirects: int | None
    retries: Retries | None
    tls: TLSOptions | None
    overrides: Mapping[tuple[str, int], Sequence[str]]
    unix_socket: str | None
    family: Literal[4, 6] | None


class Getter:
    """Sends GETs with the same deadlines and limits.

    `max_time` is the seconds that a request may take in all, its redirects, retries and
    the waits between them included, from the moment it leaves the queue.
    `connect_timeout` and `first_byte_timeout` are counted from the beginning of an
    attempt; the former bounds look-up, connecting and the TLS handshake together, as
    curl's does.

    `headers` are sent with each request, in place of ours. At most `max_redirects` are
    followed, and none at all if that is None. `tls`, `overrides`, `unix_socket` and
    `family` are as `Connections` has them, of which no more than `connections` are
    open at once, if those who call this have no more requests under way. They are kept
    for requests to come if there are `more_to_come`: `close` ends those.

    `resolver` finds addresses, and `now` reads the seconds of the timing. `wall_clock`
    reads Unix time, for the dates that servers send. `draw` gives numbers from 0 to 1
    for what is left to chance.

    Raises `ValueError` for numbers that make no sense, headers that are none, and files
    of `tls` that hold something else; `OSError` for those that cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        max_time: float = DEFAULT_MAX_TIME,
        connect_timeout: float | None = None,
        first_byte_timeout: float | None = None,
        limits: Limits | None = None,
        headers: Headers = (),
        max_redirects: int | None = None,
        retries: Retries | None = None,
        tls: TLSOptions | None = None,
        overrides: Mapping[tuple[str, int], Sequence[str]] | None = None,
        unix_socket: str | None = None,
        family: Literal[4, 6] | None = None,
        connections: int = 1,
        more_to_come: bool = False,
        resolver: Resolver | None = None,
        now: Callable[[], float] = steady_clock.now,
        wall_clock: Callable[[], float] = time.time,
        draw: Callable[[], float] = random.random,
    ) -> None:
        for seconds in (max_time, connect_timeout, first_byte_timeout):
            if seconds is not None and not 0 < seconds < math.inf:
                raise ValueError(f"{seconds!r} seconds: expected a time above 0")
        if max_redirects is not None and max_redirects < 0:
            raise ValueError(f"{max_redirects} redirects: expected 0 or more, or None")
        for name, value in headers:
            try:
                check_header(name, value)
            except ValueError as error:
                raise ValueError(f"header {name!r}: {error}") from None
        self.reactor = reactor
        self.max_time = max_time
        self.connect_timeout = connect_timeout
        self.first_byte_timeout = first_byte_timeout
        self.limits = limits or Limits()
        self.headers = headers
        self.max_redirects = max_redirects
        self.retries = retries or Retries()
        self.keeps_alive = bool(more_to_come or max_redirects or self.retries.number)
        self.now = now
        self.wall_clock = wall_clock
        self.draw = draw
        self.connections = Connections(
            reactor,
            most=connections,
            tls=tls,
            overrides=overrides or {},
            unix_socket=unix_socket,
            family=family,
            resolver=resolver,
            now=now,
        )
        self._blocked = 0.0

    def get(self, url: str) -> Deferred[Answer]:
        """Send one GET, as `request` has it."""
        return self.request(url).start()

    def request(
        self,
        url: str,
        *,
        queued_at: float | None = None,
        move: Callable[[Origin], Deferred[None]] | None = None,
    ) -> Request:
        """A GET to be started; `queued_at` is when it was asked for, as `now` has it.

        Its Deferred fires with the answer, whatever its status, or fails with a
        `RequestError`; its connection and its timers are gone by then, but for a
        connection that is kept. Cancelled, it is `Interrupted`. Before a redirect leads
        to another place, `move` is called with that, and waited for.
        """
        return Request(self, url, queued_at, move)

    def close(self) -> Deferred[None]:
        """Close the connections that were kept; fires when they are gone."""
        return self.connections.close()

    def postpone_deadlines(self, seconds: float) -> None:
        """Do not count some seconds in which this process could not read.

        For who blocks the reactor, by writing to a slow terminal for instance: an
        answer that arrived in time, but could not be taken, is not too late.
        """
        self._blocked += seconds

    @contextmanager
    def deadline(
        self, seconds: float, expire: Callable[[], None]
    ) -> Iterator[Callable[[], None]]:
        """Within this block, call `expire` when the seconds have passed.

        Unless the function is called that the block is given.
        """
        deadline = Deadline(self.reactor, seconds, expire, lambda: self._blocked)
        try:
            yield deadline.end
        finally:
            deadline.end()


def get(url: str, *, reactor: Any, **how: Unpack[How]) -> Deferred[Answer]:
    """Send one GET to `url`, as `Getter` has it.

    Fires with the `Answer`, whatever its status, or fails with a `RequestError` that
    names the phase; its connection and its timers are gone by then. Cancelling it ends
    the request, as `Interrupted`.
    """
    getter = Getter(reactor, **how)
    answered = getter.get(url)
    if not getter.keeps_alive:
        return answered
    return answered.addBoth(lambda result: getter.close().addCallback(lambda _: result))
