"""Finds that the upstream of a proxy is the proxy itself. Pure."""

from __future__ import annotations

__all__ = ["Address", "Loops"]

Address = tuple[str, int]
"""A host and a port."""


class Loops:
    """Where the connections of a proxy's links come from, at both ends.

    A connection that comes from where another one of the proxy's own begins is that
    one. Which of its two ends is told first is left to chance.
    """

    def __init__(self) -> None:
        self._clients: dict[Address, int] = {}
        self._upstreams: dict[Address, int] = {}
        self._of_links: dict[int, list[tuple[dict[Address, int], Address]]] = {}

    def add_client(self, number: int, address: Address) -> bool:
        """Note where a link's client is; returns whether that is the proxy itself."""
        self._note(self._clients, number, address)
        return address in self._upstreams

    def add_upstream(self, number: int, address: Address) -> bool:
        """Note where a connection to the upstream begins; returns as `add_client`."""
        self._note(self._upstreams, number, address)
        return address in self._clients

    def _note(self, ends: dict[Address, int], number: int, address: Address) -> None:
        ends[address] = number
        self._of_links.setdefault(number, []).append((ends, address))

    def forget(self, number: int) -> None:
        """Forget a link that is over."""
        for ends, address in self._of_links.pop(number, ()):
            # Its port may be another link's by now.
            if ends.get(address) == number:
                del ends[address]
