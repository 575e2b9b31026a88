"""Puts a `Transmission` on the wire: at its pace, and no faster than it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.http import NO_BODY_CODES
from twisted.web.server import Request
from zope.interface import implementer

from nbtwisted.server.behaviour import Reply
from nbtwisted.server.faults import Ending, Transmission

__all__ = ["send"]


async def send(
    reply: Reply,
    plan: Transmission,
    interval: float,
    request: Request,
    clock: IReactorTime,
) -> None:
    """Send an answer through twisted.web, `interval` seconds between its pieces.

    Returns when all is sent that will be, or is in the transport's buffer, and the
    connection has been told how to end.
    """
    channel: Any = request.channel
    if plan.has_head:
        # twisted.web's own reasons lack 429 and others.
        request.setResponseCode(reply.status, reply.reason.encode())
        # RFC 9110, 8.6: a 204 must not have a length; neither needs one.
        if plan.length is not None and reply.status not in NO_BODY_CODES:
            request.setHeader("Content-Length", str(plan.length))
        for name, value in reply.headers:
            if name.lower() == "connection":
                # Of which twisted.web may have set one already.
                request.setHeader(name, value)
                channel.persistent = channel.persistent and value.lower() != "close"
            else:
                request.responseHeaders.addRawHeader(name, value)
        # Sends the head, though there is nothing of the body yet.
        request.write(b"")
    if request.method != b"HEAD":
        await _Sender(plan.pieces, request.write, interval, request, clock).sent
    if plan.ending is Ending.FINISH:
        return
    await _Sender(plan.raw, channel.write, plan.raw_interval, request, clock).sent
    if plan.ending is Ending.CLOSE:
        channel.loseConnection()
    elif plan.ending is Ending.RESET:
        # To abort a TCP connection is to send RST.
        channel.transport.abortConnection()


@implementer(IPushProducer)
class _Sender:
    """Writes pieces one after another; `sent` fires after the last.

    A slow reader pauses it: what is not taken is not made.
    """

    def __init__(
        self,
        pieces: Iterator[bytes],
        write: Callable[[bytes], None],
        interval: float,
        request: Request,
        clock: IReactorTime,
    ) -> None:
        self.sent: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._pieces = pieces
        self._write = write
        self._interval = interval
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
        """The client is gone, and its timer goes with it."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _write_on(self) -> None:
        while not (self._paused or self._stopped):
            piece = self._following
            # One piece ahead, so that no interval follows the last.
            self._following = next(self._pieces, None)
            if self._following is not None and not self._registered:
                # Not for a single piece, which is all that most answers have.
                self._registered = True
                self._request.registerProducer(self, True)
            if piece is not None:
                self._write(piece)
            if self._following is None:
                self._stopped = True
                if self._registered:
                    self._request.unregisterProducer()
                self.sent.callback(None)
            elif self._interval:
                # From when this piece was due: delays of the timers do not add up.
                self._due += self._interval
                wait = max(self._due - self._clock.seconds(), 0.0)
                self._timer = self._clock.callLater(wait, self._on_time)
                return

    def _on_time(self) -> None:
        self._timer = None
        self._write_on()
