"""One GET over one connection, in TLS or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPullProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted.client.errors import ConnectionLost, RequestError, SendFailed
from nbtwisted.client.parser import Limits, ResponseParser
from nbtwisted.client.tls import Handshake

__all__ = ["GetProtocol"]


@implementer(IPullProducer, IHandshakeListener)
class GetProtocol(Protocol):
    """Sends `request`, reads the answer, and closes the connection.

    When the connection is gone, `whole` says whether `parser` has the whole answer; if
    not, `error` says why, unless it was aborted. `connected_at`, `sent_at` (the last
    byte of the request), `first_byte_at` and `last_byte_at` are readings of `now`, or
    None until then, and so is `secured_at` with a `handshake`, which makes it TLS.

    `on_connected` is called when there is a connection, and `on_ready` when it can take
    the request: these are the same moment but for the handshake.
    """

    # Twisted declares ITransport; what a TCP connection has besides is used here too.
    transport: Any

    def __init__(
        self,
        request: bytes,
        limits: Limits,
        now: Callable[[], float],
        handshake: Handshake | None = None,
    ) -> None:
        self.parser = ResponseParser(limits)
        self.on_connected: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_first_byte: Callable[[], None] = lambda: None
        self.whole = False
        self.error: RequestError | None = None
        self.fileno: int | None = None
        self.connected_at: float | None = None
        self.secured_at: float | None = None
        self.sent_at: float | None = None
        self.first_byte_at: float | None = None
        self.last_byte_at: float | None = None
        self._request = request
        self._handshake = handshake
        self._producing = False
        self._now = now
        self._judged = False
        self._closed = False
        self._waiting_for_close: list[Deferred[None]] = []

    def when_closed(self) -> Deferred[None]:
        """Fires when the connection is gone, and nothing of it is in the reactor."""
        waiting: Deferred[None] = Deferred()
        if self._closed:
            waiting.callback(None)
        else:
            self._waiting_for_close.append(waiting)
        return waiting

    @property
    def is_ready(self) -> bool:
        """Whether the request can be, or was, sent."""
        if self._handshake is None:
            return self.connected_at is not None
        return self.secured_at is not None

    def connectionMade(self) -> None:
        """Send the request, or shake hands first."""
        self.connected_at = self._now()
        self.fileno = self.transport.fileno()
        self.transport.setTcpNoDelay(True)
        self.on_connected()
        if self._handshake is not None:
            self.transport.startTLS(self._handshake)
        else:
            self._send()

    def handshakeCompleted(self) -> None:
        """Send the request, if the certificate is for this host."""
        assert self._handshake is not None
        try:
            self._handshake.check_name(self.transport.getHandle())
        except RequestError as error:
            self.error = error
            self.abort()
        else:
            self.secured_at = self._now()
            self._send()

    def _send(self) -> None:
        # A pull producer is asked for more when its last bytes are with the kernel,
        # which is the one way to know when the request was sent.
        self._producing = True
        self.transport.registerProducer(self, False)
        self.on_ready()

    def resumeProducing(self) -> None:
        """Write the request; when asked again, note that it was sent."""
        if self._request:
            request, self._request = self._request, b""
            self.transport.write(request)
        else:
            self.sent_at = self._now()
            self._send_no_more()

    def stopProducing(self) -> None:
        """The connection is gone: `connectionLost` sees to it."""

    def dataReceived(self, data: bytes) -> None:
        """Read on, until the answer is whole or cannot become so."""
        self.last_byte_at = self._now()
        if self.first_byte_at is None:
            self.first_byte_at = self.last_byte_at
            self.on_first_byte()
        try:
            whole = self.parser.feed(data)
        except RequestError as error:
            self.error = error
            self.abort()
        else:
            if whole:
                self.whole = self._judged = True
                self._send_no_more()
                if self._handshake is None:
                    self.transport.loseConnection()
                else:
                    # To lose a TLS connection is to wait for the server to agree.
                    self.transport.abortConnection()

    def abort(self) -> None:
        """Close the connection at once."""
        self._judged = True
        if not self._closed:
            self._send_no_more()
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Judge what this end of the connection makes of the answer."""
        self._closed = True
        if not self._judged:
            self.error = self._error_at_the_end(reason)
            self.whole = self.error is None
        waiting, self._waiting_for_close = self._waiting_for_close, []
        for deferred in waiting:
            deferred.callback(None)

    def _send_no_more(self) -> None:
        # Also called when an answer is whole, or hopeless, before the request was sent.
        if self._producing:
            self._producing = False
            self.transport.unregisterProducer()

    def _error_at_the_end(self, reason: Failure) -> RequestError | None:
        if self._handshake is not None and self.secured_at is None:
            return self._handshake.error(reason.value)
        if reason.check(ConnectionDone):
            try:
                self.parser.end()
            except RequestError as error:
                return error
            return None
        # Twisted does not keep the socket's error, but most of these are resets.
        if self.first_byte_at is None and self.sent_at is None:
            return SendFailed("the connection broke before the request was sent")
        if self.first_byte_at is None:
            lost = ConnectionLost("the connection broke before the answer")
            lost.phase = "first byte"
            return lost
        lost = ConnectionLost("the connection broke in the middle of the answer")
        if self.parser.head is None:
            lost.phase = "head"
        return lost
