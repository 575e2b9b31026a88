"""An answer as the bytes that are sent of it, but for what is known only then. Pure.

For answers that go out in one piece: those of which nothing is dripped, paced, cut in
chunks or broken.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.web.server import version as SERVER

from nbtwisted.server.model.behaviour import BODILESS, Behaviour, Reply

__all__ = ["LARGEST_READY", "Ready", "fits", "is_in_one_piece", "milliseconds", "ready"]

LARGEST_READY = 8 * 1024
"""Bytes of a body that is kept as it is to be sent."""


@dataclass(frozen=True)
class Ready:
    """`before`, the date, `between`, the milliseconds that it was held, `after`."""

    asked: float
    status: int
    before: bytes
    between: bytes
    after: bytes
    sent: int
    """Bytes of the body."""

    def at(self, held: float, date: bytes) -> bytes:
        """What is sent when it was held for so many seconds. `date` is as HTTP's."""
        return b"".join(
            (self.before, date, self.between, milliseconds(held), self.after)
        )


def is_in_one_piece(behaviour: Behaviour) -> bool:
    """Whether an answer is sent at one time, unbroken, as far as its body lets it."""
    return not (
        behaviour.drip
        or behaviour.rate
        or behaviour.interval
        or behaviour.fault
        or behaviour.limit
    )


def fits(reply: Reply) -> bool:
    """Whether a reply is small enough to be made ready, and its head simple enough."""
    names = {name.lower() for name, _ in reply.headers}
    body = reply.body
    is_small = not body.in_chunks and body.length <= LARGEST_READY
    return is_small and not names & {"connection", "date", "server"}


def ready(reply: Reply, connection: bytes) -> Ready:
    """The bytes of a reply that fits.

    `connection` is what the header Connection is to say, if anything.
    """
    body = reply.body
    # In the order in which twisted.web's requests send them.
    before = [f"HTTP/1.1 {reply.status} {reply.reason}".encode()]
    if connection:
        before.append(b"Connection: " + connection)
    before += [b"Server: " + SERVER, b"Date: "]
    between = [b""]
    if reply.status not in BODILESS:
        between.append(b"Content-Length: %d" % body.length)
    between += [f"{name}: {value}".encode() for name, value in reply.headers]
    between.append(
        b"Server-Timing: asked;dur=%b, held;dur=" % milliseconds(reply.asked)
    )
    content = b"".join(body.pieces()) if reply.has_body else b""
    return Ready(
        reply.asked,
        reply.status,
        b"\r\n".join(before),
        b"\r\n".join(between),
        b"\r\n\r\n" + content,
        len(content),
    )


def milliseconds(seconds: float) -> bytes:
    """Milliseconds with one decimal, if it is not 0."""
    return (b"%.1f" % (seconds * 1000)).removesuffix(b".0")
