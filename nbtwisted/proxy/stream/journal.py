"""The journal of links: those that are open, and the last that are over. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import Any

from nbtwisted.proxy.stream.samples import Samples

__all__ = ["JOURNAL_SIZE", "LinkEntry", "LinkJournal"]

JOURNAL_SIZE = 1_000
"""Links that are over and remembered: each takes up to 10 KB, mostly one."""


@dataclass(eq=False)
class LinkEntry:
    """One link.

    number     in the order in which they came, from 1
    came       Unix time, in seconds
    peer       the client's address and port
    up, down   bytes that passed to the upstream, and to the client
    took       seconds until it was over; None until then
    acting     names of the stages that act, or did at last, by direction
    upstream_error
               why there is no upstream, after the phase: `connect: …`
    rules      names of the rules that have acted
    outcome    `opening`, `open`, `stalled` (nothing passes in one direction, or did
               when both sides left), and then one of

        closed by client, closed by upstream   who ended first
        reset by client, reset by upstream     who broke the connection
        closed, reset                          by a stage
        upstream failed                        it could not be opened
        handshake failed                       the client's, in TLS
        loop                                   the upstream is the proxy itself
        refused                                too many links, or the proxy drains
        stopped                                with the proxy
    """

    number: int
    came: float
    peer: str
    up: int = 0
    down: int = 0
    took: float | None = None
    acting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    upstream_error: str | None = None
    rules: frozenset[str] = frozenset()
    outcome: str = "opening"
    samples: Samples = field(default_factory=Samples)

    def has_rule(self, name: str) -> bool:
        """Whether a stage of the rule of this name acts, or did at last."""
        names = chain.from_iterable(self.acting.values())
        return any(each.startswith((f"{name}: ", f"{name} (")) for each in names)

    def as_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return {
            "id": self.number,
            "time": _iso(self.came),
            "peer": self.peer,
            "state": self.outcome,
            "up": self.up,
            "down": self.down,
            "took": self.took,
            "stages": {side: list(names) for side, names in self.acting.items()},
            "upstream_error": self.upstream_error,
        }


class LinkJournal:
    """The open links, the last `size` that are over, and how all have ended.

    by_rule   links by the rules that have acted on them, open ones, too
    """

    def __init__(self, size: int = JOURNAL_SIZE) -> None:
        self.outcomes: Counter[str] = Counter()
        self.by_rule: Counter[str] = Counter()
        self.bytes_up = 0
        self.bytes_down = 0
        self._open: dict[int, LinkEntry] = {}
        self._over: deque[LinkEntry] = deque(maxlen=size)

    @property
    def open(self) -> int:
        """How many links are open."""
        return len(self._open)

    def newest_open(self) -> Iterator[LinkEntry]:
        """The open links, the newest first, as they are taken."""
        return reversed(self._open.values())

    def latest_over(self) -> Iterator[LinkEntry]:
        """The links that are over, the last to end first, as they are taken."""
        return reversed(self._over)

    def begin(self, entry: LinkEntry) -> None:
        """Note a link that begins."""
        self._open[entry.number] = entry

    def count_rules(self, entry: LinkEntry, rules: Set[str]) -> None:
        """Count a link for the rules that act on it, but for those that have before."""
        self.by_rule.update(rules - entry.rules)
        entry.rules |= rules

    def end(self, entry: LinkEntry) -> None:
        """Note that a link is over."""
        self._open.pop(entry.number, None)
        self._over.append(entry)
        self.outcomes[entry.outcome] += 1
        self.bytes_up += entry.up
        self.bytes_down += entry.down

    def entries(self, *, since: int = 0) -> Iterator[LinkEntry]:
        """The links whose number is larger, in their order."""
        both = chain(self._over, self._open.values())
        for entry in sorted(both, key=lambda each: each.number):
            if entry.number > since:
                yield entry

    def reset(self) -> None:
        """Forget the links that are over."""
        self._over.clear()
        self.outcomes.clear()
        self.by_rule.clear()
        self.bytes_up = self.bytes_down = 0


def _iso(seconds: float) -> str:
    time = datetime.fromtimestamp(seconds, timezone.utc)
    return time.isoformat().replace("+00:00", "Z")
