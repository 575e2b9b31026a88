"""One request, from leaving the queue to its end: phases, deadlines, timing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, TypedDict

from twisted.internet.defer import CancelledError, Deferred, succeed
from typing_extensions import Unpack

from nbtwisted import steady_clock
from nbtwisted.client.answer import Answer, Timing
from nbtwisted.client.connecting import connect, connect_unix, interleaved
from nbtwisted.client.deadline import Deadline
from nbtwisted.client.errors import (
    ConnectTimeout,
    DeadlinePassed,
    FirstByteTimeout,
    Interrupted,
    RequestError,
)
from nbtwisted.client.parser import Limits
from nbtwisted.client.protocol import GetProtocol
from nbtwisted.client.resolving import Resolver
from nbtwisted.client.target import Headers, Target, shown
from nbtwisted.client.tls import TLS, Handshake
from nbtwisted.duration import print_duration

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
    tls: TLSOptions | None
    overrides: Mapping[tuple[str, int], Sequence[str]]
    unix_socket: str | None
    family: Literal[4, 6] | None


class TLSOptions(TypedDict, total=False):
    """Whom to trust and whom to be, in TLS: as `nbtwisted.client.tls.TLS` takes it."""

    verify: bool
    authorities: str | None
    certificate: str | None
    key: str | None


class Getter:
    """Sends GETs with the same deadlines and limits.

    `max_time`, `connect_timeout` and `first_byte_timeout` are seconds from the moment a
    request leaves the queue; `connect_timeout` bounds look-up, connecting and the TLS
    handshake together, as curl's does. `headers` are sent with each request, in place
    of ours. `overrides` gives hosts and ports the addresses that they are to have.
    `unix_socket` is the path of a socket to connect to in place of any host, and
    `family` 4 or 6 to use addresses of one kind only. `tls` is whom to trust and whom
    to be.

    `resolver` finds addresses, and `now` reads the seconds of the timing.

    Raises `ValueError` for seconds that are not above 0, and for files of `tls` that
    hold something else; `OSError` for those that cannot be read.
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
        tls: TLSOptions | None = None,
        overrides: Mapping[tuple[str, int], Sequence[str]] | None = None,
        unix_socket: str | None = None,
        family: Literal[4, 6] | None = None,
        resolver: Resolver | None = None,
        now: Callable[[], float] = steady_clock.now,
    ) -> None:
        for seconds in (max_time, connect_timeout, first_byte_timeout):
            if seconds is not None and not 0 < seconds < math.inf:
                raise ValueError(f"{seconds!r} seconds: expected a time above 0")
        self.reactor = reactor
        self._deadlines: set[Deadline] = set()
        self.max_time = max_time
        self.connect_timeout = connect_timeout
        self.first_byte_timeout = first_byte_timeout
        self.limits = limits or Limits()
        self.headers = headers
        self.unix_socket = unix_socket
        self.resolver = resolver or Resolver(reactor, family=family)
        self.now = now
        self._overrides = overrides or {}
        self._tls_options = tls or {}
        self._tls: TLS | None = None
        if tls is not None:
            # What is wrong with a file is told before anything is sent.
            self._tls = TLS(**self._tls_options)

    def handshake(self, host: str) -> Handshake:
        """What begins TLS with a host."""
        if self._tls is None:
            self._tls = TLS(**self._tls_options)
        return self._tls.handshake(host)

    def addresses(self, target: Target) -> Deferred[tuple[str, ...]]:
        """Where to connect; fails with `NameNotResolved`."""
        override = self._overrides.get((target.host, target.port))
        if override is not None:
            return succeed(tuple(override))
        return self.resolver.resolve(target.host)

    def get(self, url: str, *, queued_at: float | None = None) -> Deferred[Answer]:
        """Send one GET; `queued_at` is the reading of `now` when it was asked for.

        Fires with the answer, whatever its status, or fails with a `RequestError`; its
        connection and its timers are gone by then. Cancelled, it is `Interrupted`.
        """
        return _Request(self, url, queued_at).start()

    def postpone_deadlines(self, seconds: float) -> None:
        """Do not count some seconds in which this process could not read.

        For who blocks the reactor, by writing to a slow terminal for instance: an
        answer that arrived in time, but could not be taken, is not too late.
        """
        for deadline in self._deadlines:
            deadline.postpone(seconds)

    @contextmanager
    def deadline(
        self, seconds: float, expire: Callable[[], None]
    ) -> Iterator[Callable[[], None]]:
        """Within this block, call `expire` when the seconds have passed.

        Unless the function is called that the block is given.
        """
        deadline = Deadline(self.reactor, seconds, expire)
        self._deadlines.add(deadline)
        try:
            yield deadline.end
        finally:
            self._deadlines.remove(deadline)
            deadline.end()


def get(url: str, *, reactor: Any, **how: Unpack[How]) -> Deferred[Answer]:
    """Send one GET to `url`, as `Getter` has it.

    Fires with the `Answer`, whatever its status, or fails with a `RequestError` that
    names the phase; its connection and its timers are gone by then. Cancelling it ends
    the request, as `Interrupted`.
    """
    return Getter(reactor, **how).get(url)


