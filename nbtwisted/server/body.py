"""Bodies: how long they are, and their bytes, piece by piece. Pure.

A body of 100 MB is never in memory: it is made while it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

__all__ = ["PIECE", "Body", "Filler", "Whole"]

PIECE = 64 * 1024
"""Bytes made at a time, unless somebody asks for other pieces."""


class Body(Protocol):
    """What an answer says after its head."""

    @property
    def length(self) -> int:
        """Bytes."""

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """The bytes, in pieces of `size` but for the last, which may be shorter."""


@dataclass(frozen=True)
class Whole:
    """Bytes that are there."""

    content: bytes

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.content)

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """As every body's."""
        for start in range(0, len(self.content), size):
            yield self.content[start : start + size]


@dataclass(frozen=True)
class Filler:
    """`length` times the byte `*`, as httpbin fills."""

    length: int

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """As every body's."""
        for start in range(0, self.length, size):
            yield b"*" * min(size, self.length - start)
