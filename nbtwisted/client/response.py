"""What came back, and how long each part of it took. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from nbtwisted.client.result import Head

__all__ = ["LONGEST_PAST", "Answer", "Head", "PastAttempt", "SoFar", "Timing"]

LONGEST_PAST = 8 * 1024
"""Characters of the header fields that are kept of an attempt which was not the last:
more than most servers send."""

Rest = Literal["dns", "connect", "tls", "send", "wait"]


@dataclass(frozen=True)
class Timing:
    """When a request left the queue, and the seconds that each phase took.

    A phase that was not reached is None. Where there was a redirect or a retry, the
    phases are those of the last attempt.
    """

    started: float
    """Unix time at which the request left the queue."""
    queued: float
    """Seconds from being asked for to leaving the queue; not part of `total`."""
    dns: float | None
    """Seconds to look the host's name up; 0 or nearly so for an address.

    This and the next two are 0 for a connection that was there already.
    """
    connect: float | None
    """Seconds from having an address to being connected."""
    tls: float | None
    """Seconds from being connected to the end of the TLS handshake, if there is one."""
    wait: float | None
    """Seconds from the last request byte sent to the first answer byte received."""
    receive: float | None
    """Seconds from the first answer byte received to the last."""
    total: float
    """Seconds from leaving the queue to the end of the answer, or to the error."""
    earlier: float = 0.0
    """The part of `total` that went before the last attempt: others, and waits."""

    @property
    def of_last_attempt(self) -> Timing:
        """The timing of the last attempt alone."""
        return replace(
            self,
            started=self.started + self.earlier,
            queued=0.0,
            total=self.total - self.earlier,
            earlier=0.0,
        )

    def rest(self, *, is_tls: bool) -> tuple[Rest, float]:
        """The seconds that are in no phase above, and what they were spent on.

        That is to send the request, or a phase that did not come to its end. For the
        timing of one attempt.
        """
        phases = (self.dns, self.connect, self.tls, self.wait, self.receive)
        seconds = self.total - sum(phase or 0.0 for phase in phases)
        spent_on: Rest = "wait"
        if self.wait is not None:
            spent_on = "send"
        elif self.connect is None:
            spent_on = "dns" if self.dns is None else "connect"
        elif self.tls is None and is_tls:
            spent_on = "tls"
        return spent_on, max(seconds, 0.0)


@dataclass(frozen=True)
class PastAttempt:
    """An attempt at a request that was not the last."""

    url: str
    """The URL of this attempt, without any user name and password."""
    fileno: int | None
    head: Head | None
    """Of its answer, as far as there was one; without header fields if they were long:
    a request may have many such attempts."""
    error: str | None
    """What went wrong, in words, if something did, and `phase` where."""
    phase: str | None
    timing: Timing
    """That of this attempt alone."""
    request: bytes
    """What was, or was to be, sent."""
    received: int
    """Bytes that came back."""
    then: Literal["redirect", "retry", "resend"]
    """Why it was not the last.

    What was sent over a connection that the server had closed is sent again over a new
    one: that is no retry, for the server has said nothing.
    """
    waited: float
    """Seconds that were waited behind it, before the next."""

    @property
    def status(self) -> int | None:
        """The status of its answer, if there was one; else there is an `error`."""
        return None if self.head is None or self.error else self.head.status


@dataclass(frozen=True)
class SoFar:
    """How far a request has come, in the words of an `Answer`."""

    url: str
    effective_url: str
    fileno: int | None
    timing: Timing
    history: tuple[PastAttempt, ...]


@dataclass(frozen=True)
class Answer:
    """The whole answer to one request."""

    url: str
    """The URL asked for, without any user name and password."""
    fileno: int | None
    """The file descriptor of the connection that it came over, if it had one."""
    head: Head
    raw: bytes
    """Every byte of the answer as received: interim heads, head, body, framing."""
    body: bytes
    """The body without the framing of a chunked transfer; not decompressed."""
    timing: Timing
    request: bytes = b""
    """What was sent for it, in the last attempt."""
    effective_url: str = ""
    """The URL that this is the answer of, if that is another, after redirects."""
    history: tuple[PastAttempt, ...] = ()
    """The attempts before the one that this is the answer of."""

    @property
    def status(self) -> int:
        """The status code, 200 to 999."""
        return self.head.status

    @property
    def attempts(self) -> int:
        """How often it was tried: 1, and 1 for each retry."""
        return attempts(self.history)


def attempts(history: tuple[PastAttempt, ...]) -> int:
    """How many tries a request had, of which all but the last are in `history`."""
    return 1 + sum(attempt.then == "retry" for attempt in history)
