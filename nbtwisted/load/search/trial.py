"""A trial of a rate: a short run, and whether it was good. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nbtwisted.load.conditions import Condition, Kind, NoCondition
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.judging import BUSY, LATE, judged, lost_share

__all__ = ["Trial", "Verdict", "parse_goal"]

LEFT_OUT = 0.01
"""Of the requests that were due, this share need not have been sent."""

_BAD_FIGURES = ("errors", "resent", "non2xx")
"""Good where they are small, as are latencies, and responses with 4xx and 5xx."""

_EXPECTED = "expected one such as p99<200ms, mean<50ms, errors<1% or non2xx<1%"


class Verdict(Enum):
    """What a trial says about its rate."""

    HELD = "held"
    """The conditions held, and what was due was sent."""
    FAILED = "failed"
    LIMITED = "limited"
    """It was not good, and the client is why: it says nothing about the server."""


@dataclass(frozen=True)
class Trial:
    """What came of a trial; `values` are those of the conditions' figures."""

    rate: float
    verdict: Verdict
    values: tuple[float | None, ...] = ()
    shown: tuple[str, ...] = ()
    """The same for people: of each condition its figure, and what it was."""
    limited_by: str | None = None
    """What of the client was the limit, and what to do."""
    rps: float = 0.0
    is_unanswered: bool = False
    """Whether nobody was there: no response, and no time that was over."""
    is_disturbed: bool = False
    """Whether the client was held up, which may pass."""

    @classmethod
    def of(
        cls,
        rate: float,
        found: dict[str, Any],
        tally: Tally,
        goals: Sequence[Condition],
    ) -> Trial:
        """Judge a run by its report and its tally."""
        failures = [goal.negated() for goal in goals]
        results = judged(found, tally, failures)
        client = found["client"]
        due = found["sent"] + client["not_sent"]
        was_sent = client["not_sent"] <= LEFT_OUT * due
        limit = None
        is_whole = found["partial"] is None
        if was_sent and is_whole and not any(result["holds"] for result in results):
            verdict = Verdict.HELD
        else:
            limit = _limit(found, tally, failures)
            verdict = Verdict.FAILED if limit is None else Verdict.LIMITED
        return cls(
            rate,
            verdict,
            tuple(result["value"] for result in results),
            tuple(
                f"{goal.figure} {result['shown']}"
                for goal, result in zip(goals, results, strict=True)
            ),
            limit,
            found["rps"],
            # A client that was held up may not have asked.
            bool(found["sent"]) and not (found["answered"] or found["timed_out"]),
            limit is not None
            and found["partial"] is None
            and client["cpu"] <= BUSY
            and client["lateness"]["p99"] > LATE,
        )

    def as_json(self) -> dict[str, Any]:
        """The trial as JSON values; `value` is that of the first condition."""
        return {
            "rate": self.rate,
            "holds": self.verdict is Verdict.HELD,
            "verdict": self.verdict.value,
            "value": self.values[0] if self.values else None,
            "values": list(self.values),
            "shown": ", ".join(self.shown),
            "limited_by": self.limited_by,
            "rps": self.rps,
        }


def parse_goal(text: str) -> Condition:
    """Read a condition that is to hold; raises `ValueError`, which says what it may be.

    Those that hold where a rate is bad are refused: they are meant for --fail-if.
    """
    try:
        goal = Condition.parse(text)
    except NoCondition:
        raise ValueError(_EXPECTED) from None
    if goal.label is not None:
        raise ValueError(f"a rate is one of all labels: {_EXPECTED}")
    if goal.kind is Kind.RATE:
        raise ValueError(f"rps is what is looked for: {_EXPECTED}")
    is_good_if_small = (
        goal.kind is Kind.LATENCY
        or goal.figure in _BAD_FIGURES
        or goal.figure[0] in "45"
    )
    if is_good_if_small and goal.is_upper_limit:
        raise ValueError(f"it is to hold where the rate is good: {_EXPECTED}")
    if not any(goal.negated().holds(value) for value in (0.0, goal.most)):
        raise ValueError("expected a condition that can fail, such as errors<1%")
    return goal


def _limit(
    found: dict[str, Any], tally: Tally, failures: Sequence[Condition]
) -> str | None:
    """What of the client kept a trial from being good; None if it was the server.

    A client that is late sends what is due in crowds, and reads late what has come. If
    it is busy and not late, what a server answers is still its own.
    """
    client = found["client"]
    late = client["lateness"]["p99"]
    if found["partial"] is not None:
        return lost_share(found["partial"])
    is_refused = any(
        result["holds"] and condition.kind is Kind.STATUSES
        for result, condition in zip(
            judged(found, tally, failures), failures, strict=True
        )
    )
    if client["cpu"] > BUSY and (late > LATE or not is_refused):
        more = "more workers" if found["workers"] else "--cluster local uses all"
        return f"it used {client['cpu']:.0%} of its core ({more})"
    too_late = (
        f"its timers were {late * 1000:.0f} ms late (its machine has too much to do)"
    )
    if late > LATE:
        return too_late
    if any(
        result["holds"] for result in judged(found, tally, failures, since_sent=True)
    ):
        return None
    # From when they were sent, all is well: they waited here.
    if client["waited_for_connection"] or client["not_sent"]:
        return f"all its {found['connections']} connections were busy (more with -c)"
    return too_late
