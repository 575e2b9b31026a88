"""One request, from leaving the queue to its end."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from nbtwisted.client.connection.protocol import Connection
from nbtwisted.client.content_coding import Unpacking, content_codings
from nbtwisted.client.errors import (
    BadJob,
    BadURL,
    CannotUnpack,
    ConnectTimeout,
    DeadlinePassed,
    FirstByteTimeout,
    Interrupted,
    RequestError,
    ResponseTooLarge,
    TooManyRedirects,
    UnpacksTooLarge,
)
from nbtwisted.client.header import merged
from nbtwisted.client.job import Job
from nbtwisted.client.request.pacing import FINEST, REFUSALS
from nbtwisted.client.request.redirecting import Call, call_behind
from nbtwisted.client.request.retrying import retry_after
from nbtwisted.client.result import LONGEST_PAST, Attempt, Head, Result, Then
from nbtwisted.client.target import Origin, Target, shown
from nbtwisted.client.writing import write_message
from nbtwisted.duration import print_duration

if TYPE_CHECKING:
    from nbtwisted.client.request.getting import Getter

__all__ = ["Ask", "Request", "State"]

Ask = Callable[["Request", Origin], bool]


class State(enum.Enum):
    """Where a request is in its life.

    | state | what it waits for | where that leads | or, when it fails |
    |---|---|---|---|
    | NEW | `start` | *an attempt*: RESOLVING, SENDING | ENDED |
    | RESOLVING | room for a connection, and addresses | CONNECTING | PAUSING, ENDED |
    | CONNECTING | one that takes it | SENDING; SECURING in TLS | PAUSING, ENDED |
    | | | TUNNELLING through a proxy | |
    | TUNNELLING | the proxy's connection | SENDING; SECURING in TLS | PAUSING, ENDED |
    | SECURING | the TLS handshake | SENDING | ENDED |
    | SENDING | room in the kernel | WAITING, RECEIVING | RESOLVING, PAUSING, ENDED |
    | WAITING | the first byte of the response | RECEIVING | RESOLVING, PAUSING, ENDED |
    | RECEIVING | its last byte, and the connection to be free or gone | *judged*: | |
    | | | QUEUED, PAUSING, UNPACKING, ENDED | PAUSING, ENDED |
    | UNPACKING | its turns, if it takes more than one | ENDED | ENDED |
    | PAUSING | the time to try again | QUEUED | |
    | QUEUED | room at the host, and its pace | *an attempt*: RESOLVING, SENDING | |
    | STOPPING | the connection to be gone | PAUSING, UNPACKING, ENDED | |
    | ENDED | | | |

    *An attempt* begins with SENDING where a connection was kept, and else with
    RESOLVING. A server may answer before it has all of a long request: SENDING leads to
    RECEIVING then. How an attempt ended is *judged*:

    - stale, because the server had closed the kept connection: it is sent again over a
      new one, RESOLVING;
    - redirected: *an attempt* at the next URL, after QUEUED;
    - worth another try: PAUSING;
    - a response whose body is compressed, if that was asked for: UNPACKING;
    - anything else, a response or an error: ENDED.

    A deadline, or whoever cancels the request, leads from RESOLVING, CONNECTING,
    TUNNELLING, SECURING, SENDING, WAITING and RECEIVING to STOPPING, and from PAUSING,
    QUEUED and UNPACKING to ENDED. The timeouts of one attempt (to connect, to the first
    byte) lead to STOPPING, too, but there may be another then: PAUSING.
    """

    NEW = "beginning"
    RESOLVING = "looking up the host"
    CONNECTING = "connecting"
    TUNNELLING = "waiting for the proxy"
    SECURING = "shaking hands in TLS"
    SENDING = "sending the request"
    WAITING = "waiting for the first byte"
    RECEIVING = "receiving the answer"
    UNPACKING = "unpacking the answer"
    PAUSING = "waiting to try again"
    QUEUED = "waiting for its turn at the host"
    STOPPING = "stopping"
    ENDED = "over"


class Request:
    """One request: `start` it once; until it has ended, it says how far it came.

    It is the listener of each connection that it has. Its moments are readings of
    `getter.now`.
    """

    __slots__ = (
        "_ask",
        "_attempt",
        "_attempts",
        "_began",
        "_call",
        "_connection",
        "_getter",
        "_job",
        "_last_byte_at",
        "_max_time",
        "_on_end",
        "_pause",
        "_queued",
        "_redirects",
        "_retries",
        "_state",
        "_stopped_by",
        "_stopped_while",
        "_unpacking",
        "_until_end",
        "_url",
    )

    def __init__(
        self,
        getter: Getter,
        job: Job | BadJob,
        queued_at: float | None,
        ask: Ask | None,
    ) -> None:
        self._state = State.NEW
        self._getter = getter
        self._job = job
        self._ask = ask
        self._began = getter.now()
        self._queued = 0.0 if queued_at is None else self._began - queued_at
        # What the next attempt is made of: redirects may change it.
        self._call: Call
        # No list: ten thousand requests that wait would have ten thousand empty ones.
        self._attempts: tuple[Attempt, ...] = ()
        self._attempt: Attempt
        self._last_byte_at = 0.0
        self._connection: Connection | None = None
        self._redirects = self._retries = 0
        # A deadline, or whoever cancelled it.
        self._stopped_by: RequestError | None = None
        self._stopped_while = ""
        self._pause: IDelayedCall | None = None
        self._unpacking: Unpacking | None = None

    def start(
        self, on_end: Callable[[Request, Result], None], *, paced: float = 0.0
    ) -> None:
        """Send it; `on_end` is called once, maybe at once, with how it ended.

        By then its connection and its timers are gone, but for one that is kept.
        `paced` are the seconds for which only a pace kept it in the queue.
        """
        self._on_end = on_end
        getter, job = self._getter, self._job
        self._max_time, self._until_end = getter.max_time, getter.until_end
        if isinstance(job, BadJob):
            self._url = job.shown
            self._end(job)
            return
        try:
            target = Target.parse(job.url)
        except BadURL as error:
            self._url = shown(job.url)
            self._end(error)
            return
        if job.max_time is not None:
            self._max_time = job.max_time
            self._until_end = getter.deadlines.passing_lane(
                job.max_time, Request.expire
            )
        self._until_end.begin(self)
        self._url = target.url
        headers = merged(getter.headers, job.headers)
        self._call = Call(target, job.method, headers, job.body)
        # Sums of floats differ.
        self._begin(paced=min(paced, self._queued))

    def cancel(self) -> None:
        """End it, as `Interrupted`."""
        self._stop(Interrupted(f"cancelled while {self._doing}"))

    def so_far(self) -> Result:
        """How far it has come: for who shows it while it is under way."""
        now = self._getter.now()
        url = _shown(self._job) if self._state is State.NEW else self._url
        return self._result(url, None, now)

    # An attempt, step by step.

    def _begin(self, *, reuse: bool = True, paced: float = 0.0) -> None:
        """Begin an attempt, over a kept connection if it is to `reuse` one."""
        getter, (target, method, headers, body) = self._getter, self._call
        now = getter.now()
        getter.pacing.take(target.origin, now)
        pool = getter.pool
        route = pool.route(target.origin)
        self._attempt = attempt = Attempt(
            target.url,
            target.origin.is_tls,
            write_message(
                target,
                method,
                headers,
                body,
                keep_alive=getter.keeps_alive,
                proxy=route.proxy if route.origin is None else None,
            ),
            now,
            is_tunnelled=route.is_tunnel,
            paced=paced,
        )
        self._attempts += (attempt,)
        getter.until_connected.begin(self)
        getter.until_first_byte.begin(self)
        connection = pool.take(route, self) if reuse else None
        if connection is not None:
            self._connection = connection
            attempt.is_reused = True
            attempt.fileno = connection.fileno
            self.connection_ready(connection)
        else:
            self._state = State.RESOLVING
            self._connection = connection = pool.new(route, self)
            pool.open(connection)

    def host_resolved(self) -> None:
        """As `Listener` has it; so are those that follow."""
        self._state = State.CONNECTING
        self._attempt.resolved_at = self._getter.now()

    def connection_made(self, connection: Connection) -> None:  # noqa: D102
        attempt = self._attempt
        if attempt.is_tunnelled:
            self._state = State.TUNNELLING
        elif attempt.is_tls:
            self._state = State.SECURING
        attempt.connected_at = self._getter.now()
        attempt.fileno = connection.fileno

    def tunnel_made(self, connection: Connection) -> None:  # noqa: D102
        attempt = self._attempt
        if attempt.is_tls:
            self._state = State.SECURING
        attempt.tunnelled_at = self._getter.now()

    def connection_ready(self, connection: Connection) -> None:  # noqa: D102
        attempt = self._attempt
        if attempt.is_tls and not attempt.is_reused:
            attempt.secured_at = self._getter.now()
        self._getter.until_connected.end(self)
        self._state = State.SENDING
        connection.send(attempt.message)

    def request_sent(self) -> None:  # noqa: D102
        self._attempt.sent_at = self._getter.now()
        if self._state is State.SENDING:
            self._state = State.WAITING

    def bytes_received(self) -> None:  # noqa: D102
        attempt = self._attempt
        self._last_byte_at = self._getter.now()
        if attempt.first_byte_at is None:
            attempt.first_byte_at = self._last_byte_at
            self._getter.until_first_byte.end(self)
            self._state = State.RECEIVING

    def exchange_over(  # noqa: D102
        self, connection: Connection, error: RequestError | None
    ) -> None:
        attempt = self._attempt
        self._let_go()
        stopped_by = self._stopped_by
        # A response that became whole in the very turn of its deadline counts.
        if stopped_by is not None and (
            isinstance(stopped_by, Interrupted) or not connection.is_whole
        ):
            error = stopped_by
            if isinstance(error, (ConnectTimeout, FirstByteTimeout)):
                # It was this attempt's, and there may be another.
                self._stopped_by = None
        attempt.error = error
        attempt.ended_at = self._last_byte_at if error is None else self._getter.now()
        reader = connection.reader
        attempt.head = reader.head
        attempt.received = reader.received
        attempt.raw = reader.raw
        attempt.body = reader.body
        # A connection that is kept is to keep no body.
        reader.reset()
        if error is None:
            self._note(attempt)
        self._judge(attempt, error)

    def _let_go(self) -> None:
        """The attempt is over, and what was its connection is others' business."""
        self._connection = None
        self._getter.until_connected.end(self)
        self._getter.until_first_byte.end(self)

    def _note(self, attempt: Attempt) -> None:
        """Let the pace of the origin know how the server answered."""
        assert attempt.head is not None, "a response without a head"
        getter, origin = self._getter, self._call.target.origin
        now, began = self._last_byte_at, attempt.began
        if attempt.head.status in REFUSALS:
            seconds = retry_after(attempt.head, getter.wall_clock())
            getter.pacing.refused(origin, now, seconds, began=began)
        else:
            getter.pacing.answered(origin, now, began=began)

    # What comes of it.

    def _judge(self, attempt: Attempt, error: RequestError | None) -> None:
        getter, call, stopped_by = self._getter, self._call, self._stopped_by
        if error is not None and error is stopped_by:
            self._end(error)
            return
        # A server that is slow has not closed it.
        is_lost = error is not None and not isinstance(error, FirstByteTimeout)
        if is_lost and attempt.is_reused and attempt.first_byte_at is None:
            if getter.retries.may_repeat(call.method):
                self._pass(attempt, "resend")
                self._begin(reuse=False)
                return
            assert error is not None
            error.args = (f"{error}; a {call.method} is not sent again unasked",)
        # Nobody is given the body of a response that redirects, however large it is.
        if getter.max_redirects is not None and (
            error is None or isinstance(error, ResponseTooLarge)
        ):
            assert attempt.head is not None, "a response without a head"
            try:
                redirected = call_behind(call, attempt.head)
            except BadURL as bad:
                self._end(bad)
                return
            if redirected is not None:
                self._follow(attempt, redirected)
                return
        if not getter.retries.number:
            self._conclude(attempt, error)
            return
        passed = getter.now() - self._began
        wait = getter.retries.wait(
            attempt,
            before=self._retries + 1,
            passed=passed,
            now=getter.wall_clock(),
            draw=getter.draw,
        )
        if wait is None or stopped_by is not None:
            self._conclude(attempt, error)
            return
        pace = self._wait_for_pace()
        # Where it is not worth waiting for, what there is counts.
        if passed + max(wait, pace) >= self._max_time:
            self._conclude(attempt, error)
            return
        self._retries += 1
        if self._ask is not None and pace and wait < pace + FINEST:
            # It waits in the queue, as others do that ask a host which is held.
            self._pass(attempt, "retry")
            self._wait_for_turn()
            return
        self._pass(attempt, "retry", wait)
        self._state = State.PAUSING
        self._pause = getter.reactor.callLater(wait, self._try_again)

    def _conclude(self, attempt: Attempt, error: RequestError | None) -> None:
        """No other attempt follows: unpack the body, if there is one, and end."""
        codings = self._getter.codings
        if error is None and codings is not None and attempt.body:
            assert attempt.head is not None, "a response without a head"
            names = content_codings(attempt.head.headers)
            if names:
                self._state = State.UNPACKING
                most = self._getter.limits.body
                self._unpacking = Unpacking(attempt.body, names, codings, most)
                self.unpack()
                return
        self._end(error)

    def unpack(self) -> None:
        """Go on unpacking: the first step at once, and others in turns of their own."""
        unpacking, attempt = self._unpacking, self._attempt
        assert unpacking is not None
        try:
            is_whole = unpacking.step()
        except (CannotUnpack, UnpacksTooLarge) as error:
            self._end(error)
            return
        if is_whole:
            attempt.packed_size = len(attempt.body)
            attempt.body = unpacking.body
            self._end(None)
        elif self._stopped_by is not None:
            # The response came in the turn of its deadline.
            self._end(self._stopped_by)
        else:
            self._getter.turns.wait(self)

    def _follow(self, attempt: Attempt, redirected: Call) -> None:
        if self._stopped_by is not None:
            self._end(self._stopped_by)
        elif self._redirects == self._getter.max_redirects:
            self._end(TooManyRedirects(f"more than {self._redirects} redirects"))
        else:
            self._redirects += 1
            attempt.error = None
            self._pass(attempt, "redirect")
            self._call = redirected
            self._wait_for_turn()

    def _try_again(self) -> None:
        self._pause = None
        self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        """Begin another attempt when there is room at the host, and its pace allows."""
        self._state = State.QUEUED
        if self._ask is not None:
            if self._ask(self, self._call.target.origin):
                self._begin()
            return
        wait = self._wait_for_pace()
        if wait:
            self._pause = self._getter.reactor.callLater(wait, self.take_turn, wait)
        else:
            self._begin()

    def _wait_for_pace(self) -> float:
        pacing, now = self._getter.pacing, self._getter.now()
        return max(pacing.wait(now), pacing.wait_at(self._call.target.origin, now))

    def take_turn(self, paced: float) -> None:
        """Begin the attempt that had to wait; so long, only its pace was in the way."""
        self._pause = None
        self._begin(paced=paced)

    def _pass(self, attempt: Attempt, then: Then, wait: float = 0.0) -> None:
        """Be done with an attempt: another follows."""
        attempt.then = then
        attempt.waited = wait
        attempt.head = _shortened(attempt.head)
        attempt.raw = attempt.body = b""

    # Its end.

    def expire_connecting(self) -> None:
        """The time to connect is over."""
        self._expire(ConnectTimeout, self._getter.connect_timeout)

    def expire_waiting(self) -> None:
        """The time to the first byte is over."""
        self._expire(FirstByteTimeout, self._getter.first_byte_timeout)

    def expire(self) -> None:
        """The time for all of it is over."""
        self._expire(DeadlinePassed, self._max_time)

    def _expire(self, error: type[RequestError], seconds: float | None) -> None:
        assert seconds is not None
        self._stop(error(f"{print_duration(seconds)} s passed while {self._doing}"))

    @property
    def _doing(self) -> str:
        is_stopping = self._state is State.STOPPING
        return self._stopped_while if is_stopping else self._state.value

    def _stop(self, error: RequestError) -> None:
        if self._state is State.ENDED:
            return
        if self._state is State.STOPPING:
            if isinstance(error, Interrupted):
                # Whoever cancels what is being stopped waits no more for that.
                assert self._connection is not None
                self._connection.listener = None
                self._let_go()
                self._end(error)
            elif isinstance(error, DeadlinePassed):
                self._stopped_by = error
            return
        self._stopped_by = error
        if self._connection is not None:
            self._stopped_while = self._doing
            self._state = State.STOPPING
            self._connection.abort()
            return
        if self._pause is not None:
            self._pause.cancel()
        self._end(error)

    def _end(self, error: RequestError | None) -> None:
        if self._state is State.UNPACKING:
            self._getter.turns.leave(self)
            self._unpacking = None
        self._state = State.ENDED
        self._until_end.end(self)
        ended_at = self._last_byte_at
        if error is not None:
            error.forget_frames()
            ended_at = self._getter.now()
        result = self._result(self._url, error, ended_at)
        if error is not None and result.last is not None:
            # It ended in the middle of an attempt.
            result.last.error = error
            result.last.ended_at = ended_at
        self._on_end(self, result)

    def _result(self, url: str, error: RequestError | None, ended_at: float) -> Result:
        job = None if isinstance(self._job, BadJob) else self._job
        return Result(
            url, self._attempts, error, self._began, self._queued, ended_at, job
        )


def _shown(job: Job | BadJob) -> str:
    return job.shown if isinstance(job, BadJob) else shown(job.url)


def _shortened(head: Head | None) -> Head | None:
    if head is None or sum(len(n) + len(v) for n, v in head.headers) <= LONGEST_PAST:
        return head
    return replace(head, headers=())
