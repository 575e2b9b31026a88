"""The workers of a run on a cluster, for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbtwisted.load.text_table import table_lines

__all__ = ["worker_lines"]

_HEAD = ("worker", "answered", "failed", "req/s", "p99", "core", "clock", "began")

MOST_ROWS = 20
"""Workers that are printed."""


def worker_lines(workers: Sequence[dict[str, Any]]) -> list[str]:
    """A table of them, those that were lost first; of very many, the first."""
    shown = sorted(workers, key=lambda worker: worker["lost"] is None)[:MOST_ROWS]
    rows = [(*_HEAD, ""), *map(_row, shown)]
    lines = ["Workers:", *table_lines(rows, alignment="<>>>>>>><")]
    if len(workers) > MOST_ROWS:
        lines.append(f"  and {len(workers) - MOST_ROWS} more (--json has all)")
    return lines


def _row(worker: dict[str, Any]) -> tuple[str, ...]:
    skew = worker["skew"]
    return (
        worker["name"],
        str(worker["answered"]),
        str(worker["failed"]),
        f"{worker['rps']:.2f}",
        f"{worker['p99'] * 1000:.3f} ms",
        f"{worker['cpu']:.0%}",
        f"{worker['clock']:+.4f} s ({worker['clock_uncertainty'] * 1000:.1f} ms)",
        "never" if skew is None else f"{skew * 1000:+.1f} ms",
        "" if worker["lost"] is None else f"lost: {worker['lost']}",
    )
