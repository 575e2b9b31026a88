"""How much a recording holds in memory, and may."""

from __future__ import annotations

from threading import Lock

__all__ = ["MOST_HELD", "Memory"]

MOST_HELD = 64 * 1024 * 1024
"""Bytes: as much as 64 bodies of the longest that are kept unless told."""


class Memory:
    """Counts bytes that are held; in any thread.

    `most` of them may be bodies. Heads may take a quarter more, so that an exchange
    whose body does not fit is recorded without that.
    """

    def __init__(self, most: int = MOST_HELD) -> None:
        self.held = 0
        self._most = most
        self._most_with_heads = most + most // 4
        self._lock = Lock()

    def take(self, wanted: int) -> int:
        """Hold so many bytes of a body, or as many as there is room for."""
        with self._lock:
            taken = max(min(wanted, self._most - self.held), 0)
            self.held += taken
        return taken

    def take_head(self, size: int) -> bool:
        """Hold a head; returns whether there is room for it."""
        with self._lock:
            has_room = self.held + size <= self._most_with_heads
            if has_room:
                self.held += size
        return has_room

    def release(self, size: int) -> None:
        """Hold so many bytes less."""
        with self._lock:
            self.held -= size
