"""How a request ended, or how far it has come, as the span of a picture. Pure."""

from __future__ import annotations

from dataclasses import replace

from nbtwisted.client.errors import Outcome, RequestError
from nbtwisted.client.response import Answer, Head, PastAttempt, SoFar, Timing
from nbtwisted.client.results.server_timing import server_durations
from nbtwisted.printable import printable_ends
from nbtwisted.timeline import Attempt, Phase, Span
from nbtwisted.timeline.span import MarkName, PhaseName

__all__ = ["LONGEST_LABEL", "MOST_ATTEMPTS", "span_of", "span_so_far"]

MOST_ATTEMPTS = 20
"""Of a request, in a picture: of more, the first and the last."""

LONGEST_LABEL = 200
"""Characters of a URL in a picture: a page of 10,000 is to have no more than 5 MB."""


def span_of(number: int, outcome: Outcome) -> Span | None:
    """The span of a request that has ended; None if it was never begun."""
    timing = outcome.timing
    if timing is None:
        return None
    error = outcome if isinstance(outcome, RequestError) else None
    of_last = timing.of_last_attempt
    if not outcome.request:
        # There was none: a URL that cannot be read, or a deadline in a pause.
        of_last = replace(of_last, total=0.0)
    last = _attempt(
        outcome.effective_url or outcome.url,
        of_last,
        queued=0.0 if outcome.history else timing.queued,
        outcome=outcome.phase
        if isinstance(outcome, RequestError)
        else str(outcome.status),
        message="" if error is None else str(error),
        ended_by=None if error is None else "error",
        fileno=outcome.fileno,
        head=outcome.head,
    )
    return Span(
        number=number,
        label=_label(outcome.url),
        began=timing.started - timing.queued,
        attempts=(*_past(outcome.history, timing), last),
        size=len(outcome.body) if isinstance(outcome, Answer) else None,
    )


def span_so_far(number: int, so_far: SoFar) -> Span:
    """The span, until now, of a request that is under way."""
    timing = so_far.timing
    last = _attempt(
        so_far.effective_url or so_far.url,
        timing.of_last_attempt,
        queued=0.0 if so_far.history else timing.queued,
        fileno=so_far.fileno,
    )
    return Span(
        number=number,
        label=_label(so_far.url),
        began=timing.started - timing.queued,
        attempts=(*_past(so_far.history, timing), last),
    )


def _label(url: str) -> str:
    return printable_ends(url, longest=LONGEST_LABEL)


def _past(history: tuple[PastAttempt, ...], timing: Timing) -> list[Attempt]:
    """The attempts before the last, each with the pause behind it."""
    begins = [past.timing.started for past in history]
    begins.append(timing.started + timing.earlier)
    attempts = []
    for number, past in enumerate(history):
        ended = past.timing.started + past.timing.total
        attempts.append(
            _attempt(
                past.url,
                past.timing,
                queued=0.0 if number else timing.queued,
                outcome=past.phase or str(past.status),
                message=past.error or "",
                ended_by=_ended_by(past),
                fileno=past.fileno,
                head=past.head,
                pause=max(begins[number + 1] - ended, 0.0),
            )
        )
    return _some(attempts)


def _some(attempts: list[Attempt]) -> list[Attempt]:
    """The first and the last of them, if they are many; the rest is a long pause."""
    most = MOST_ATTEMPTS - 1
    if len(attempts) <= most:
        return attempts
    first, last = attempts[: most // 2], attempts[-(most // 2) :]
    rest = attempts[len(first) : -len(last)]
    seconds = sum(phase.seconds for attempt in rest for phase in attempt.phases)
    between = Attempt(
        url=rest[0].url,
        phases=(Phase("pause", seconds),),
        outcome=f"{len(rest)} more",
        message="attempts that are not told one by one",
        ended_by="retry",
    )
    return [*first, between, *last]


def _ended_by(past: PastAttempt) -> MarkName:
    # A connection that was refused or broken is an error, although it was tried again.
    return "error" if past.error and past.then == "retry" else past.then


def _attempt(
    url: str,
    timing: Timing,
    *,
    queued: float,
    outcome: str = "",
    message: str = "",
    ended_by: MarkName | None = None,
    fileno: int | None,
    head: Head | None = None,
    pause: float = 0.0,
) -> Attempt:
    durations = server_durations(head.headers) if head is not None else {}
    held = durations.get("held")
    wait = timing.wait or 0.0
    seconds: dict[PhaseName, float] = {
        "queued": queued,
        "dns": timing.dns or 0.0,
        "connect": timing.connect or 0.0,
        "tls": timing.tls or 0.0,
        "send": 0.0,
        "held": min(held or 0.0, wait),
        "wait": wait - min(held or 0.0, wait),
        "receive": timing.receive or 0.0,
        "pause": pause,
    }
    spent_on, rest = timing.rest(is_tls=url.startswith("https:"))
    seconds[spent_on] += rest
    return Attempt(
        url=_label(url),
        phases=tuple(Phase(name, s) for name, s in seconds.items() if s > 0),
        outcome=outcome,
        message=message,
        ended_by=ended_by,
        fileno=fileno,
        asked=durations.get("asked"),
        held=held,
    )
