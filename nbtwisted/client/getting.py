"""One request, from leaving the queue to its end: deadlines, redirects, retries."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal, TypedDict

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from typing_extensions import Unpack

from nbtwisted import steady_clock
from nbtwisted.client.answer import Answer, PastAttempt, Timing
from nbtwisted.client.attempt import Attempt
from nbtwisted.client.connections import Connections, TLSOptions
from nbtwisted.client.deadline import Deadline
from nbtwisted.client.errors import (
    BadURL,
    ConnectTimeout,
    DeadlinePassed,
    FirstByteTimeout,
    Interrupted,
    Outcome,
    RequestError,
    TooManyRedirects,
)
from nbtwisted.client.parser import Limits
from nbtwisted.client.redirecting import next_url, trusted_with
from nbtwisted.client.resolving import Resolver
from nbtwisted.client.retrying import Retries
from nbtwisted.client.target import Headers, Origin, Target, shown
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

    `resolver` finds addresses, and `now` reads the seconds of the timing. `draw` gives
    numbers from 0 to 1 for what is left to chance.

    Raises `ValueError` for numbers that make no sense, and for files of `tls` that hold
    something else; `OSError` for those that cannot be read.
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
        draw: Callable[[], float] = random.random,
    ) -> None:
        for seconds in (max_time, connect_timeout, first_byte_timeout):
            if seconds is not None and not 0 < seconds < math.inf:
                raise ValueError(f"{seconds!r} seconds: expected a time above 0")
        if max_redirects is not None and max_redirects < 0:
            raise ValueError(f"{max_redirects} redirects: expected 0 or more, or None")
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

    def get(
        self,
        url: str,
        *,
        queued_at: float | None = None,
        move: Callable[[Origin], Deferred[None]] | None = None,
    ) -> Deferred[Answer]:
        """Send one GET; `queued_at` is the reading of `now` when it was asked for.

        Fires with the answer, whatever its status, or fails with a `RequestError`; its
        connection and its timers are gone by then, but for a connection that is kept.
        Cancelled, it is `Interrupted`. Before a redirect leads to another place, `move`
        is called with that, and waited for.
        """
        return _Request(self, url, queued_at, move).start()

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
    request = getter.get(url)
    if not getter.keeps_alive:
        return request
    return request.addBoth(lambda result: getter.close().addCallback(lambda _: result))


class _Request:
    """One request under way."""

    def __init__(
        self,
        getter: Getter,
        url: str,
        queued_at: float | None,
        move: Callable[[Origin], Deferred[None]] | None,
    ) -> None:
        self._getter = getter
        self._url = url
        self._move = move
        self._began = getter.now()
        self._queued = 0.0 if queued_at is None else self._began - queued_at
        self._target: Target | None = None
        self._attempt: Attempt | None = None
        self._history: list[PastAttempt] = []
        self._expired: RequestError | None = None
        self._running: Deferred[Answer] | None = None

    def start(self) -> Deferred[Answer]:
        self._running = Deferred.fromCoroutine(self._run())
        return self._running

    async def _run(self) -> Answer:
        try:
            with self._deadline(DeadlinePassed, self._getter.max_time):
                outcome = await self._persist()
        except CancelledError as cancelled:
            outcome = self._expired or Interrupted(f"cancelled while {self._doing()}")
            if isinstance(cancelled, Interrupted):
                outcome = cancelled
        except RequestError as error:
            outcome = error
        if isinstance(outcome, RequestError):
            raise self._described(outcome) from None
        return outcome

    async def _persist(self) -> Outcome:
        """Ask, and follow redirects, and retry, until there is nothing left to do."""
        getter = self._getter
        headers = getter.headers
        target = self._target = Target.parse(self._url)
        self._url = target.url
        redirects = retries = 0
        while True:
            outcome = await self._ask(target, headers)
            redirected = self._redirected(target, outcome)
            if redirected is not None:
                if self._expired is not None:
                    raise self._expired
                if redirects == getter.max_redirects:
                    raise TooManyRedirects(f"more than {redirects} redirects")
                redirects += 1
                self._note(outcome, "redirect", 0.0)
                headers = trusted_with(headers, target, redirected)
                if self._move is not None and redirected.origin != target.origin:
                    await self._move(redirected.origin)
                target = self._target = redirected
                continue
            wait = getter.retries.wait(
                outcome,
                before=retries + 1,
                passed=getter.now() - self._began,
                now=getter.now(),
                draw=getter.draw,
            )
            is_late = wait is None or (
                getter.now() - self._began + wait >= getter.max_time
            )
            if wait is None or is_late or self._expired is not None:
                return outcome
            retries += 1
            self._note(outcome, "retry", wait)
            await deferLater(getter.reactor, wait)

    async def _ask(self, target: Target, headers: Headers) -> Outcome:
        """How one attempt ends; raises `CancelledError` if that ends the request.

        One over a connection that was there already is made again over a new one, if
        the server has closed that before it said a word.
        """
        outcome = await self._ask_once(target, headers, reuse=True)
        assert self._attempt is not None
        if self._attempt.was_stale and self._expired is None:
            self._note(outcome, "resend", 0.0)
            outcome = await self._ask_once(target, headers, reuse=False)
        return outcome

    async def _ask_once(
        self, target: Target, headers: Headers, *, reuse: bool
    ) -> Outcome:
        getter = self._getter
        attempt = self._attempt = Attempt(
            target,
            target.request(headers, keep_alive=getter.keeps_alive),
            getter.connections,
            getter.limits,
            getter.now,
            is_last=not getter.keeps_alive,
        )
        with (
            self._deadline(ConnectTimeout, getter.connect_timeout) as is_connected,
            self._deadline(FirstByteTimeout, getter.first_byte_timeout) as has_begun,
        ):
            try:
                await attempt.run(is_connected, has_begun, reuse=reuse)
            except Interrupted:
                raise
            except RequestError as error:
                return error
            except CancelledError:
                expired = self._expired
                # An answer that became whole in the very turn of its deadline counts.
                if expired is None or not attempt.exchange.is_whole:
                    if expired is None or isinstance(expired, DeadlinePassed):
                        raise
                    self._expired = None
                    return expired
        parser = attempt.exchange.parser
        assert parser.head is not None, "neither an error nor an answer"
        return Answer(
            url=self._url,
            fileno=attempt.fileno,
            head=parser.head,
            raw=parser.raw,
            body=parser.body,
            timing=self._timing(ended=attempt.exchange.last_byte_at),
            effective_url=self._effective_url,
            history=tuple(self._history),
        )

    def _redirected(self, target: Target, outcome: Outcome) -> Target | None:
        if self._getter.max_redirects is None or isinstance(outcome, RequestError):
            return None
        url = next_url(target, outcome.head)
        if url is None:
            return None
        try:
            redirected = Target.parse(url)
        except BadURL as error:
            raise BadURL(f"redirected to {shown(url)}: {error}") from None
        if redirected.origin == target.origin and not redirected.credentials:
            redirected = replace(redirected, credentials=target.credentials)
        return redirected

    def _note(
        self,
        outcome: Outcome,
        then: Literal["redirect", "retry", "resend"],
        wait: float,
    ) -> None:
        """Put the attempt into the history: another follows."""
        assert self._attempt is not None
        attempt, self._attempt = self._attempt, None
        is_error = isinstance(outcome, RequestError)
        self._history.append(
            PastAttempt(
                url=attempt.target.url,
                fileno=attempt.fileno,
                status=None if isinstance(outcome, RequestError) else outcome.status,
                phase=outcome.phase if isinstance(outcome, RequestError) else None,
                error=str(outcome) if is_error else None,
                timing=attempt.timing(queued=0.0),
                then=then,
                waited=wait,
            )
        )

    def _deadline(
        self, error: type[RequestError], seconds: float | None
    ) -> AbstractContextManager[Callable[[], None]]:
        if seconds is None:
            return nullcontext(lambda: None)

        def expire() -> None:
            is_first = self._expired is None
            if is_first or error is DeadlinePassed:
                self._expired = error(
                    f"{print_duration(seconds)} s passed while {self._doing()}"
                )
            # What was cancelled is about to end: a second time would be the caller's.
            if is_first:
                assert self._running is not None, "a timer ran before the request did"
                self._running.cancel()

        return self._getter.deadline(seconds, expire)

    def _doing(self) -> str:
        if self._attempt is not None:
            return self._attempt.doing()
        if self._history and self._history[-1].then == "redirect":
            return "waiting for a turn at the host that it was redirected to"
        return "waiting to try again" if self._history else "beginning"

    @property
    def _effective_url(self) -> str:
        if self._target is None or self._target.url == self._url:
            return ""
        return self._target.url

    def _described(self, error: RequestError) -> RequestError:
        """Write into an error what is known of the request that it ended."""
        error.url = self._url if self._target is not None else shown(self._url)
        error.effective_url = self._effective_url
        error.history = tuple(self._history)
        error.timing = self._timing(ended=None)
        if self._attempt is not None:
            error.fileno = self._attempt.fileno
            error.received = self._attempt.exchange.parser.raw
        return error

    def _timing(self, ended: float | None) -> Timing:
        """The phases of the attempt under way, in the time of the whole request."""
        if self._attempt is None:
            passed = self._getter.now() - self._began
            earlier = passed if self._history else 0.0
            return Timing(
                started=self._began,
                queued=self._queued,
                dns=None,
                connect=None,
                tls=None,
                wait=None,
                receive=None,
                total=passed,
                earlier=earlier,
            )
        of_attempt = self._attempt.timing(queued=self._queued, ended=ended)
        earlier = of_attempt.started - self._began
        return replace(
            of_attempt,
            started=self._began,
            total=of_attempt.total + earlier,
            earlier=earlier,
        )
