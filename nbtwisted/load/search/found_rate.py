"""The highest rate that a search has found, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbtwisted.load.conditions import Condition
from nbtwisted.load.search.find_rate import Search, State
from nbtwisted.load.text_table import table_lines
from nbtwisted.rate import print_rate

__all__ = ["found_rate", "found_rate_lines", "sentence"]


def found_rate(
    search: Search,
    goals: Sequence[Condition],
    *,
    interrupted: bool = False,
    error: str | None = None,
) -> dict[str, Any]:
    """What a search has found, as JSON values.

    `rate` is the highest that held, which is `low` as well, or None if none did; `high`
    is the lowest that did not hold. `is_at_least` says that the server might take more:
    no rate has failed, or `limited_by` is why this client could not ask as fast.
    `low_trials` and `high_trials` are those that confirm an end, and `confidence`
    follows from them. `error` is what else has ended it, before it was over.
    """
    low, high = search.low, search.high
    limited_by = search.limited_by
    return {
        "condition": " and ".join(goal.text for goal in goals),
        "rate": low,
        "low": low,
        "high": high,
        "is_at_least": low is not None and (high is None or limited_by is not None),
        "limited_by": limited_by,
        "confidence": search.confidence,
        "low_trials": _agreement(search, low),
        "high_trials": _agreement(search, high),
        "ended": "interrupted" if interrupted else search.state.value,
        "error": error,
        "trials": [trial.as_json() for trial in search.trials],
    }


def sentence(found: dict[str, Any]) -> str:
    """The rate that was found, and how sure that is, as one line."""
    condition, trials = found["condition"], found["trials"]
    if found["rate"] is None:
        if not trials:
            return "none: no trial was over"
        # Of several at that rate, the last has decided.
        last = min(reversed(trials), key=lambda trial: float(trial["rate"]))
        limit = f"; the client: {last['limited_by']}" if last["limited_by"] else ""
        return (
            f"none: {condition} did not hold at {print_rate(last['rate'])}, the "
            f"lowest that was tried ({last['shown']}{limit})"
        )
    at_least = "at least " if found["is_at_least"] else ""
    line = f"{at_least}{print_rate(found['rate'])} with {condition}"
    why = _why(found)
    return f"{line} ({why})" if why else line


def found_rate_lines(found: dict[str, Any]) -> list[str]:
    """The same, with a line a trial."""
    lines = [f"Highest rate: {sentence(found)}"]
    if found["limited_by"] is not None:
        lines.append(f"This client cannot ask faster: {found['limited_by']}")
    lines += ["", "Trials:"]
    rows = [
        (print_rate(each["rate"]), each["verdict"], each["shown"])
        for each in found["trials"]
    ]
    return [*lines, *table_lines(rows, alignment="><<")]


def _why(found: dict[str, Any]) -> str:
    """How often each end has held, and what follows."""
    parts = []
    low, high = found["low_trials"], found["high_trials"]
    if low["number"]:
        parts.append(f"held in {low['held']} of {low['number']} trials")
    if found["high"] is not None and high["number"]:
        rate = print_rate(found["high"])
        parts.append(f"at {rate} in {high['held']} of {high['number']}")
    elif found["high"] is not None:
        parts.append(f"{print_rate(found['high'])} did not hold")
    if found["confidence"]:
        parts.append(f"confidence {found['confidence']:.0%}")
    if found["ended"] in ("interrupted", State.GIVEN_UP.value):
        parts.append(f"{found['ended']} after {len(found['trials'])} trials")
    return "; ".join(parts)


def _agreement(search: Search, rate: float | None) -> dict[str, int]:
    held, number = search.agreement(rate)
    return {"held": held, "number": number}
