"""How a request ended, or how far it has come, as the span of a picture. Pure."""

from __future__ import annotations

from nbtwisted import timeline
from nbtwisted.client.errors import RequestError
from nbtwisted.client.message import Message
from nbtwisted.client.result import Attempt, Result
from nbtwisted.client.results.server_timing import server_durations
from nbtwisted.printable import printable_ends
from nbtwisted.timeline import Phase, Span
from nbtwisted.timeline.span import MarkName, PhaseName

__all__ = ["LONGEST_LABEL", "MOST_ATTEMPTS", "span_of"]

_NOTHING = Message(b"")

MOST_ATTEMPTS = 20
"""Of a request, in a picture: of more, the first and the last."""

LONGEST_LABEL = 200
"""Characters of a URL in a picture: a page of 10,000 is to have no more than 5 MB."""


def span_of(number: int, result: Result) -> Span | None:
    """The span of a request; None if it was never begun.

    One that is under way has a span until now, and no outcome yet.
    """
    if result.began is None:
        return None
    now, last, response = result.ended_at, result.last, result.response
    if last is None:
        # A URL that cannot be read, or a pause: it is at one that takes no time.
        last = Attempt(result.effective_url, False, _NOTHING, began=now)
        last.paced = _paced_until(now, result.attempts[-1:])
    attempts = (*result.earlier, last)
    ends = [*(attempt.began - attempt.paced for attempt in attempts[1:]), now]
    drawn: list[timeline.Attempt] = []
    for attempt, end in zip(attempts, ends, strict=True):
        error = result.error if attempt is last else attempt.error
        queued = 0.0 if drawn else result.queued - attempt.paced
        drawn.append(_attempt(attempt, error, queued=queued, until=end))
    return Span(
        number=number,
        label=_label(result.url),
        began=result.began - result.queued,
        attempts=(*_some(drawn[:-1]), drawn[-1]),
        size=None if response is None else len(response.body),
        resent=result.resent,
    )


def _paced_until(now: float, before: tuple[Attempt, ...]) -> float:
    """The seconds for which a retry waits already, behind the pause before it."""
    for attempt in before:
        if attempt.then == "retry" and attempt.ended_at is not None:
            return max(0.0, now - attempt.ended_at - attempt.waited)
    return 0.0


def _label(url: str) -> str:
    return printable_ends(url, longest=LONGEST_LABEL)


def _some(attempts: list[timeline.Attempt]) -> list[timeline.Attempt]:
    """The first and the last of them, if they are many; the rest is a long pause."""
    most = MOST_ATTEMPTS - 1
    if len(attempts) <= most:
        return attempts
    first, last = attempts[: most // 2], attempts[-(most // 2) :]
    rest = attempts[len(first) : -len(last)]
    seconds = sum(phase.seconds for attempt in rest for phase in attempt.phases)
    between = timeline.Attempt(
        url=rest[0].url,
        phases=(Phase("pause", seconds),),
        outcome=f"{len(rest)} more",
        message="attempts that are not told one by one",
        ended_by="retry",
    )
    return [*first, between, *last]


def _attempt(
    attempt: Attempt, error: RequestError | None, *, queued: float, until: float
) -> timeline.Attempt:
    """An attempt, and the pause behind it, if another follows."""
    timing, head = attempt.timing_until(until), attempt.head
    pause = until - timing.started - timing.total
    durations = server_durations(head.headers) if head is not None else {}
    held, upstream = durations.get("held"), durations.get("upstream")
    wait = timing.wait or 0.0
    wait_held = min(held or 0.0, wait)
    wait_upstream = min(upstream or 0.0, wait - wait_held)
    seconds: dict[PhaseName, float] = {
        "queued": queued,
        "paced": attempt.paced,
        "dns": timing.dns or 0.0,
        "connect": timing.connect or 0.0,
        "proxy": timing.proxy or 0.0,
        "tls": timing.tls or 0.0,
        "send": 0.0,
        "held": wait_held,
        "upstream": wait_upstream,
        "wait": wait - wait_held - wait_upstream,
        "receive": timing.receive or 0.0,
        "pause": 0.0 if attempt.then is None else pause,
    }
    spent_on, rest = timing.rest(
        is_tls=attempt.is_tls, is_tunnelled=attempt.is_tunnelled
    )
    seconds[spent_on] += rest
    outcome = "" if attempt.ended_at is None else str(attempt.status)
    ended_by: MarkName | None = attempt.then
    if error is not None:
        outcome = error.phase
        # A connection that was refused or broken is an error, although it was tried
        # again.
        if ended_by in (None, "retry"):
            ended_by = "error"
    return timeline.Attempt(
        url=_label(attempt.url),
        phases=tuple(Phase(name, s) for name, s in seconds.items() if s > 0),
        outcome=outcome,
        message="" if error is None else str(error),
        ended_by=ended_by,
        fileno=attempt.fileno,
        asked=durations.get("asked"),
        held=held,
        upstream=upstream,
    )
