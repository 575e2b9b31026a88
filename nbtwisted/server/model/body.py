"""Bodies: how long they are, and their bytes, piece by piece. Pure.

A body of 100 MB is never in memory: it is made while it is sent.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

__all__ = [
    "PIECE",
    "Body",
    "Endless",
    "Filler",
    "Generated",
    "Letters",
    "Noise",
    "RandomBytes",
    "Whole",
]

PIECE = 64 * 1024
"""Bytes: the most that are made at a time."""

RANDOM_PIECE = 10 * 1024
"""The same of random bytes, unless told; the chunk size of httpbin."""

RANDOM_STEP = 2 * 1024
"""Random bytes that are drawn at a time: 0.6 ms."""


class Body(Protocol):
    """The content of a response."""

    @property
    def length(self) -> int:
        """Bytes."""

    @property
    def in_chunks(self) -> bool:
        """Whether it is sent in chunks, and its length not announced."""

    def pieces(self) -> Iterator[bytes]:
        """The bytes, in pieces as they come naturally.

        Each step takes 2 ms at most. A piece that takes longer to make is preceded by
        empty ones, so that others can have their turn.
        """


@dataclass(frozen=True)
class Whole:
    """Bytes that are there."""

    content: bytes
    in_chunks: bool = False

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.content)

    def pieces(self) -> Iterator[bytes]:
        """As every body's."""
        for start in range(0, len(self.content), PIECE):
            yield self.content[start : start + PIECE]


@dataclass(frozen=True)
class Filler:
    """`length` times the byte `*`, as httpbin fills."""

    length: int
    in_chunks: bool = False

    def pieces(self) -> Iterator[bytes]:
        """As every body's."""
        for start in range(0, self.length, PIECE):
            yield b"*" * min(PIECE, self.length - start)


@dataclass(frozen=True)
class Letters:
    """The alphabet again and again, of which the first `start` letters are left out."""

    start: int
    length: int
    piece_size: int = PIECE
    in_chunks: bool = False

    def pieces(self) -> Iterator[bytes]:
        """As every body's."""
        alphabet = b"abcdefghijklmnopqrstuvwxyz"
        end = self.start + self.length
        for start in range(self.start, end, self.piece_size):
            skipped = start % 26
            wanted = min(self.piece_size, end - start)
            letters = alphabet * ((skipped + wanted) // 26 + 1)
            yield letters[skipped : skipped + wanted]


@dataclass(frozen=True)
class RandomBytes:
    """The bytes that httpbin draws from the same seed."""

    length: int
    seed: int
    piece_size: int = RANDOM_PIECE
    in_chunks: bool = False

    def pieces(self) -> Iterator[bytes]:
        """As every body's."""
        random = Random(self.seed)
        left, made = self.length, b""
        while left:
            wanted = min(self.piece_size, left)
            while len(made) < wanted:
                made += _randint_0_255(random, min(wanted, RANDOM_STEP))
                if len(made) < wanted:
                    yield b""
            yield made[:wanted]
            made = made[wanted:]
            left -= wanted


@dataclass(frozen=True)
class Noise:
    """Bytes that are drawn from `random` while they are sent."""

    length: int
    random: Random
    piece_size: int = RANDOM_PIECE
    in_chunks: bool = False

    def pieces(self) -> Iterator[bytes]:
        """As every body's, but that they can be made only once."""
        for start in range(0, self.length, self.piece_size):
            yield self.random.randbytes(min(self.piece_size, self.length - start))


@dataclass(frozen=True)
class Generated:
    """Pieces that are made when they are sent: `make` begins anew for each answer."""

    make: Callable[[], Iterator[bytes]]
    in_chunks: bool = True

    @property
    def length(self) -> int:
        """Bytes."""
        return sum(map(len, self.make()))

    def pieces(self) -> Iterator[bytes]:
        """As every body's."""
        return self.make()


class Endless(Generated):
    """Pieces as things happen, until the client leaves.

    Each is made when it is sent, and not before: slow readers miss some, and none wait.
    """

    @property
    def length(self) -> int:
        """None that could be told; whoever needs it has to be refused."""
        raise ValueError("a body without an end has no length")


def _randint_0_255(random: Random, about: int) -> bytes:
    """Draw as calls of `random.randint(0, 255)` do, more than twice as fast.

    Each call takes the upper nine bits of a 32-bit word, and takes another word when
    they are 256 or more (0.6 µs each; this takes 0.28).
    """
    words = struct.unpack(f"<{2 * about}I", random.randbytes(8 * about))
    return bytes([word >> 23 for word in words if word < 2**31])
