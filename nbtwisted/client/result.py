"""How a request ended: every attempt, the last included, and what came back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from nbtwisted.client.job import Job
from nbtwisted.client.message import Message

__all__ = [
    "LONGEST_PAST",
    "Attempt",
    "Head",
    "RequestError",
    "Response",
    "Result",
    "Then",
    "Timing",
]

LONGEST_PAST = 8 * 1024
"""Characters of the header fields that are kept of an attempt which was not the last:
more than most servers send, and a request may have many such attempts."""

Phases = tuple[
    float | None, float | None, float | None, float | None, float | None, float | None
]

Rest = Literal["dns", "connect", "proxy", "tls", "send", "wait"]

Then = Literal["redirect", "retry", "resend"]
"""Why an attempt was not the last.

What was sent over a connection that the server had closed is sent again over a new one:
that is no retry, for the server has said nothing.
"""


@dataclass(slots=True)
class Timing:
    """When a request, or an attempt, began, and the seconds that each phase took.

    A phase that was not reached is None.
    """

    # Not frozen, which takes four times as long to make: one is made each time that
    # somebody asks.

    started: float
    """Unix time at which it began; a request begins when it leaves the queue."""
    queued: float
    """Seconds from being asked for to leaving the queue; not part of `total`."""
    paced: float
    """Seconds that an attempt waited for its host's pace before it began.

    The first attempt did so in the queue: these seconds are part of `queued`.
    """
    dns: float | None
    """Seconds to look up the name of the host, or of the proxy; 0 or nearly so for an
    address.

    This and the next three are 0 for a connection that was there already.
    """
    connect: float | None
    """Seconds from having an address to being connected."""
    proxy: float | None
    """Seconds from being connected to having the proxy's tunnel, if there is one."""
    tls: float | None
    """Seconds from being connected, or from having the tunnel, to the end of the TLS
    handshake, if there is one."""
    wait: float | None
    """Seconds from the last request byte sent to the first response byte received."""
    receive: float | None
    """Seconds from the first response byte received to the last."""
    total: float
    """Seconds from its beginning to the end of the response, or to the error."""

    def rest(self, *, is_tls: bool, is_tunnelled: bool) -> tuple[Rest, float]:
        """The seconds that are in no phase above, and what they were spent on.

        That is to send the request, or a phase that did not come to its end. For the
        timing of one attempt.
        """
        connecting = (self.dns, self.connect, self.proxy, self.tls)
        phases = (*connecting, self.wait, self.receive)
        seconds = self.total - sum(phase or 0.0 for phase in phases)
        spent_on: Rest = "wait"
        if self.wait is not None:
            spent_on = "send"
        elif self.connect is None:
            spent_on = "dns" if self.dns is None else "connect"
        elif self.proxy is None and is_tunnelled:
            spent_on = "proxy"
        elif self.tls is None and is_tls:
            spent_on = "tls"
        return spent_on, max(seconds, 0.0)


class RequestError(Exception):
    """A request that ended without a whole response: its message says why."""

    phase: str
    """Where it went wrong."""
    exit_code: ClassVar[int]
    """What curl would exit with."""
    result: Result | None = None
    """All that there was: earlier attempts, what was received, and how long it took.

    It is there once the error has reached who called `get` or `get_all`.
    """

    def forget_frames(self) -> None:
        """Forget the frames that it passed through, and the errors that it stands for.

        They know what keeps it, and only the garbage collector would see that nobody
        needs any of them.
        """
        self.__traceback__ = self.__context__ = None


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the header fields of a response."""

    http_version: str
    """`1.0` or `1.1`."""
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    """Names and values in the order and the letters received, as ISO 8859-1."""


@dataclass(eq=False, slots=True)
class Attempt:
    """One attempt at a request. It is filled in while it goes on, and then stays.

    Its moments are readings of the clock that its request has; None if it did not come
    so far.
    """

    url: str
    """The URL that was asked for, without any user name and password."""
    is_tls: bool
    message: Message
    """What was, or was to be, sent."""
    began: float
    fileno: int | None = None
    """The file descriptor of the connection, if it had one."""
    resolved_at: float | None = None
    connected_at: float | None = None
    tunnelled_at: float | None = None
    secured_at: float | None = None
    sent_at: float | None = None
    first_byte_at: float | None = None
    ended_at: float | None = None
    is_tunnelled: bool = False
    """Whether its connection is a tunnel through a proxy."""
    is_reused: bool = False
    """Whether the connection had carried another request before."""
    head: Head | None = None
    """The head of its response, if that came whole; without header fields if they were
    long and this was not the last attempt."""
    received: int = 0
    """Bytes that came back."""
    raw: bytes = b""
    """All of these, interim heads and framing included; of the last attempt only."""
    body: bytes = b""
    """The body, without the framing of a chunked transfer: of the last attempt only.

    It is as it came, unless all of it was unpacked.
    """
    packed_size: int | None = None
    """Bytes that the body had before it was unpacked; None if it was not."""
    error: RequestError | None = None
    """What went wrong, if something did."""
    then: Then | None = None
    """Why it was not the last, if it was not."""
    waited: float = 0.0
    """Seconds that were waited behind it, before the next."""
    paced: float = 0.0
    """Seconds that it waited for its pace before it began; of the first attempt, they
    are part of the result's `queued`."""

    @property
    def request(self) -> bytes:
        """What was, or was to be, sent: its head and its body."""
        return self.message.head + self.message.body

    @property
    def status(self) -> int | None:
        """The status of its response, if that was whole; else there is an `error`."""
        return None if self.head is None or self.error else self.head.status

    @property
    def timing(self) -> Timing:
        """How long each phase of it took; it has to have ended."""
        assert self.ended_at is not None, "it has not ended"
        return self.timing_until(self.ended_at)

    def timing_until(self, moment: float) -> Timing:
        """The same; of one that is under way, until that moment."""
        ended_at = moment if self.ended_at is None else self.ended_at
        phases = self.phases_until(moment)
        return Timing(self.began, 0.0, self.paced, *phases, ended_at - self.began)

    def phases_until(self, moment: float) -> Phases:
        """Its seconds of `dns`, `connect`, `proxy`, `tls`, `wait` and `receive`."""
        ended_at = moment if self.ended_at is None else self.ended_at
        resolved_at, connected_at = self.resolved_at, self.connected_at
        dns: float | None = 0.0
        connect: float | None = 0.0
        proxy = 0.0 if self.is_tunnelled else None
        tls = 0.0 if self.is_tls else None
        if not self.is_reused:
            dns = _between(self.began, resolved_at)
            connect = _between(resolved_at, connected_at)
            tunnelled_at = connected_at
            if self.is_tunnelled:
                tunnelled_at = self.tunnelled_at
                proxy = _between(connected_at, tunnelled_at)
            tls = _between(tunnelled_at, self.secured_at)
        first_byte_at = self.first_byte_at
        # A response may begin before all of a long request was taken.
        sent_at = first_byte_at if self.sent_at is None else self.sent_at
        wait = _between(sent_at, first_byte_at)
        return dns, connect, proxy, tls, wait, _between(first_byte_at, ended_at)


