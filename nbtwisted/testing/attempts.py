"""The pauses of a client that tries again, as the journal shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

__all__ = ["gaps_between"]


def gaps_between(requests: Sequence[Mapping[str, Any]]) -> list[float]:
    """Seconds from the end of each request of a journal to the start of the next.

    How long a request itself took is not among them. The gap is 0 where the next one
    came before the end.
    """
    return [_gap(before, after) for before, after in pairwise(requests)]


def _gap(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    if before["took"] is None:
        return 0.0
    ended: float = _seconds(before["time"]) + before["took"]
    return max(_seconds(after["time"]) - ended, 0.0)


def _seconds(time: str) -> float:
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
