"""Each way to break the wire: what is to be sent of an answer, and how it ends.

A fault turns a `Reply` into a `Transmission`, which is a plan and touches no socket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from nbtwisted.server.model.behaviour import BODILESS, Reply
from nbtwisted.server.model.pace import Paced

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
    chunks; then `pieces`, framed as announced. Without a head, `slow_head` comes in its
    place, a byte at a time, and the pieces are not framed. Then `junk`, and the end.
    What ends with FINISH has a head and no junk.
    """

    has_head: bool
    length: int | None
    pieces: Paced
    ending: Ending
    slow_head: bytes = b""
    junk: bytes = b""

    @property
    def is_answer(self) -> bool:
        """Whether there is a status in all this."""
        return self.has_head or bool(self.slow_head)


def transmission(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    """The plan for a reply whose body comes in these pieces."""
    if reply.fault is not None:
        return _FAULTS[reply.fault](reply, pieces, random)
    length = None if reply.body.in_chunks else reply.body.length
    return Transmission(True, length, pieces, Ending.FINISH)


def _nothing(ending: Ending) -> Transmission:
    return Transmission(False, None, iter(()), ending)


def _half(reply: Reply, pieces: Paced) -> Paced:
    left = reply.body.length // 2
    for piece, interval in pieces:
        if left:
            yield piece[:left], interval
        if left <= len(piece):
            return
        left -= len(piece)


def _reset(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    return _nothing(Ending.RESET)


def _empty(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    return _nothing(Ending.CLOSE)


def _garbage(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    # The first byte is not ASCII: no chance garbage is an answer.
    garbage = b"\xff" + random.randbytes(GARBAGE_SIZE - 1)
    return Transmission(False, None, iter(()), Ending.CLOSE, junk=garbage)


def _malformed_chunk(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    not_a_chunk = b"this is no chunk size\r\n" if reply.has_body else b""
    return Transmission(
        True, None, _half(reply, pieces), Ending.CLOSE, junk=not_a_chunk
    )


def _truncate(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    # An empty body is announced as one byte, so that there is something to miss.
    length = max(reply.body.length, 1)
    return Transmission(True, length, _half(reply, pieces), Ending.CLOSE)


def _wrong_length(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    too_many = b"x" * GARBAGE_SIZE if reply.has_body else b""
    return Transmission(True, reply.body.length, pieces, Ending.CLOSE, junk=too_many)


def _stall(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    return _nothing(Ending.HOLD)


def _stall_body(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    length = max(reply.body.length, 1)
    return Transmission(True, length, _half(reply, pieces), Ending.HOLD)


def _slow_headers(reply: Reply, pieces: Paced, random: Random) -> Transmission:
    lines = [f"HTTP/1.1 {reply.status} {reply.reason}", "Connection: close"]
    lines += [f"{n}: {v}" for n, v in reply.headers if n.lower() != "connection"]
    if reply.status not in BODILESS:
        lines.append(f"Content-Length: {reply.body.length}")
    # As twisted.web encodes them.
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return Transmission(False, None, pieces, Ending.CLOSE, slow_head=head)


_FAULTS: dict[str, Callable[[Reply, Paced, Random], Transmission]] = {
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