class _Request:
    """One request under way."""

    def __init__(self, getter: Getter, url: str, queued_at: float | None) -> None:
        self._getter = getter
        self._started = getter.now()
        self._queued = 0.0 if queued_at is None else self._started - queued_at
        self._url = url
        self._resolved_at: float | None = None
        self._protocol: GetProtocol | None = None
        self._expired: RequestError | None = None
        self._running: Deferred[Answer] | None = None

    def start(self) -> Deferred[Answer]:
        self._running = Deferred.fromCoroutine(self._run())
        return self._running

    async def _run(self) -> Answer:
        try:
            with self._deadline(DeadlinePassed, self._getter.max_time):
                return await self._ask()
        except RequestError as error:
            raise self._described(error) from None
        except CancelledError:
            ended_by = self._expired or Interrupted(f"cancelled while {self._doing()}")
            raise self._described(ended_by) from None

    async def _ask(self) -> Answer:
        getter = self._getter
        target = Target.parse(self._url, getter.headers)
        self._url = target.url
        handshake = getter.handshake(target.host) if target.is_tls else None
        protocol = GetProtocol(target.request, getter.limits, getter.now, handshake)
        self._protocol = protocol
        with (
            self._deadline(ConnectTimeout, getter.connect_timeout) as is_connected,
            self._deadline(FirstByteTimeout, getter.first_byte_timeout) as has_begun,
        ):
            protocol.on_ready = is_connected
            protocol.on_first_byte = has_begun
            await self._connect(target, protocol)
            await self._end_of(protocol)
        if protocol.error is not None:
            raise protocol.error
        assert protocol.parser.head is not None, "neither an error nor an answer"
        return Answer(
            url=self._url,
            fileno=protocol.fileno,
            head=protocol.parser.head,
            raw=protocol.parser.raw,
            body=protocol.parser.body,
            timing=self._timing(ended=protocol.last_byte_at),
        )

    async def _end_of(self, protocol: GetProtocol) -> None:
        """Wait until the connection is gone."""
        try:
            await protocol.when_closed()
        except CancelledError:
            protocol.abort()
            try:
                await protocol.when_closed()
            except CancelledError:
                # The deadline cancels once: this one is the caller's.
                self._expired = None
                raise
            # An answer that became whole in the very turn of its deadline counts.
            if self._expired is None or not protocol.whole:
                raise

    async def _connect(self, target: Target, protocol: GetProtocol) -> None:
        getter = self._getter
        if getter.unix_socket is not None:
            self._resolved_at = getter.now()
            await connect_unix(getter.reactor, getter.unix_socket, protocol)
        else:
            addresses = interleaved(await getter.addresses(target))
            self._resolved_at = getter.now()
            await connect(getter.reactor, addresses, target.port, protocol)

    def _deadline(
        self, error: type[RequestError], seconds: float | None
    ) -> AbstractContextManager[Callable[[], None]]:
        if seconds is None:
            return nullcontext(lambda: None)

        def expire() -> None:
            self._expired = error(
                f"{print_duration(seconds)} s passed while {self._doing()}"
            )
            assert self._running is not None, "a timer ran before the request did"
            self._running.cancel()

        return self._getter.deadline(seconds, expire)

    def _doing(self) -> str:
        protocol = self._protocol
        if protocol is None or self._resolved_at is None:
            return "looking up the host"
        if protocol.connected_at is None:
            return "connecting"
        if not protocol.is_ready:
            return "shaking hands in TLS"
        if protocol.first_byte_at is not None:
            return "receiving the answer"
        if protocol.sent_at is None:
            return "sending the request"
        return "waiting for the first byte"

    def _described(self, error: RequestError) -> RequestError:
        """Write into an error what is known of the request that it ended."""
        error.url = self._url if self._protocol is not None else shown(self._url)
        error.timing = self._timing(ended=None)
        if self._protocol is not None:
            error.fileno = self._protocol.fileno
            error.received = self._protocol.parser.raw
        return error

    def _timing(self, ended: float | None) -> Timing:
        if ended is None:
            ended = self._getter.now()
        protocol = self._protocol
        connected_at = secured_at = sent_at = first_byte_at = None
        if protocol is not None:
            connected_at = protocol.connected_at
            secured_at = protocol.secured_at
            first_byte_at = protocol.first_byte_at
            # An answer may begin before all of the request was taken.
            sent_at = first_byte_at if protocol.sent_at is None else protocol.sent_at
        return Timing(
            started=self._started,
            queued=self._queued,
            dns=_between(self._started, self._resolved_at),
            connect=_between(self._resolved_at, connected_at),
            tls=_between(connected_at, secured_at),
            wait=_between(sent_at, first_byte_at),
            receive=_between(first_byte_at, ended),
            total=ended - self._started,
        )


def _between(begin: float | None, end: float | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, end - begin)
