"""Each way to break the wire: what is to be sent of an answer, and how it ends.

A fault turns a `Reply` into a `Transmission`, which is a plan and touches no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import chain
from random import Random

from nbtwisted.server.behaviour import Reply

__all__ = ["Ending", "Transmission", "transmission"]

SECONDS_A_HEADER_BYTE = 0.1
"""Of `slow-headers`: a head of 200 bytes takes 20 seconds."""

GARBAGE_SIZE = 200
"""Bytes of `garbage`, and of what `wrong-length` sends too many."""


class Ending(Enum):
    """What becomes of the connection when all pieces are sent."""

    FINISH = auto()
    """As HTTP has it: it may be used again."""
    CLOSE = auto()
    """Closed in an orderly way (FIN) when the pieces are sent."""
    RESET = auto()
    """Aborted at once (RST)."""
    HOLD = auto()
    """Kept open without a word, until the client leaves."""


@dataclass(frozen=True)
class Transmission:
    """What is to happen on the wire.

    First the head, if `has_head`, announcing `length` bytes or, if that is None,
    chunks; then `pieces`, framed as announced; then `raw` pieces, which are not framed,
    with `raw_interval` seconds between them; then the end. What ends with FINISH has
    no raw pieces. `is_answer` says whether there is a status in all this.
    """

    has_head: bool
    length: int | None
    pieces: Iterator[bytes]
    ending: Ending
    raw: Iterator[bytes] = field(default_factory=lambda: iter(()))
    raw_interval: float = 0.0
    is_answer: bool = True


def transmission(reply: Reply, piece_size: int | None, random: Random) -> Transmission:
    """The plan for a reply, whose body is cut into pieces of `piece_size` bytes.

    Without one, it is sent in its own pieces.
    """
    pieces = reply.body.pieces(piece_size)
    if reply.fault is not None:
        return _FAULTS[reply.fault](reply, pieces, random)
    length = None if reply.body.in_chunks else reply.body.length
    return Transmission(True, length, pieces, Ending.FINISH)


def _nothing(ending: Ending) -> Transmission:
    return Transmission(False, None, iter(()), ending, is_answer=False)


def _half(reply: Reply, pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = reply.body.length // 2
    for piece in pieces:
        if left:
            yield piece[:left]
        if left <= len(piece):
            return
        left -= len(piece)


def _reset(reply: Reply, pieces: Iterator[bytes], random: Random) -> Transmission:
    return _nothing(Ending.RESET)


def _empty(reply: Reply, pieces: Iterator[bytes], random: Random) -> Transmission:
    return _nothing(Ending.CLOSE)


def _garbage(reply: Reply, pieces: Iterator[bytes], random: Random) -> Transmission:
    # The first byte is not ASCII: no chance garbage is an answer.
    garbage = b"\xff" + random.randbytes(GARBAGE_SIZE - 1)
    return Transmission(
        False, None, iter(()), Ending.CLOSE, iter([garbage]), is_answer=False
    )


def _malformed_chunk(
    reply: Reply, pieces: Iterator[bytes], random: Random
) -> Transmission:
    not_a_chunk = b"this is no chunk size\r\n"
    return Transmission(
        True, None, _half(reply, pieces), Ending.CLOSE, iter([not_a_chunk])
    )


def _truncate(reply: Reply, pieces: Iterator[bytes], random: Random) -> Transmission:
    # An empty body is announced as one byte, so that there is something to miss.
    length = max(reply.body.length, 1)
    return Transmission(True, length, _half(reply, pieces), Ending.CLOSE)


def _wrong_length(
    reply: Reply, pieces: Iterator[bytes], random: Random
) -> Transmission:
    too_many = b"x" * GARBAGE_SIZE
    return Transmission(
        True, reply.body.length, chain(pieces, [too_many]), Ending.CLOSE
    )


def _stall(reply: Reply, pieces: Iterator[bytes], random: Random) -> Transmission:
    return _nothing(Ending.HOLD)


def _stall_body(reply: Reply, pieces: Iterator[bytes], random: Random) -> Transmission:
    length = max(reply.body.length, 1)
    return Transmission(True, length, _half(reply, pieces), Ending.HOLD)


def _slow_headers(
    reply: Reply, pieces: Iterator[bytes], random: Random
) -> Transmission:
    lines = [f"HTTP/1.1 {reply.status} {reply.reason}", "Connection: close"]
    lines += [f"{n}: {v}" for n, v in reply.headers if n.lower() != "connection"]
    lines.append(f"Content-Length: {reply.body.length}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    head_bytes = (head[i : i + 1] for i in range(len(head)))
    return Transmission(
        False,
        None,
        iter(()),
        Ending.CLOSE,
        chain(head_bytes, pieces),
        SECONDS_A_HEADER_BYTE,
    )


_FAULTS: dict[str, Callable[[Reply, Iterator[bytes], Random], Transmission]] = {
    "reset": _reset,
    "empty": _empty,
    "garbage": _garbage,
    "malformed-chunk": _malformed_chunk,
    "truncate": _truncate,
    "wrong-length": _wrong_length,
    "stall": _stall,
    "stall-body": _stall_body,
    "slow-headers": _slow_headers,
}
