"""twisted.web's channel, with caps on what a stranger sends.

Heads and chunks are first read by the letter, as the fast channel has them. Under
`twistd web`, whose channel is its own, twisted.web's limits hold in their place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.web.http import HTTPChannel

from nbtwisted.server.http1.framing import (
    BEGINNING,
    LARGEST_HEAD,
    LONE_CR_OR_LF,
    LONGEST_TARGET,
    BadRequest,
    ChunkedBody,
    check_request_line,
    check_target,
    parse_head,
)
from nbtwisted.server.http1.site import HEAD_DEADLINE, LINGER, CappedSite

__all__ = ["TwistedSite"]


class _ChunkDecoder:
    """Reads a body in chunks in place of twisted.web's decoder."""

    def __init__(
        self, take: Callable[[bytes], None], finish: Callable[[bytes], None]
    ) -> None:
        self._take = take
        self._finish = finish
        self._buffer = bytearray()
        self._body = ChunkedBody()

    def dataReceived(self, data: bytes) -> None:
        """Read on; raises `BadRequest`."""
        self._buffer += data
        body = self._body.take(self._buffer)
        if body is not None:
            self._take(body)
            self._finish(bytes(self._buffer))


class _Channel(HTTPChannel):
    """A connection on which too much, and too slow, is refused."""

    MAX_LENGTH = LARGEST_HEAD
    # Ours are checked first.
    totalHeadersSize = 2 * LARGEST_HEAD
    maxHeaders = LARGEST_HEAD

    factory: TwistedSite
    transport: Any
    _head_size = 0
    _head_deadline: float | None = None
    _timer: IDelayedCall | None = None
    _has_head = False
    _is_head = False
    """Whether the method is HEAD."""
    _is_refused = False

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[bytes] = []
        """Of a head that is not whole."""

    def connectionMade(self) -> None:
        """The head's time begins."""
        super().connectionMade()
        self.factory.connections.add(self)
        self._expect_head()

    def connectionLost(self, reason: Any = None) -> None:
        """No timer outlives its connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.factory.connections.discard(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Read on, unless what comes is only let go by."""
        if self._is_refused:
            return
        if not self._has_head and self._head_deadline is None:
            self._expect_head()
        super().dataReceived(data)
        # What is left of it is the beginning of a line.
        if self.line_mode and (
            LONE_CR_OR_LF.search(self._buffer[-len(data) - 1 :])
            or not (self._lines or BEGINNING.match(self._buffer))
        ):
            self._respondToBadRequestAndDisconnect()

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a head, which twisted.web is given when it is whole."""
        if self._is_refused or not (line or self._lines):
            # RFC 9112, 2.2: an empty line before a request is to be ignored.
            return
        if LONE_CR_OR_LF.search(line + b"\r\n"):
            self._respondToBadRequestAndDisconnect()
            return
        self._lines.append(line)
        self._head_size += len(line) + 2
        try:
            if len(self._lines) == 1:
                self._is_head = line.startswith(b"HEAD ")
                check_target(line)
                check_request_line(line + b"\r\n")
            if self._head_size > LARGEST_HEAD:
                raise BadRequest(431, f"a head of at most {LARGEST_HEAD} bytes")
            if not line:
                self._take_head()
        except BadRequest as bad:
            self._refuse(bad)

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is longer than a whole head may be."""
        if self._lines:
            self._refuse(BadRequest(431, f"a head of at most {LARGEST_HEAD} bytes"))
        else:
            self._is_head = line.startswith(b"HEAD ")
            bad = BadRequest(414, f"a target of at most {LONGEST_TARGET} bytes")
            self._refuse(bad)

    def _take_head(self) -> None:
        head = parse_head(b"\r\n".join((*self._lines, b"")))
        lines = [b"%b %b %b" % (head.method, head.target, head.version)]
        lines += self._lines[1:]
        self._lines = []
        self._head_size = 0
        self._head_deadline = None
        self._has_head = True
        for line in lines:
            super().lineReceived(line)

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header == b"Transfer-Encoding":
            self.length = None
            self._transferDecoder = _ChunkDecoder(
                self.requests[-1].handleContentChunk, self._finishRequestBody
            )
            return True
        if header == b"Content-Length":
            # Python reads no more than 4,300 digits.
            data = data.lstrip(b"0") or b"0"
        taken: bool = super()._maybeChooseTransferDecoder(header, data)
        return taken

    def rawDataReceived(self, data: bytes) -> None:
        """Take a piece of a body."""
        if self._is_refused:
            return
        try:
            super().rawDataReceived(data)
        except BadRequest as bad:
            self._refuse(bad)

    def requestDone(self, request: Any) -> None:
        """A request has its answer, and another may come."""
        self._has_head = False
        self._expect_head()
        super().requestDone(request)

    def _respondToBadRequestAndDisconnect(self) -> None:
        # twisted.web calls this for whatever it cannot parse.
        self._refuse(BadRequest(400, "a request as RFC 9112 has them"))

    def _refuse(self, bad: BadRequest) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        self._head_deadline = None
        self.transport.write(
            self.factory.refuse(bad, self.getPeer(), is_head=self._is_head)
        )
        if self.isSecure():
            self.loseConnection()
        else:
            # To close with bytes unread is to reset, and the client might lose our
            # answer: so the connection is closed one way, and then lingers.
            self.setTimeout(int(LINGER))
            self.transport.loseWriteConnection()

    def _expect_head(self) -> None:
        reactor = self.factory.reactor
        self._head_deadline = reactor.seconds() + HEAD_DEADLINE
        # The timer stays when the head has come, for the next: most connections have
        # one timer in all.
        if self._timer is None:
            self._timer = reactor.callLater(HEAD_DEADLINE, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._timer = None
        if self._head_deadline is None:
            return
        left = self._head_deadline - self.factory.reactor.seconds()
        if left <= 0:
            self.transport.abortConnection()
        else:
            self._timer = self.factory.reactor.callLater(left, self._look_at_deadline)


class TwistedSite(CappedSite):
    """Serves a server over twisted.web's channel."""

    protocol = _Channel  # type: ignore[assignment]
