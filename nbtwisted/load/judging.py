"""Whether a run was good: its conditions, and the verdict on it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbtwisted.load.conditions import Condition, Kind
from nbtwisted.load.figures.tally import Tally

__all__ = [
    "BUSY",
    "LATE",
    "MOSTLY",
    "judged",
    "lost_share",
    "named",
    "verdict",
    "why_broken",
]

BUSY = 0.9
"""Of a core: above this, the client is what limits the run."""

LATE = 0.01
"""Seconds that one timer in a hundred may be late."""

MOSTLY = 0.5
"""Of the answers: above this, the figures are those of other statuses than 2xx."""


MOST_NAMED = 3
"""Workers that a sentence names."""


def judged(
    found: dict[str, Any],
    tally: Tally,
    conditions: Sequence[Condition],
    *,
    since_sent: bool = False,
) -> list[dict[str, Any]]:
    """Of each condition its `text`, the `value` of its figure, and whether it `holds`.

    The value is None where there is none, and `shown` is for people to read. What is
    not known to be within its limit is beyond it. So any condition holds of a run
    without answers; and one on a latency if that may have been cut off, or if more
    requests were due and never sent than a percentile leaves out. One on how fast
    answers came also holds if most of them were a 4xx or a 5xx, or most requests had
    none, unless another condition is about that.

    With `since_sent`, latencies of a run at a rate count from when requests were sent,
    and those that were not sent do not count.
    """
    judges = {}
    for label in {condition.label for condition in conditions}:
        of, part = found, tally
        if label is not None:
            (row,) = (each for each in found["labels"] if each["label"] == label)
            # Whatever was not sent may have had this label.
            of = {**row, "client": found["client"]}
            part = tally.by_label.get(label, Tally())
        broken = why_broken(of, [each for each in conditions if each.label == label])
        judges[label] = _Judge(of, part, broken, since_sent=since_sent)
    return [judges[condition.label].judge(condition) for condition in conditions]


def why_broken(found: Mapping[str, Any], conditions: Sequence[Condition]) -> str | None:
    """Why it says nothing how fast answers came, if that is so."""
    refused = sum(n for status, n in found["statuses"].items() if int(status) >= 400)
    if refused > MOSTLY * found["answered"] and not any(
        condition.kind is Kind.STATUSES for condition in conditions
    ):
        return "most answers are 4xx or 5xx"
    if found["failed"] > MOSTLY * found["sent"] and not any(
        condition.figure == "errors" for condition in conditions
    ):
        return "most requests failed"
    return None


class _Judge:
    """Judges conditions on one run."""

    def __init__(
        self,
        found: dict[str, Any],
        tally: Tally,
        broken: str | None,
        *,
        since_sent: bool,
    ) -> None:
        self._found = found
        self._broken = broken
        self._cut_off_at = tally.cut_off_at
        self._latencies = tally.service if since_sent else tally.latencies
        self._latency = found["uncorrected" if since_sent else "latency"]
        self._not_sent = 0 if since_sent else found["client"]["not_sent"]

    def judge(self, condition: Condition) -> dict[str, Any]:
        """Judge one, as `judged` has it."""
        found, broken = self._found, self._broken
        value = self._figure(condition)
        holds = value is None or condition.holds(value)
        shown = "no answer" if value is None else _shown(condition, value)
        if not found["answered"]:
            holds = True
        elif condition.kind in (Kind.LATENCY, Kind.RATE) and broken is not None:
            holds = True
            shown += f", and {broken}"
        elif condition.kind is Kind.LATENCY and condition.is_upper_limit:
            assert value is not None, "answers without latencies"
            not_sent = self._not_sent
            due = self._latencies.count + not_sent
            if value >= self._cut_off_at:
                holds = True
                shown = f"at least {shown}"
            elif not_sent > due * (1 - (condition.percentile or 0) / 100):
                holds = True
                shown += f", and {not_sent} requests were due and never sent"
        return {
            "text": condition.text,
            "value": value,
            "shown": shown,
            "holds": holds,
        }

    def _figure(self, condition: Condition) -> float | None:
        found, name = self._found, condition.figure
        if condition.kind is Kind.RATE:
            return float(found["rps"])
        count: int
        if condition.kind is Kind.LATENCY:
            if not self._latencies.count:
                return None
            if name.startswith("p"):
                return self._latencies.percentile(float(name[1:]))
            return float(self._latency[name])
        if condition.kind is Kind.STATUSES:
            count = sum(
                n for status, n in found["statuses"].items() if _is_one_of(status, name)
            )
        else:
            count = found["failed" if name == "errors" else "resent"]
        if not condition.is_share:
            return count
        return count / found["sent"] if found["sent"] else None


def _is_one_of(status: str, statuses: str) -> bool:
    """Whether a status is `404`, one of `4xx`, or `non2xx`, whichever is asked."""
    if statuses == "non2xx":
        return status[0] != "2"
    return status == statuses or f"{status[0]}xx" == statuses


def verdict(found: dict[str, Any]) -> str | None:
    """Whether the run passed, and of each condition why; None if nobody asked."""
    failed, passed = (
        [
            f"{condition['text']} ({condition['shown']})"
            for condition in found["conditions"]
            if condition["holds"] is holds
        ]
        for holds in (True, False)
    )
    if not found["answered"]:
        failed.insert(0, "no request was answered")
    said = [("Failed", failed), ("Passed", passed)]
    judgement = ". ".join(f"{how}: {', '.join(what)}" for how, what in said if what)
    if judgement and found["interrupted"]:
        judgement = f"Interrupted. Until then: {judgement}"
    if found["partial"] is not None:
        partial = f"Partial: {lost_share(found['partial'])}"
        judgement = f"{partial}. {judgement}" if judgement else partial
    return judgement or None


def lost_share(partial: dict[str, Any]) -> str:
    """How much of a run was lost, and with whom, in words."""
    return f"{partial['lost_share']:.1%} was lost with {named(partial['workers'])}"


def named(workers: Sequence[str]) -> str:
    """Some workers, in words."""
    names = [*workers[:MOST_NAMED]]
    more = len(workers) - len(names)
    if more:
        names.append(f"{more} more")
    if len(names) == 1:
        return f"worker {names[0]}"
    return f"workers {', '.join(names[:-1])} and {names[-1]}"


def _shown(condition: Condition, value: float) -> str:
    if condition.kind is Kind.LATENCY:
        return f"{value * 1000:.1f} ms"
    if condition.kind is Kind.RATE:
        return f"{value:.1f}"
    return f"{value:.2%}" if condition.is_share else f"{value:.0f}"
