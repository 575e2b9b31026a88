"""Finds that the upstream of a proxy is the proxy itself. Pure."""

from __future__ import annotations

__all__ = ["Address", "Loops"]

Address = tuple[str, int]
"""A host and a port."""


class Loops:
    """Where the connections of a proxy's links come from, at both ends.

    A connection that comes from where another one of the proxy's own begins is that
    one. Which of its two ends is heard of first is left to chance.
    """

    def __init__(self) -> None:
        self._clients: dict[Address, int] = {}
        self._upstreams: dict[Address, int] = {}
        self._of_links: dict[int, list[tuple[dict[Address, int], Address]]] = {}

    def add_client(self, number: int, address: Address) -> int | None:
        """Note where a link's client is; returns the link whose upstream that is."""
        self._note(self._clients, number, address)
        return self._upstreams.get(address)

    def add_upstream(self, number: int, address: Address) -> int | None:
        """Note where a link's upstream begins; returns the link whose client it is."""
        self._note(self._upstreams, number, address)
        return self._clients.get(address)

    def _note(self, ends: dict[Address, int], number: int, address: Address) -> None:
        ends[address] = number
        self._of_links.setdefault(number, []).append((ends, address))

    def forget(self, number: int) -> None:
        """Forget a link that is over."""
        for ends, address in self._of_links.pop(number, ()):
            # Its port may be another link's by now.
            if ends.get(address) == number:
                del ends[address]
