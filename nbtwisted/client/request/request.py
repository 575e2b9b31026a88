"""One request, from leaving the queue to its end: deadlines, redirects, retries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from nbtwisted.client.errors import (
    BadURL,
    ConnectTimeout,
    DeadlinePassed,
    FirstByteTimeout,
    Interrupted,
    Outcome,
    RequestError,
    ResponseTooLarge,
    TooManyRedirects,
)
from nbtwisted.client.request.attempt import Attempt
from nbtwisted.client.request.redirecting import next_url, trusted_with
from nbtwisted.client.response import (
    LONGEST_PAST,
    Answer,
    Head,
    PastAttempt,
    SoFar,
    Timing,
)
from nbtwisted.client.target import Headers, Origin, Target, shown
from nbtwisted.duration import print_duration

if TYPE_CHECKING:
    from nbtwisted.client.request.getting import Getter

__all__ = ["Request"]


def _shortened(head: Head | None) -> Head | None:
    if head is None or sum(len(n) + len(v) for n, v in head.headers) <= LONGEST_PAST:
        return head
    return replace(head, headers=())


class Request:
    """One request: `start` it once; until it has ended, it says how far it came."""

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
        """Send it; fires as `Getter.request` has it."""
        self._running = Deferred.fromCoroutine(self._run())
        return self._running

    def so_far(self) -> SoFar:
        """How far it has come: for who shows it while it is under way."""
        return SoFar(
            url=self._url if self._target is not None else shown(self._url),
            effective_url=self._effective_url,
            fileno=None if self._attempt is None else self._attempt.fileno,
            timing=self._timing(ended=None),
            history=tuple(self._history),
        )

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
                now=getter.wall_clock(),
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
            request=attempt.exchange.request,
            effective_url=self._effective_url,
            history=tuple(self._history),
        )

    def _redirected(self, target: Target, outcome: Outcome) -> Target | None:
        # Nobody is given the body of an answer that redirects, however large it is.
        is_answered = isinstance(outcome, Answer | ResponseTooLarge)
        if self._getter.max_redirects is None or not is_answered:
            return None
        assert self._attempt is not None
        head = self._attempt.exchange.parser.head
        assert head is not None, "an answer without a head"
        url = next_url(target, head)
        if url is None:
            return None
        try:
            redirected = Target.parse(url, is_absolute=True)
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
        error = None
        if isinstance(outcome, RequestError) and then != "redirect":
            error = outcome
        exchange = attempt.exchange
        self._history.append(
            PastAttempt(
                url=attempt.target.url,
                fileno=attempt.fileno,
                head=_shortened(exchange.parser.head),
                phase=None if error is None else error.phase,
                error=None if error is None else str(error),
                timing=attempt.timing(queued=0.0),
                request=exchange.request,
                received=len(exchange.parser.raw),
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
            exchange = self._attempt.exchange
            error.request = exchange.request
            error.head = exchange.parser.head
            error.received = exchange.parser.raw
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
