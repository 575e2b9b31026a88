"""Sends requests that have their deadlines, limits and connections in common."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from twisted.internet.defer import Deferred
from typing_extensions import Unpack

from nbtwisted import steady_clock
from nbtwisted.client.connection.pool import Pool, TLSOptions
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.content_coding import find_codings
from nbtwisted.client.errors import BadJob
from nbtwisted.client.header import Headers, check_header, merged
from nbtwisted.client.job import Job
from nbtwisted.client.proxies import Proxies
from nbtwisted.client.request.deadlines import Deadlines
from nbtwisted.client.request.ending import Ending
from nbtwisted.client.request.pacing import Pacing
from nbtwisted.client.request.request import Ask, Request
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.request.turns import Turns
from nbtwisted.client.result import Response, Result

__all__ = ["DEFAULT_MAX_TIME", "Getter", "How", "TLSOptions", "get", "tell"]

DEFAULT_MAX_TIME = 30.0
"""Seconds that a request may take in all, unless it is told otherwise."""


class How(TypedDict, total=False):
    """How to send requests: what `Getter`, `get` and `get_all` take."""

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
    proxies: Proxies | None
    rate: float | None
    rate_per_host: float | None
    compressed: bool


class Getter:
    """Sends requests with the same deadlines and limits.

    `max_time` is the seconds that a request may take in all, its redirects, retries and
    the waits between them included, from the moment it leaves the queue; a `Job` may
    have its own.
    `connect_timeout` and `first_byte_timeout` are counted from the beginning of an
    attempt; the former bounds look-up, connecting and the TLS handshake together, as
    curl's does.

    `headers` are sent with each request, in place of ours; a `Job` may have its own in
    place of these. At most `max_redirects` are followed, and none at all if that is
    None. `tls`, `overrides`, `unix_socket`, `family` and `proxies` are as `Pool` has
    them, of whose connections no more than `connections` are open at once, if those who
    call this have no more requests under way. They are kept for requests to come if
    there are `more_to_come`: `close` ends those.

    At most `rate` requests a second begin, and `rate_per_host` at one origin: first
    attempts, retries and redirects. `pacing` is all that may hold them; a request alone
    waits for it, too, before each attempt but the first.

    With `compressed`, responses are asked for in each content coding that there is a
    library for, and their bodies unpacked. `limits` bounds both what comes and what it
    unpacks to.

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
        proxies: Proxies | None = None,
        rate: float | None = None,
        rate_per_host: float | None = None,
        compressed: bool = False,
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
        self.headers: Headers = tuple((name, value) for name, value in headers)
        for name, value in self.headers:
            try:
                check_header(name, value)
            except ValueError as error:
                raise ValueError(f"header {name!r}: {error}") from None
        self.codings = find_codings() if compressed else None
        if self.codings is not None:
            ours = [("Accept-Encoding", ", ".join(self.codings))]
            self.headers = merged(ours, self.headers)
        self.reactor = reactor
        self.max_time = max_time
        self.connect_timeout = connect_timeout
        self.first_byte_timeout = first_byte_timeout
        self.limits = limits or Limits()
        self.max_redirects = max_redirects
        self.retries = retries or Retries()
        self.pacing = Pacing(rate, rate_per_host, slows_unasked=self.retries.number > 0)
        self.keeps_alive = bool(more_to_come or max_redirects or self.retries.number)
        self.now = now
        self.wall_clock = wall_clock
        self.draw = draw
        self.pool = Pool(
            reactor,
            limits=self.limits,
            keeps_alive=self.keeps_alive,
            most=connections,
            tls=tls,
            overrides=overrides,
            unix_socket=unix_socket,
            family=family,
            proxies=proxies,
            resolver=resolver,
        )
        self.deadlines = deadlines = Deadlines(reactor)
        self.until_connected = deadlines.lane(
            connect_timeout, Request.expire_connecting
        )
        self.until_first_byte = deadlines.lane(
            first_byte_timeout, Request.expire_waiting
        )
        self.until_end = deadlines.lane(max_time, Request.expire)
        self.turns = Turns(reactor, Request.unpack)

    def get(self, asked: str | Job) -> Deferred[Response]:
        """Send one request: a GET, if that is a URL alone.

        Fires with the `Response`, whatever its status, or fails with a `RequestError`
        that has a `result`; its connection and its timers are gone by then, but for a
        connection that is kept. Cancelled, it is `Interrupted`.
        """
        request = self.request(asked)
        ending: Ending[Response] = Ending(request.cancel)
        request.start(lambda _, result: tell(ending, result))
        return ending.deferred

    def request(
        self,
        asked: str | Job | BadJob,
        *,
        queued_at: float | None = None,
        ask: Ask | None = None,
    ) -> Request:
        """One to be started; `queued_at` is when it was asked for, as `now` has it.

        Before it is tried again or follows a redirect, `ask` is called with the request
        and where to, and returns whether it may go on at once. If not, its `take_turn`
        is called when it may.
        """
        job = Job(asked) if isinstance(asked, str) else asked
        return Request(self, job, queued_at, ask)

    def close(self) -> Deferred[None]:
        """Close the connections that were kept; fires when they are gone."""
        return self.pool.close()


def tell(waiting: Deferred[Response] | Ending[Response], result: Result) -> None:
    """Fire a Deferred with the response, or with the error that has the result."""
    error = result.error
    if error is None:
        response = result.response
        assert response is not None, "neither an error nor a response"
        waiting.callback(response)
    else:
        error.result = result
        waiting.errback(error)


def get(asked: str | Job, *, reactor: Any, **how: Unpack[How]) -> Deferred[Response]:
    """Send one request, as `Getter` has it: a GET, if that is a URL alone.

    Fires with the `Response`, whatever its status, or fails with a `RequestError` that
    names the phase; its connection and its timers are gone by then. Cancelling it ends
    the request, as `Interrupted`.
    """
    getter = Getter(reactor, **how)
    ended = getter.get(asked)
    if not getter.keeps_alive:
        return ended
    return ended.addBoth(lambda result: getter.close().addCallback(lambda _: result))
