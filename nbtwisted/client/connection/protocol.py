"""A connection, in TLS or not, and the exchanges that it carries one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPullProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.errors import (
    ConnectionLost,
    MalformedResponse,
    RequestError,
    SendFailed,
)

if TYPE_CHECKING:
    from nbtwisted.client.connection.tls import Handshake

__all__ = ["Connection", "Exchange", "nothing"]

SMALL_REQUEST = 16 * 1024
"""Bytes that any kernel takes at once: Linux' smallest default for a send buffer."""


def nothing() -> None:
    """To be called where nobody is to be told, or not any longer."""


class Exchange:
    """A request, and what comes back.

    When it is over, `is_whole` says whether `parser` has the whole answer; if not,
    `error` says why, unless the connection was aborted. `sent_at` (the last byte of the
    request), `first_byte_at` and `last_byte_at` are readings of a clock, or None until
    then. `on_first_byte` is called when the answer begins.
    """

    def __init__(self, request: bytes, limits: Limits, *, is_last: bool) -> None:
        self.request = request
        self.parser = ResponseReader(limits)
        self.is_last = is_last
        self.is_whole = False
        self.error: RequestError | None = None
        self.sent_at: float | None = None
        self.first_byte_at: float | None = None
        self.last_byte_at: float | None = None
        self.on_first_byte: Callable[[], None] = nothing

    @property
    def is_judged(self) -> bool:
        """Whether nothing that comes can change what it ends with."""
        return self.is_whole or self.error is not None

    def error_at_the_end(self, reason: Failure) -> RequestError | None:
        """What it means for this that the connection ended before it was judged."""
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


@implementer(IPullProducer, IHandshakeListener)
class Connection(Protocol):
    """Carries exchanges, one at a time, for as long as the server lets it.

    With a `handshake` it is TLS. `connected_at` and `secured_at` are readings of `now`,
    or None until then. `on_connected` is called when there is a connection, and
    `on_ready` when it can take a request: these are the same moment but for the
    handshake. `on_gone` is called when there is no connection any more.
    """

    # Twisted declares ITransport; what a TCP connection has besides is used here too.
    transport: Any

    def __init__(
        self, now: Callable[[], float], handshake: Handshake | None = None
    ) -> None:
        self.on_connected: Callable[[], None] = nothing
        self.on_ready: Callable[[], None] = nothing
        self.on_gone: Callable[[], None] = nothing
        self.fileno: int | None = None
        self.connected_at: float | None = None
        self.secured_at: float | None = None
        self._now = now
        self._handshake = handshake
        self._exchange: Exchange | None = None
        self._to_send = b""
        self._producing = False
        self._was_used = False
        self._closing = False
        self._waiting: list[Deferred[None]] = []

    def begin(self, exchange: Exchange) -> None:
        """Carry this exchange, as soon as there is a connection."""
        self._exchange = exchange
        if self.is_ready:
            self._send()

    def when_over(self) -> Deferred[None]:
        """Fires when the exchange is over that was begun, or the abort.

        The connection is free for the next by then, or gone, and nothing of it in the
        reactor.
        """
        self._waiting.append(Deferred())
        return self._waiting[-1]

    @property
    def is_ready(self) -> bool:
        """Whether a request can be, or was, sent."""
        if self._handshake is None:
            return self.connected_at is not None
        return self.secured_at is not None

    @property
    def is_free(self) -> bool:
        """Whether another exchange can begin."""
        return self._exchange is None and self.is_ready and not self._closing

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
        assert self._exchange is not None
        try:
            self._handshake.check_name(self.transport.getHandle())
        except RequestError as error:
            self._exchange.error = error
            self.abort()
        else:
            self.secured_at = self._now()
            self._send()

    def _send(self) -> None:
        assert self._exchange is not None
        self._to_send = self._exchange.request
        # A pull producer is asked for more when its last bytes are with the kernel,
        # which is the one way to know when the request was sent.
        self._producing = True
        self.transport.registerProducer(self, False)
        self.on_ready()

    def resumeProducing(self) -> None:
        """Write the request; when asked again, note that it was sent."""
        if self._to_send:
            request, self._to_send = self._to_send, b""
            self.transport.write(request)
        else:
            assert self._exchange is not None
            self._exchange.sent_at = self._now()
            self._send_no_more()

    def stopProducing(self) -> None:
        """The connection is gone: `connectionLost` sees to it."""

    def dataReceived(self, data: bytes) -> None:
        """Read on, until the answer is whole or cannot become so."""
        exchange = self._exchange
        if exchange is None:
            # Nobody asked for it, and nobody will be told that it is their answer.
            self.abort()
            return
        if exchange.is_judged:
            return
        if exchange.sent_at is None and not self._may_answer_early(exchange):
            exchange.error = MalformedResponse("there was an answer before the request")
            self.abort()
            return
        exchange.last_byte_at = self._now()
        if exchange.first_byte_at is None:
            exchange.first_byte_at = exchange.last_byte_at
            exchange.on_first_byte()
        try:
            exchange.is_whole = exchange.parser.feed(data)
        except RequestError as error:
            exchange.error = error
            self.abort()
        else:
            if exchange.is_whole:
                self._finish(exchange)

    def _may_answer_early(self, exchange: Exchange) -> bool:
        """Whether this can be an answer, though not all of the request was sent.

        Such as that it is too long. What comes over a connection that was used before
        may have been meant for nobody.
        """
        return not self._was_used and len(exchange.request) > SMALL_REQUEST

    def _finish(self, exchange: Exchange) -> None:
        """The answer is whole: be free, or close."""
        self._send_no_more()
        if (
            exchange.parser.can_be_followed
            and exchange.sent_at is not None
            and not exchange.is_last
        ):
            self._exchange = None
            self._was_used = True
            self._tell()
        elif self._handshake is None and exchange.sent_at is not None:
            self._closing = True
            self.transport.loseConnection()
        else:
            # To lose a TLS connection is to wait for the server to agree; and one that
            # has not taken all of the request, until it has.
            self.abort()

    def abort(self) -> None:
        """Close the connection at once."""
        self._closing = True
        self._send_no_more()
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Judge what this end of the connection makes of the answer."""
        exchange = self._exchange
        if exchange is not None and not exchange.is_judged and not self._closing:
            if self._handshake is not None and self.secured_at is None:
                exchange.error = self._handshake.error(reason.value)
            else:
                exchange.error = exchange.error_at_the_end(reason)
                exchange.is_whole = exchange.error is None
        self._closing = True
        self.on_gone()
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def _send_no_more(self) -> None:
        # Also called when an answer is whole, or hopeless, before the request was sent.
        if self._producing:
            self._producing = False
            self.transport.unregisterProducer()
