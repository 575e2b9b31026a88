"""The totals of the links of several ports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nbtwisted.proxy.stream.listener import StreamProxy

__all__ = ["LinkTotals", "totals_of"]


@dataclass
class LinkTotals:
    """Totals since the last reset.

    open      links that are open
    outcomes  how many of the others ended how
    up, down  bytes that have passed, those of open links too
    """

    open: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    up: int = 0
    down: int = 0

    def as_json(self) -> dict[str, Any]:
        """The totals as JSON values."""
        return {
            "links": self.open + self.outcomes.total(),
            "open": self.open,
            "outcomes": dict(self.outcomes),
            "up": self.up,
            "down": self.down,
        }


def totals_of(proxies: Iterable[StreamProxy]) -> LinkTotals:
    """Add up the links of all of these."""
    totals = LinkTotals()
    for proxy in proxies:
        totals.open += len(proxy.links)
        totals.outcomes += proxy.journal.outcomes
        totals.up += proxy.journal.bytes_up
        totals.down += proxy.journal.bytes_down
        for link in proxy.links:
            totals.up += link.bytes_up
            totals.down += link.bytes_down
    return totals
