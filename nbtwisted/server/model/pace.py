"""How fast a body is sent: its pieces, and the seconds between them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

from nbtwisted.server.model.behaviour import Reply
from nbtwisted.server.model.body import NOT_YET, PIECE, Endless

__all__ = ["Paced", "paced"]

PIECES_A_SECOND = 20
"""How many pieces a `_rate` cuts a second into."""

Paced = Iterable[tuple[bytes, float]]
"""Pieces, and the seconds from each to the next."""


def paced(reply: Reply) -> Paced:
    """The pieces of a reply's body, as they are to be dripped or rated."""
    body = reply.body
    if not reply.has_body:
        return ()
    if reply.drip is not None:
        chunks, seconds = reply.drip.chunks, reply.drip.seconds
        if body.in_chunks and not body.length:
            return _apart(body.pieces(), chunks, seconds)
        return _cut(body.pieces(), _drops(body.length, chunks, seconds))
    if reply.rate is not None:
        size = min(max(int(reply.rate / PIECES_A_SECOND), 1), PIECE)
        return _cut(body.pieces(), repeat((size, size / reply.rate)))
    if isinstance(body, Endless):
        return _as_they_happen(body.pieces(), reply.interval)
    if reply.interval:
        return _spread(body.pieces(), reply.interval)
    return ((piece, 0.0) for piece in body.pieces())


def _apart(pieces: Iterator[bytes], chunks: int, seconds: float) -> Paced:
    """The first pieces of a body whose length is not known, with pauses between."""
    interval = seconds / max(chunks - 1, 1)
    for piece in pieces:
        if piece is NOT_YET:
            yield piece, 0.0
            continue
        chunks -= 1
        yield piece, interval if chunks > 0 else 0.0


def _spread(pieces: Iterator[bytes], interval: float) -> Iterator[tuple[bytes, float]]:
    """Pieces with so many seconds between; a single one comes when they are over."""
    first, second = next(pieces, b""), next(pieces, None)
    if second is None:
        yield b"", interval
        yield first, 0.0
        return
    for piece in (first, second):
        yield piece, interval
    for piece in pieces:
        yield piece, interval


def _as_they_happen(pieces: Iterator[bytes], interval: float) -> Paced:
    """Pieces that are made when they are sent.

    The sender takes one piece ahead, to see which is the last. So the interval stands
    behind a piece of nothing, and another one is what it takes ahead while it waits.
    """
    for piece in pieces:
        yield piece, 0.0
        yield b"", interval
        yield b"", 0.0


def _drops(length: int, chunks: int, seconds: float) -> Iterator[tuple[int, float]]:
    """The sizes of so many chunks, which differ by a byte at most, and their pace.

    What is too large to be made at once goes in several pieces at the same time.
    """
    chunks = min(chunks, length)
    interval = seconds / max(chunks - 1, 1)
    for number in range(chunks):
        left = length * (number + 1) // chunks - length * number // chunks
        while left > PIECE:
            yield PIECE, 0.0
            left -= PIECE
        yield left, interval


def _cut(pieces: Iterator[bytes], sizes: Iterable[tuple[int, float]]) -> Paced:
    """Cut and join pieces to the sizes that are wanted.

    Where many have to be joined, a piece of nothing stands for each of them.
    """
    waiting = bytearray()
    for size, interval in sizes:
        while len(waiting) < size:
            piece = next(pieces, None)
            if piece is NOT_YET:
                yield piece, 0.0
                continue
            if piece is None:
                if waiting:
                    yield bytes(waiting), interval
                return
            waiting += piece
            if len(waiting) < size:
                yield b"", 0.0
        yield bytes(waiting[:size]), interval
        del waiting[:size]
