"""Puts a `Transmission` on the wire: at its pace, and no faster than it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.server import Request
from zope.interface import implementer

from nbtwisted.server.model.behaviour import BODILESS, Reply
from nbtwisted.server.model.faults import SECONDS_A_HEADER_BYTE, Ending, Transmission
from nbtwisted.server.model.pace import Paced

__all__ = ["send"]


async def send(
    reply: Reply,
    plan: Transmission,
    request: Request,
    clock: IReactorTime,
    count: Callable[[int], None],
) -> None:
    """Send an answer through twisted.web.

    Returns when all is sent that will be, or is in the transport's buffer, and the
    connection has been told how to end. `count` is told how many bytes of the body
    were sent, as they are.
    """
    channel: Any = request.channel
    if plan.has_head:
        _send_head(reply, plan, request)
    elif plan.slow_head:
        head = (
            (plan.slow_head[i : i + 1], SECONDS_A_HEADER_BYTE)
            for i in range(len(plan.slow_head))
        )
        await _Sender(head, channel.write, request, clock).sent
    write = request.write if plan.has_head else channel.write

    def counted(piece: bytes) -> None:
        count(len(piece))
        write(piece)

    if reply.has_body:
        await _Sender(plan.pieces, counted, request, clock).sent
    if plan.ending is Ending.FINISH:
        return
    if plan.junk:
        # After what twisted.web may keep of the body, to send it with its framing.
        channel.write(plan.junk)
    if plan.ending is Ending.CLOSE:
        channel.loseConnection()
    elif plan.ending is Ending.RESET:
        # To abort a TCP connection is to send RST.
        channel.transport.abortConnection()


def _send_head(reply: Reply, plan: Transmission, request: Request) -> None:
    # twisted.web's own reasons lack 429 and others.
    request.setResponseCode(reply.status, reply.reason.encode())
    if plan.length is not None and reply.status not in BODILESS:
        request.setHeader("Content-Length", str(plan.length))
    given = set()
    if request.responseHeaders.getRawHeaders(b"connection") and any(
        name.lower() == "connection" and value.lower() != "close"
        for name, value in reply.headers
    ):
        # What twisted.web says of the connection holds, too.
        given.add("connection")
    for name, value in reply.headers:
        if name.lower() in given:
            request.responseHeaders.addRawHeader(name, value)
        else:
            # In place of what twisted.web has set: Server, Date, or Connection.
            request.responseHeaders.setRawHeaders(name, [value])
            given.add(name.lower())
        if name.lower() == "connection" and value.lower() == "close":
            channel: Any = request.channel
            channel.persistent = False
    # Sends the head, though there is nothing of the body yet.
    request.write(b"")


@implementer(IPushProducer)
class _Sender:
    """Writes pieces one after another; `sent` fires after the last.

    A slow reader pauses it: what is not taken is not made.
    """

    def __init__(
        self,
        pieces: Paced,
        write: Callable[[bytes], None],
        request: Request,
        clock: IReactorTime,
    ) -> None:
        self.sent: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._pieces = pieces
        self._write = write
        self._clock = clock
        self._request = request
        self._due = clock.seconds()
        self._timer: IDelayedCall | None = None
        self._paused = False
        self._stopped = False
        self._following = next(self._pieces, None)
        self._registered = False
        self._write_on()

    def pauseProducing(self) -> None:
        """Write no more until told to."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Write on, if it is time to."""
        self._paused = False
        if self._timer is None:
            # What a slow reader missed is not made up for at once.
            self._due = self._clock.seconds()
            self._write_on()

    def stopProducing(self) -> None:
        """The client is gone, and its timer goes with it, and what makes the pieces."""
        self._stopped = True
        self._pieces = iter(())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _write_on(self) -> None:
        while not (self._paused or self._stopped):
            following = self._following
            # One piece ahead, so that no interval follows the last.
            self._following = next(self._pieces, None)
            if self._following is not None and not self._registered:
                # Not for a single piece, which is all that most answers have.
                self._registered = True
                self._request.registerProducer(self, True)
            interval = 0.0
            if following is not None:
                piece, interval = following
                self._write(piece)
            if self._following is None:
                self._stopped = True
                if self._registered:
                    self._request.unregisterProducer()
                self.sent.callback(None)
            elif interval:
                # From when this piece was due: delays of the timers do not add up.
                self._due += interval
                wait = max(self._due - self._clock.seconds(), 0.0)
                self._timer = self._clock.callLater(wait, self._on_time)
                return

    def _on_time(self) -> None:
        self._timer = None
        self._write_on()