_NOT_REACHED: Phases = (None, None, None, None, None, None)


def _between(begin: float | None, end: float | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, end - begin)


@dataclass(eq=False, slots=True)
class Result:
    """How a request ended; or, of one that is under way, how far it has come.

    Unless there is an `error`, the last attempt has the response.
    """

    url: str
    """The URL asked for, without any user name and password."""
    attempts: tuple[Attempt, ...] = ()
    """In their order. There is none where the URL could not be read."""
    error: RequestError | None = None
    """What ended it, if that was no response."""
    began: float | None = None
    """When it left the queue, as Unix time; None if it never did."""
    queued: float = 0.0
    """Seconds from being asked for to leaving the queue."""
    ended_at: float = 0.0
    """When it ended, as Unix time; of one that is under way, the present."""
    job: Job | None = None
    """What was asked for; None where that could not be read."""

    @property
    def method(self) -> str | None:
        """The method asked for; None where that could not be read."""
        return None if self.job is None else self.job.method

    @property
    def last(self) -> Attempt | None:
        """The attempt that it ended in; None if it ended before one, or between two."""
        attempts = self.attempts
        return attempts[-1] if attempts and attempts[-1].then is None else None

    @property
    def response(self) -> Response | None:
        """What came back, if all of it did."""
        last = self.last
        if self.error is not None or last is None or last.ended_at is None:
            return None
        return Response(self)

    @property
    def earlier(self) -> tuple[Attempt, ...]:
        """The attempts before the last."""
        return self.attempts if self.last is None else self.attempts[:-1]

    @property
    def effective_url(self) -> str:
        """The URL that was asked last: another than `url` after redirects."""
        return self.attempts[-1].url if self.attempts else self.url

    @property
    def tries(self) -> int:
        """How often it was tried: 1, and 1 for each retry."""
        return 1 + [attempt.then for attempt in self.attempts].count("retry")

    @property
    def resent(self) -> int:
        """How often it was sent again, because a kept connection had been closed."""
        return [attempt.then for attempt in self.attempts].count("resend")

    @property
    def timing(self) -> Timing | None:
        """The phases of the last attempt, in the time of the whole request.

        None if it never began.
        """
        began = self.began
        if began is None:
            return None
        ended_at, paced, phases = self.ended_at, 0.0, _NOT_REACHED
        last = self.last
        if last is not None:
            paced, phases = last.paced, last.phases_until(ended_at)
        return Timing(began, self.queued, paced, *phases, ended_at - began)


class Response:
    """What came back for a request: the response of its last attempt."""

    __slots__ = ("_attempt", "_head", "result")

    def __init__(self, result: Result) -> None:
        attempt = result.last
        assert attempt is not None
        assert attempt.head is not None
        self.result = result
        """All that there was besides: earlier attempts, and how long it took."""
        self._attempt = attempt
        self._head = attempt.head

    @property
    def url(self) -> str:
        """The URL that this came from: after redirects, the last."""
        return self._attempt.url

    @property
    def fileno(self) -> int | None:
        """The file descriptor of the connection that it came over."""
        return self._attempt.fileno

    @property
    def http_version(self) -> str:
        """`1.0` or `1.1`."""
        return self._head.http_version

    @property
    def status(self) -> int:
        """The status code, 200 to 999."""
        return self._head.status

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self._head.reason

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names and values in the order and the letters received, as ISO 8859-1."""
        return self._head.headers

    @property
    def raw(self) -> bytes:
        """Every byte of it as received: interim heads, head, body, framing."""
        return self._attempt.raw

    @property
    def body(self) -> bytes:
        """The body, without the framing of a chunked transfer.

        It is unpacked where that was asked for (`compressed`), and else as it came.
        """
        return self._attempt.body

    @property
    def timing(self) -> Timing:
        """How long the request took, and each phase of its last attempt."""
        timing = self.result.timing
        assert timing is not None
        return timing
