"""Finds that the upstream of a proxy is the proxy itself. Pure."""

from __future__ import annotations

__all__ = ["Address", "Loops", "Path"]

Address = tuple[str, int]
"""A host and a port."""

Path = tuple[Address, Address]
"""From where to where a connection was made. Its port alone tells it from no other: the
kernel gives one to two connections that go to different places."""


class Loops:
    """The connections of a proxy's links, by where they were made from and to.

    One that comes to the proxy is the same as one that it made itself, if both are
    equal. Which of its two ends is heard of first is left to chance.
    """

    def __init__(self) -> None:
        self._clients: dict[Path, int] = {}
        self._upstreams: dict[Path, int] = {}
        self._of_links: dict[int, list[tuple[dict[Path, int], Path]]] = {}

    def add_client(self, number: int, path: Path) -> int | None:
        """Note how a link's client came; returns the link whose upstream that is."""
        self._note(self._clients, number, path)
        return self._upstreams.get(path)

    def add_upstream(self, number: int, path: Path) -> int | None:
        """Note how a link's upstream was made; returns the link whose client it is."""
        self._note(self._upstreams, number, path)
        return self._clients.get(path)

    def _note(self, ends: dict[Path, int], number: int, path: Path) -> None:
        ends[path] = number
        self._of_links.setdefault(number, []).append((ends, path))

    def forget(self, number: int) -> None:
        """Forget a link that is over."""
        for ends, path in self._of_links.pop(number, ()):
            # It may be another link's by now.
            if ends.get(path) == number:
                del ends[path]
