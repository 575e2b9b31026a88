"""Each way to break the wire: what is sent of a response, and how it ends. Pure.

A fault turns a `Reply` into a `Transmission`, which is a plan and touches no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from random import Random
from typing import NamedTuple

from nbtwisted.server.model.behaviour import Reply
from nbtwisted.server.model.body import NOT_YET, PIECE, Arriving, Whole
from nbtwisted.server.model.pace import Paced, paced

__all__ = ["AS_IT_CAME", "SECONDS_A_HEADER_BYTE", "Ending", "HeadPace", "transmission"]

SECONDS_A_HEADER_BYTE = 0.1
"""The pace of `slow-headers`: a head of 200 bytes takes 20 seconds."""

GARBAGE_SIZE = 200
"""Bytes of `garbage`, and of what `wrong-length` sends too many."""


AS_IT_CAME = "as it came"
"""The fault of a reply whose body is all that is sent, head or not."""


HeadPace = Enum("HeadPace", "AT_ONCE BYTE_BY_BYTE NEVER")
"""How the head is sent."""


class Ending(Enum):
    """The fate of the connection when all pieces are sent."""

    FINISH = auto()
    """As HTTP has it: it may be used again."""
    CLOSE = auto()
    """Closed in an orderly way (FIN) when the pieces are sent."""
    RESET = auto()
    """Aborted at once (RST)."""
    HOLD = auto()
    """Kept open without a word, until the client leaves."""


class Transmission(NamedTuple):
    """A plan of the wire: the head, the pieces, the junk, and the end.

    head        how the head is sent
    length      bytes that the head announces, or None for chunks
    content     a body that is there, and sent with the head
    pieces      a body that is made while it is sent, in place of `content`
    ending      what becomes of the connection
    junk        bytes that follow the body, without a frame
    """

    head: HeadPace
    length: int | None
    content: bytes
    pieces: Paced | None
    ending: Ending
    junk: bytes = b""


def transmission(reply: Reply, random: Random) -> Transmission:
    """The plan for a reply; `random` is the request's own."""
    if reply.fault is not None:
        return _FAULTS[reply.fault](reply, random)
    body = reply.body
    length = None if body.in_chunks else body.length
    content, pieces = b"", None
    if reply.has_body:
        is_paced = reply.drip or reply.rate or reply.interval
        if isinstance(body, Whole) and body.length <= PIECE and not is_paced:
            content = body.content
        else:
            pieces = paced(reply)
    return Transmission(HeadPace.AT_ONCE, length, content, pieces, Ending.FINISH)


def _nothing(ending: Ending, junk: bytes = b"") -> Transmission:
    return Transmission(HeadPace.NEVER, 0, b"", None, ending, junk)


def _half(reply: Reply, ending: Ending) -> Transmission:
    # An empty body is announced as one byte, so that there is something to miss.
    length = None if _is_endless(reply) else max(reply.body.length, 1)
    return Transmission(HeadPace.AT_ONCE, length, b"", _first_half(reply), ending)


def _is_endless(reply: Reply) -> bool:
    """Whether nobody knows yet how long the body will be."""
    return isinstance(reply.body, Arriving) and reply.body.in_chunks


def _first_half(reply: Reply) -> Iterator[tuple[bytes, float]]:
    left = None if _is_endless(reply) else reply.body.length // 2
    for piece, interval in paced(reply):
        if piece is NOT_YET:
            yield piece, interval
            continue
        if left is None:
            # Half of the first piece, if nobody knows how long the body is.
            left = len(piece) // 2
        if left:
            yield piece[:left], interval
        if left <= len(piece):
            return
        left -= len(piece)


def _malformed_chunk(reply: Reply, random: Random) -> Transmission:
    not_a_chunk = b"this is no chunk size\r\n" if reply.has_body else b""
    return _half(reply, Ending.CLOSE)._replace(length=None, junk=not_a_chunk)


def _whole(reply: Reply, head: HeadPace = HeadPace.AT_ONCE) -> Transmission:
    length = None if _is_endless(reply) else reply.body.length
    return Transmission(head, length, b"", paced(reply), Ending.CLOSE)


def _wrong_length(reply: Reply, random: Random) -> Transmission:
    return _whole(reply)._replace(junk=b"x" * GARBAGE_SIZE if reply.has_body else b"")


def _garbage(reply: Reply, random: Random) -> Transmission:
    # The first byte is not ASCII: no chance garbage is a response.
    return _nothing(Ending.CLOSE, b"\xff" + random.randbytes(GARBAGE_SIZE - 1))


_FAULTS: dict[str, Callable[[Reply, Random], Transmission]] = {
    "reset": lambda reply, random: _nothing(Ending.RESET),
    "empty": lambda reply, random: _nothing(Ending.CLOSE),
    "garbage": _garbage,
    "malformed-chunk": _malformed_chunk,
    "truncate": lambda reply, random: _half(reply, Ending.CLOSE),
    "wrong-length": _wrong_length,
    "stall": lambda reply, random: _nothing(Ending.HOLD),
    "stall-body": lambda reply, random: _half(reply, Ending.HOLD),
    "slow-headers": lambda reply, random: _whole(reply, HeadPace.BYTE_BY_BYTE),
    # Not to be asked for: what an upstream said that makes no sense.
    AS_IT_CAME: lambda reply, random: _nothing(
        Ending.CLOSE, b"".join(reply.body.pieces())
    ),
}
