"""What came of the requests of each label. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.text_table import table_lines

__all__ = ["label_figures", "label_lines"]

_HEAD = ("", "weight", "sent", "failed", "p50", "p99", "slowest")

_UNLABELLED = "(no label)"


def label_figures(
    tally: Tally, weights: Mapping[str, int], *, seconds: float, is_open: bool
) -> list[dict[str, Any]]:
    """A row for each label, as JSON values, in the order of the weights.

    `uncorrected` is None where latencies do not count from when requests were due.
    """
    return [
        _figures(label, weight, tally.by_label.get(label, Tally()), seconds, is_open)
        for label, weight in weights.items()
    ]


def _figures(
    label: str, weight: int, tally: Tally, seconds: float, is_open: bool
) -> dict[str, Any]:
    return {
        "label": label,
        "weight": weight,
        "sent": tally.sent,
        "answered": tally.answered,
        "failed": tally.failed,
        "timed_out": tally.timed_out,
        "resent": tally.resent,
        "rps": tally.answered / seconds if seconds else 0.0,
        "bytes": tally.bytes,
        "latency": tally.latencies.figures(),
        "uncorrected": tally.service.figures() if is_open else None,
        "statuses": {str(s): n for s, n in sorted(tally.statuses.items())},
    }


def label_lines(labels: Sequence[dict[str, Any]]) -> list[str]:
    """A table of them, for people."""
    rows = [_HEAD, *map(_row, labels)]
    return ["By label:", *table_lines(rows, alignment="<>>>>>>")]


def _row(label: dict[str, Any]) -> tuple[str, ...]:
    latency = label["latency"]
    return (
        label["label"] or _UNLABELLED,
        str(label["weight"]),
        str(label["sent"]),
        str(label["failed"]),
        *(
            f"{latency[name] * 1000:.3f} ms" if latency["max"] else "-"
            for name in ("p50", "p99", "max")
        ),
    )
