"""The totals of a journal as JSON values. Pure."""

from __future__ import annotations

from typing import Any

from nbtwisted.server.engine.journal import Journal

__all__ = ["totals_as_json"]


def totals_as_json(journal: Journal) -> dict[str, Any]:
    """The totals since the last reset."""
    totals = journal.totals
    by_status: dict[str, int] = {}
    by_fault: dict[str, int] = {}
    for (status, fault), count in totals.by_status_and_fault.items():
        for by, name in ((by_status, status), (by_fault, fault)):
            by[str(name or "none")] = by.get(str(name or "none"), 0) + count
    return {
        "in_flight": journal.in_flight,
        "requests": journal.came,
        "outcomes": dict(totals.outcomes),
        "cancelled": totals.outcomes["cancelled"],
        "by_status": by_status,
        "by_fault": by_fault,
    }
