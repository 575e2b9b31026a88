"""What happened when: the stuff that pictures are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

__all__ = ["IN_QUEUE", "MARKS", "PHASES", "Attempt", "Mark", "Phase", "Span", "Totals"]

PhaseName = Literal[
    "queued",
    "paced",
    "dns",
    "connect",
    "proxy",
    "tls",
    "send",
    "held",
    "upstream",
    "wait",
    "receive",
    "pause",
]

PHASES: dict[PhaseName, str] = {
    "queued": "not yet begun: others had their turn",
    "paced": "waiting for its host's pace",
    "dns": "looking the host up",
    "connect": "connecting",
    "proxy": "the proxy's tunnel",
    "tls": "shaking hands in TLS",
    "send": "sending the request",
    "held": "held by the server, as it says itself",
    "upstream": "spent by a proxy's upstream, as the proxy says itself",
    "wait": "waiting for the first byte, besides",
    "receive": "receiving the answer",
    "pause": "between two attempts",
}
"""What each phase is, in the order in which they come.

How a server's own time and its upstream's lie in the wait is not known; they are drawn
at its beginning.
"""

IN_QUEUE = frozenset[PhaseName](("queued", "paced"))
"""Phases of the first attempt that come before the request begins.

Before a later attempt, `paced` is a part of the request.
"""

_SHORTEST_PACED = 0.001
"""Seconds: what is shorter nobody sees."""

MarkName = Literal["error", "retry", "redirect", "resend"]

MARKS: dict[MarkName, str] = {
    "error": "where it failed",
    "retry": "an answer that was not taken: tried again",
    "redirect": "redirected",
    "resend": "a stale connection: sent again over a new one",
}
"""What can end an attempt."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an attempt."""

    name: PhaseName
    seconds: float


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant at which an attempt ended that was not the answer."""

    name: MarkName
    at: float
    """Seconds from when the span began."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One of the attempts at a request, or a redirect's further leg."""

    url: str
    phases: tuple[Phase, ...]
    """In their order, without gaps."""
    outcome: str = ""
    """A status, or a word for what went wrong; nothing while it is under way."""
    message: str = ""
    """What went wrong, in a sentence."""
    ended_by: MarkName | None = None
    """None if it was the answer, or goes on."""
    fileno: int | None = None
    """The descriptor of its connection."""
    asked: float | None = None
    held: float | None = None
    upstream: float | None = None
    """Seconds that the server says it was to hold the answer, that it did, and that its
    upstream took besides, if it is a proxy.

    Its clock is its own: it may say that it held an answer for longer than that was
    waited for, and the phases then have no more of it than there is room for.
    """


@dataclass(frozen=True, slots=True)
class Span:
    """One request, as a picture shows it."""

    number: int
    """Its place in the list of requests, from 1."""
    label: str
    """Its URL, or what it should have been: any text."""
    began: float
    """Seconds on whatever clock all the spans of one picture share."""
    attempts: tuple[Attempt, ...]
    """One or more; the first may begin with its time in the queue.

    In a later one, `paced` is the time between two attempts that comes after a pause.
    """
    size: int | None = None
    """Bytes of the body, if there was an answer."""
    resent: int = 0
    """How often it was sent again, because a kept connection had been closed."""

    @property
    def outcome(self) -> str:
        """A status, or a word for what went wrong."""
        return self.attempts[-1].outcome

    @property
    def failed(self) -> bool:
        """Whether there is no answer, and will be none."""
        return self.attempts[-1].ended_by == "error"

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Those of all attempts."""
        return tuple(phase for attempt in self.attempts for phase in attempt.phases)

    @property
    def marks(self) -> Iterator[Mark]:
        """Where attempts ended."""
        at = 0.0
        for attempt in self.attempts:
            pause = sum(p.seconds for p in attempt.phases if p.name == "pause")
            at += sum(phase.seconds for phase in attempt.phases)
            if attempt.ended_by is not None:
                yield Mark(attempt.ended_by, at - pause)

    @property
    def ended(self) -> float:
        """Seconds, on the same clock as `began`."""
        return self.began + sum(p.seconds for a in self.attempts for p in a.phases)

    @property
    def seconds(self) -> float:
        """How long it took, not counting its time in a queue."""
        first, *others = self.attempts
        seconds = sum([p.seconds for p in first.phases if p.name not in IN_QUEUE])
        return seconds + sum([p.seconds for a in others for p in a.phases])

    @property
    def paced(self) -> float:
        """Seconds that it waited for its host's pace, in the queue too."""
        return sum(
            [p.seconds for a in self.attempts for p in a.phases if p.name == "paced"]
        )

    def without_queue(self) -> Span:
        """The same from when it left the queue."""
        first, *others = self.attempts
        queued = sum(p.seconds for p in first.phases if p.name in IN_QUEUE)
        phases = tuple(phase for phase in first.phases if phase.name not in IN_QUEUE)
        return replace(
            self,
            began=self.began + queued,
            attempts=(replace(first, phases=phases), *others),
        )


@dataclass(slots=True)
class Totals:
    """Of all spans, also of those of which there is no picture."""

    answers: int = 0
    errors: int = 0
    resent: int = 0
    """How often requests were sent again, because a kept connection had been closed."""
    paced: int = 0
    """How many requests waited for their host's pace, a millisecond or more."""
    began: float = field(default=float("inf"))
    ended: float = field(default=float("-inf"))
    in_turn: float = 0.0
    """Seconds that they would have taken one after another."""

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Totals:
        """Of these."""
        totals = cls()
        for span in spans:
            totals.add(span)
        return totals

    def add(self, span: Span) -> None:
        """One more."""
        if span.failed:
            self.errors += 1
        else:
            self.answers += 1
        self.resent += span.resent
        if span.paced >= _SHORTEST_PACED:
            self.paced += 1
        self.began = min(self.began, span.began)
        self.ended = max(self.ended, span.ended)
        self.in_turn += span.seconds

    @property
    def number(self) -> int:
        """How many."""
        return self.answers + self.errors

    @property
    def times_as_fast(self) -> float | None:
        """As many times as one after another would have taken.

        None where that says nothing: of one request, and of a run that took longer
        because of its pace.
        """
        if self.number <= 1 or self.seconds <= 0:
            return None
        times = self.in_turn / self.seconds
        return None if self.paced and times < 1 else times

    @property
    def seconds(self) -> float:
        """From the first one's beginning to the last one's end; 0 for none."""
        return max(self.ended - self.began, 0.0)
