"""One of the two connections of a link: the client's, or the one to the upstream."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone

# Twisted's only name for it.
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted.client.errors import RequestError
from nbtwisted.reactor.sending.prompt import prompt_writer
from nbtwisted.server.http1.delivery import Delivery, innermost

__all__ = ["LinkOfSides", "Side"]

KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds of silence before the kernel asks whether the other machine is still there,
between two questions, and how many it asks. A link that stalls would not find out."""

LONGEST_SILENCE = 30.0
"""Seconds in which a connection that is closed may take nothing of what it is sent."""

LONGEST_FAREWELL = 5.0
"""Seconds in which the other end is to close, too, when it has been sent everything."""

LONGEST_CUT = 2.0
"""Seconds for which a reset waits until what came before it has been delivered."""

SECONDS_BETWEEN_LOOKS = 0.005
"""At how much of it has been."""


class LinkOfSides(Interface):
    """The link that a side is of."""

    reactor: Any
    now: Callable[[], float]

    def side_made(self, side: Side) -> None:
        """There is a connection, on which TLS may have to be begun."""

    def peer_known(self, side: Side) -> None:
        """Where it comes from has been said by another proxy before it."""

    def side_open(self, side: Side) -> None:
        """It can be written to."""

    def received(self, side: Side, data: bytes) -> None:
        """Bytes have come."""

    def side_ended(self, side: Side) -> None:
        """No more bytes come; it may still take some."""

    def side_has_room(self, side: Side) -> None:
        """It takes bytes again."""

    def side_gone(self, side: Side, is_clean: bool) -> None:
        """It is no more; unless `is_clean`, it was reset or broke."""

    def upstream_failed(self, error: RequestError) -> None:
        """The upstream could not be opened."""


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Side(Protocol):
    """A connection that tells its link what becomes of it.

    name           `client` or `upstream`
    was_open       whether it has been there, with its handshake
    is_open        whether it can be written to
    is_congested   whether it should not be, for it has not taken what it was sent
    is_paused      whether it is not being read
    has_ended      whether no more comes from it
    is_gone        whether the connection is no more
    """

    # Twisted declares ITransport; what a TCP connection has besides is used here too.
    transport: Any
    write: Callable[[bytes], bool | None]
    """Send bytes, while it is open."""

    def __init__(self, name: str, link: LinkOfSides) -> None:
        self.name = name
        self.was_open = False
        self.is_open = False
        self.is_congested = False
        self.has_ended = False
        self.is_gone = False
        self._link = link
        self._is_tls = False
        self.is_paused = False
        # Whether nothing more is to be written; and whether all of it has left.
        self._is_shut = False
        self._is_flushed = False
        self._is_finishing = False
        self._is_producing = False
        # Followed when it is to end.
        self._delivery: Delivery | None = None
        self._delivered_at: float | None = None
        self._cutting: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Be ready, or shake hands first."""
        self._set_options()
        self._is_tls = ISSLTransport.providedBy(self.transport)
        self._link.side_made(self)
        if isinstance(self.transport, HAProxyProtocolWrapper):
            self.dataReceived = self._receive_first  # type: ignore[method-assign]
        if not (self._is_tls or self._is_shut):
            self._be_open()

    def handshakeCompleted(self) -> None:
        """The handshake of TLS is over."""
        self._be_open()

    def _set_options(self) -> None:
        connection = getattr(innermost(self.transport), "socket", None)
        # A UNIX socket has neither.
        if connection is None or connection.family == socket.AF_UNIX:
            return
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in KEEPALIVE.items():
                if hasattr(socket, name):
                    option = getattr(socket, name)
                    connection.setsockopt(socket.IPPROTO_TCP, option, value)

    def _be_open(self) -> None:
        self.was_open = True
        self.is_open = True
        self.write = prompt_writer(self.transport)
        self._is_producing = True
        self.transport.registerProducer(self, True)
        self._link.side_open(self)

    def dataReceived(self, data: bytes) -> None:
        """Hand bytes on."""
        self._link.received(self, data)

    def _receive_first(self, data: bytes) -> None:
        """Hand on the first bytes behind a PROXY header."""
        del self.dataReceived
        self._link.peer_known(self)
        self._link.received(self, data)

    # What it does to the connection when the link says so.

    def pause(self) -> None:
        """Read no more for now."""
        if not self.is_paused and not self.is_gone:
            self.is_paused = True
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if self.is_paused and not self.is_gone:
            self.is_paused = False
            # A connection that has ended would end again and again.
            if not self.has_ended:
                self.transport.resumeProducing()

    def shut(self) -> None:
        """Let the other end know that no more bytes come. It may go on sending."""
        if self._is_shut or self.is_gone:
            return
        self._is_shut = True
        self.is_open = False
        self._unregister()
        if self._is_tls:
            # There is no half of it; but what the other end says until it has heard of
            # the end is still received.
            self.transport.loseConnection()
        elif hasattr(self.transport, "loseWriteConnection"):
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def finish(self) -> None:
        """Close when all is sent, and the other end has closed, too."""
        if self.is_gone:
            return
        self._is_finishing = True
        self._delivery = Delivery()
        self._delivery.written = 1
        self.shut()
        self.resume()
        self._finish_if_possible()

    def _finish_if_possible(self) -> None:
        if self._is_finishing and self._is_flushed and self.has_ended:
            self.transport.loseConnection()

    def drop(self) -> None:
        """Close at once, as the kernel does for a process that was killed."""
        if self.is_gone:
            return
        if self._is_tls or self.is_congested:
            self.abort()
            return
        self.finish()
        self.transport.loseConnection()

    def abort(self) -> None:
        """Reset the connection: the other end sees ECONNRESET."""
        if not self.is_gone:
            self._cut_no_more()
            self._is_shut = True
            self.is_open = False
            self._unregister()
            self.transport.abortConnection()

    def cut(self, *, gently: bool) -> None:
        """Reset it, if `gently` when the other end's machine has what was sent.

        That is waited for for `LONGEST_CUT`: a reset takes away what is on its way.
        """
        if self.is_gone or not gently:
            self.abort()
            return
        self._is_shut = True
        self.is_open = False
        self._unregister()
        self._delivery = Delivery()
        self._delivery.written = 1
        self._cut_if_delivered(self._link.now() + LONGEST_CUT)

    def _cut_if_delivered(self, until: float) -> None:
        assert self._delivery is not None
        self._cutting = None
        now = self._link.now()
        self._delivery.look(self.transport, now)
        if self._delivery.is_complete or now >= until:
            self.abort()
        else:
            self._cutting = self._link.reactor.callLater(
                SECONDS_BETWEEN_LOOKS, self._cut_if_delivered, until
            )

    def _cut_no_more(self) -> None:
        cutting, self._cutting = self._cutting, None
        if cutting is not None:
            cutting.cancel()

    def _unregister(self) -> None:
        if self._is_producing:
            self._is_producing = False
            self.transport.unregisterProducer()

    def look(self, now: float) -> None:
        """See what Twisted does not tell; `now` is a reading of a clock, in seconds."""
        if self.is_gone:
            return
        if self._delivery is not None:
            self._look_at_the_end(self._delivery, now)
        elif self.is_paused and _is_broken(self.transport):
            self.abort()

    def _look_at_the_end(self, delivery: Delivery, now: float) -> None:
        silence = delivery.look(self.transport, now)
        if not delivery.is_complete:
            self._delivered_at = None
            if silence >= LONGEST_SILENCE:
                self.abort()
        elif self._delivered_at is None:
            self._delivered_at = now
        elif now - self._delivered_at >= LONGEST_FAREWELL:
            self.abort()

    # What Twisted tells.

    def pauseProducing(self) -> None:
        """It takes no more for now."""
        self.is_congested = True

    def resumeProducing(self) -> None:
        """It takes more."""
        self.is_congested = False
        if innermost(self.transport).disconnecting:
            # TLS has been ended by the other side, which waits for this.
            self._unregister()
        self._link.side_has_room(self)

    def stopProducing(self) -> None:
        """The connection is gone: `connectionLost` sees to it."""
        self._is_producing = False

    def readConnectionLost(self) -> None:
        """The other end sends no more."""
        self._end()
        self._finish_if_possible()

    def writeConnectionLost(self) -> None:
        """All is sent, and the other end is told that no more comes."""
        self._is_flushed = True
        self._finish_if_possible()

    def _end(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._link.side_ended(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is no more."""
        self._cut_no_more()
        self.is_gone = True
        self.is_open = False
        self._is_producing = False
        # Many end TLS without saying so, and for Twisted that is as good as a reset.
        is_clean = self._is_tls or reason.check(ConnectionDone) is not None
        self._link.side_gone(self, is_clean)


def _is_broken(transport: Any) -> bool:
    """Whether the other end has reset a connection that is not being read."""
    connection = getattr(innermost(transport), "socket", None)
    if connection is None:
        return False
    poll = select.poll()
    # Errors are reported to who asks for nothing.
    poll.register(connection, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
