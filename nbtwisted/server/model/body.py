"""Bodies: how long they are, and their bytes, piece by piece. Pure.

A body of 100 MB is never in memory: it is made while it is sent.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

from nbtwisted.server.model.headers import HeaderLines

__all__ = [
    "NOT_YET",
    "PIECE",
    "Arriving",
    "Body",
    "BodyBroke",
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


class _NotYet(bytes):
    """A piece that has not come."""


NOT_YET = _NotYet()
"""Stands in for the next piece of a body that arrives, while that has not come."""


class BodyBroke(Exception):
    """A body that was to arrive ended too early, in an orderly way or by a reset."""

    def __init__(self, reason: str, *, by_reset: bool) -> None:
        super().__init__(reason)
        self.by_reset = by_reset


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
        empty ones, so that others can have their turn; and one that has not come, by
        `NOT_YET`, behind which nothing is asked for until there is something.
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


class Arriving:
    """A body that arrives from elsewhere, piece by piece.

    length      bytes, as they were announced; 0 if they were not
    in_chunks   whether they were not
    trailers    fields that came behind it, once it is whole
    held        bytes that have come and were not taken
    wake        called when there is something after a `NOT_YET`

    `on_taken` is called when pieces are taken.
    """

    __slots__ = (
        *("_broke", "_is_whole", "_on_taken", "_waiting", "held", "in_chunks"),
        *("length", "trailers", "wake"),
    )

    def __init__(self, length: int | None, on_taken: Callable[[], None]) -> None:
        self.length = length or 0
        self.in_chunks = length is None
        self.trailers: HeaderLines = ()
        self.held = 0
        self.wake: Callable[[], None] = _nobody
        self._on_taken = on_taken
        self._waiting: deque[bytes] = deque()
        self._is_whole = False
        self._broke: BodyBroke | None = None

    def feed(self, piece: bytes) -> None:
        """A piece has come."""
        if piece:
            self._waiting.append(piece)
            self.held += len(piece)
            self.wake()

    def end(self, trailers: HeaderLines = ()) -> None:
        """All of it has come."""
        self.trailers = trailers
        self._is_whole = True
        self.wake()

    def fail(self, broke: BodyBroke) -> None:
        """No more will come, though it is not whole."""
        self._broke = broke
        self.wake()

    def pieces(self) -> Iterator[bytes]:
        """As every body's; raises `BodyBroke`."""
        while True:
            if self._waiting:
                piece = self._waiting.popleft()
                self.held -= len(piece)
                self._on_taken()
                yield piece
            elif self._broke is not None:
                raise self._broke
            elif self._is_whole:
                return
            else:
                yield NOT_YET


def _nobody() -> None:
    """Wake nobody."""


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
