"""One request, from leaving the queue to its end: phases, deadlines, timing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from nbtwisted import steady_clock
from nbtwisted.client.answer import Answer, Timing
from nbtwisted.client.connecting import connect
from nbtwisted.client.deadline import Deadline
from nbtwisted.client.errors import (
    ConnectTimeout,
    DeadlinePassed,
    Interrupted,
    RequestError,
)
from nbtwisted.client.parser import Limits
from nbtwisted.client.protocol import GetProtocol
from nbtwisted.client.resolving import Resolver
from nbtwisted.client.target import Target, shown
from nbtwisted.duration import print_duration

__all__ = ["DEFAULT_MAX_TIME", "Getter", "get"]

DEFAULT_MAX_TIME = 30.0
"""Seconds that a request may take in all, unless it is told otherwise."""


class Getter:
    """Sends GETs with the same deadlines and limits.

    `max_time` and `connect_timeout` are seconds from the moment a request leaves the
    queue; `connect_timeout` bounds look-up and connecting together, as curl's does.
    `resolver` finds addresses, and `now` reads the seconds of the timing.

    Raises `ValueError` for seconds that are not above 0.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        max_time: float = DEFAULT_MAX_TIME,
        connect_timeout: float | None = None,
        limits: Limits | None = None,
        resolver: Resolver | None = None,
        now: Callable[[], float] = steady_clock.now,
    ) -> None:
        for seconds in (max_time, connect_timeout):
            if seconds is not None and not 0 < seconds < math.inf:
                raise ValueError(f"{seconds!r} seconds: expected a time above 0")
        self.reactor = reactor
        self._deadlines: set[Deadline] = set()
        self.max_time = max_time
        self.connect_timeout = connect_timeout
        self.limits = limits or Limits()
        self.resolver = resolver or Resolver(reactor)
        self.now = now

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
    def deadline(self, seconds: float, expire: Callable[[], None]) -> Iterator[None]:
        """Within this block, call `expire` when the seconds have passed."""
        deadline = Deadline(self.reactor, seconds, expire)
        self._deadlines.add(deadline)
        try:
            yield
        finally:
            self._deadlines.remove(deadline)
            deadline.end()


def get(
    url: str,
    *,
    reactor: Any,
    max_time: float = DEFAULT_MAX_TIME,
    connect_timeout: float | None = None,
    limits: Limits | None = None,
) -> Deferred[Answer]:
    """Send one GET to `url`; the seconds and limits are as `Getter` has them.

    Fires with the `Answer`, whatever its status, or fails with a `RequestError` that
    names the phase; its connection and its timers are gone by then. Cancelling it ends
    the request, as `Interrupted`.
    """
    getter = Getter(
        reactor, max_time=max_time, connect_timeout=connect_timeout, limits=limits
    )
    return getter.get(url)


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
        target = Target.parse(self._url)
        self._url = target.url
        protocol = GetProtocol(target.request, self._getter.limits, self._getter.now)
        self._protocol = protocol
        await self._connect(target, protocol)
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

    async def _connect(self, target: Target, protocol: GetProtocol) -> None:
        getter = self._getter
        with self._deadline(ConnectTimeout, getter.connect_timeout):
            addresses = await getter.resolver.resolve(target.host)
            self._resolved_at = getter.now()
            await connect(getter.reactor, addresses, target.port, protocol)

    def _deadline(
        self, error: type[RequestError], seconds: float | None
    ) -> AbstractContextManager[None]:
        if seconds is None:
            return nullcontext()

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
        connected_at = sent_at = first_byte_at = None
        if protocol is not None:
            connected_at = protocol.connected_at
            first_byte_at = protocol.first_byte_at
            # An answer may begin before all of the request was taken.
            sent_at = first_byte_at if protocol.sent_at is None else protocol.sent_at
        return Timing(
            started=self._started,
            queued=self._queued,
            dns=_between(self._started, self._resolved_at),
            connect=_between(self._resolved_at, connected_at),
            wait=_between(sent_at, first_byte_at),
            receive=_between(first_byte_at, ended),
            total=ended - self._started,
        )


def _between(begin: float | None, end: float | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, end - begin)
