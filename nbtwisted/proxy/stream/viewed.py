"""Links of one port, or of several, for the server's live page. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from nbtwisted.proxy.stream.journal import LinkEntry, LinkJournal
from nbtwisted.server.routes.viewing_links import PlacedLink

__all__ = ["ViewedLinks"]


class ViewedLinks:
    """The links of ports, as the live page's viewers look at them.

    `ports` gives the journal of each port that there is, and a name that no other has;
    one without others needs none.
    """

    def __init__(self, ports: Callable[[], Iterable[tuple[str, LinkJournal]]]) -> None:
        self._ports = ports

    @property
    def open(self) -> int:
        """How many are open."""
        return sum(journal.open for _, journal in self._ports())

    @property
    def came(self) -> int:
        """How many have come since the last reset."""
        return self.open + self.outcomes.total()

    @property
    def up(self) -> int:
        """Bytes that passed to upstreams in those that are over."""
        return sum(journal.bytes_up for _, journal in self._ports())

    @property
    def down(self) -> int:
        """Bytes that passed to clients in those that are over."""
        return sum(journal.bytes_down for _, journal in self._ports())

    @property
    def outcomes(self) -> Counter[str]:
        """How many ended how."""
        outcomes: Counter[str] = Counter()
        for _, journal in self._ports():
            outcomes += journal.outcomes
        return outcomes

    def newest_open(self) -> Iterator[PlacedLink]:
        """Those that are open, the newest first."""
        return _merged(
            [_placed(name, it.newest_open()) for name, it in self._ports()],
            lambda placed: placed.link.came,
        )

    def latest_over(self) -> Iterator[PlacedLink]:
        """The last that are over, the last to end first."""
        return _merged(
            [_placed(name, it.latest_over()) for name, it in self._ports()],
            lambda placed: placed.link.came + (placed.link.took or 0.0),
        )


def _placed(name: str, entries: Iterator[LinkEntry]) -> Iterator[PlacedLink]:
    return (PlacedLink(name, entry) for entry in entries)


def _merged(
    each: list[Iterator[PlacedLink]], when: Callable[[PlacedLink], float]
) -> Iterator[PlacedLink]:
    return each[0] if len(each) == 1 else heapq.merge(*each, key=when, reverse=True)
