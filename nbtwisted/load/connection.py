"""A connection that carries one request after another, as fast as it can."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted.client.connection.protocol import nothing
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.errors import ConnectionLost, RequestError
from nbtwisted.client.target import Origin
from nbtwisted.load.tally import Whole
from nbtwisted.reactor.sending import prompt_writer

if TYPE_CHECKING:
    from nbtwisted.client.connection.tls import Handshake

__all__ = ["Connection"]

LIMITS = Limits(body=sys.maxsize)
"""Those of `nbtwisted get`, but for the body: it is counted and not kept."""


@implementer(IHandshakeListener)
class Connection(Protocol):
    """Tells `on_whole` of each answer, and `on_end` why there will be none.

    With a `handshake` it is TLS. `on_end` is called once at most, and not at all for
    who aborts it; the error is None if no answer was due. `secured_at` is a reading of
    `now`, and `first_byte_at` one for the answer that comes.
    """

    transport: Any

    def __init__(
        self,
        now: Callable[[], float],
        handshake: Handshake | None,
        on_whole: Callable[[Whole], None],
        on_end: Callable[[Connection, RequestError | None], None],
        origin: Origin,
    ) -> None:
        self.origin = origin
        self.on_connected: Callable[[], None] = nothing
        self.on_ready: Callable[[], None] = nothing
        self.on_gone: Callable[[], None] = nothing
        self.secured_at: float | None = None
        self.first_byte_at = 0.0
        """0 where the answer came in one piece."""
        self.was_used = False
        self.is_over = False
        self._now = now
        self._reader = ResponseReader(LIMITS, keeps_body=False)
        self._handshake = handshake
        self._on_whole = on_whole
        self._on_end = on_end
        self._is_waiting = False

    def send(self, request: bytes) -> None:
        """Send a request; there is none under way."""
        self._is_waiting = True
        self._reader.reset()
        self.first_byte_at = 0.0
        self._write(request)

    def connectionMade(self) -> None:
        """Be ready, or shake hands first."""
        # A UNIX socket has no such thing.
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self.on_connected()
        if self._handshake is not None:
            self.transport.startTLS(self._handshake)
        else:
            self._be_ready()

    def handshakeCompleted(self) -> None:
        """Be ready, if the certificate is for this host."""
        assert self._handshake is not None
        try:
            self._handshake.check_name(self.transport.getHandle())
        except RequestError as error:
            self._end(error)
        else:
            self.secured_at = self._now()
            self._be_ready()

    def _be_ready(self) -> None:
        self._write = prompt_writer(self.transport)
        self.on_ready()

    def dataReceived(self, data: bytes) -> None:
        """Read on, until the answer is whole or cannot become so."""
        if not self._is_waiting:
            # Nobody asked for it; what was asked next would take it for its own.
            self._end(None)
            return
        try:
            is_whole = self._reader.feed(data)
        except RequestError as error:
            self._end(error)
            return
        if not is_whole:
            if not self.first_byte_at:
                self.first_byte_at = self._now()
            return
        self._is_waiting = False
        self.was_used = True
        if not self._reader.can_be_followed:
            self.close()
        self._on_whole(self._whole())

    def _whole(self) -> Whole:
        assert self._reader.head is not None
        return Whole(self._reader.head.status, self._reader.size)

    @property
    def has_begun(self) -> bool:
        """Whether part of an answer has come."""
        return self._reader.has_begun

    def close(self) -> None:
        """Close it in an orderly way."""
        self.is_over = True
        if self._handshake is None:
            self.transport.loseConnection()
        else:
            # To lose a TLS connection is to wait for the server to agree.
            self.transport.abortConnection()

    def abort(self) -> None:
        """Close it at once."""
        self.is_over = True
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Judge what this makes of the answer."""
        self.on_gone()
        if self.is_over:
            return
        if self._handshake is not None and self.secured_at is None:
            self._end(self._handshake.error(reason.value))
        elif not self._is_waiting:
            self._end(None)
        elif reason.check(ConnectionDone):
            try:
                self._reader.end()
            except RequestError as error:
                self._end(error)
            else:
                self.is_over = True
                self._is_waiting = False
                self._on_whole(self._whole())
        else:
            has_begun = self._reader.has_begun
            where = "in the middle of" if has_begun else "before"
            lost = ConnectionLost(f"the connection broke {where} the answer")
            if not has_begun:
                lost.phase = "first byte"
            self._end(lost)

    def _end(self, error: RequestError | None) -> None:
        self.is_over = True
        self.transport.abortConnection()
        self._on_end(self, error)
