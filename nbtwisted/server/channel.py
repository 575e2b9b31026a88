"""twisted.web's channel, with caps on what a stranger sends.

Under `twistd web`, whose channel is its own, twisted.web's limits hold in their place.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.web.http import HTTPChannel

from nbtwisted.server.framing import LARGEST_HEAD, LARGEST_REQUEST_BODY, LONGEST_TARGET
from nbtwisted.server.site import HEAD_DEADLINE, LINGER, CappedSite

__all__ = ["TwistedSite"]


class _Channel(HTTPChannel):
    """A connection on which too much, and too slow, is refused."""

    MAX_LENGTH = LARGEST_HEAD
    # Ours is checked first.
    totalHeadersSize = 2 * LARGEST_HEAD

    factory: TwistedSite
    transport: Any
    _head_size = 0
    _head_deadline: float | None = None
    _timer: IDelayedCall | None = None
    _has_head = False
    _is_refused = False

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

    def lineReceived(self, line: bytes) -> None:
        """Take a line of the head."""
        if self._is_refused:
            return
        if not self._head_size and line:
            _, _, rest = line.partition(b" ")
            if len(rest.partition(b" ")[0]) > LONGEST_TARGET:
                self._refuse(414, f"a target of at most {LONGEST_TARGET} bytes")
                return
        if self._head_size or line:
            self._head_size += len(line) + 2
        if self._head_size > LARGEST_HEAD:
            self._refuse(431, f"a head of at most {LARGEST_HEAD} bytes")
            return
        try:
            super().lineReceived(line)
        except ValueError:
            # Such as from int(), for a length of thousands of digits.
            self._refuse(400, "a request as RFC 9112 has them")

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line is longer than a whole head may be."""
        if self._head_size:
            self._refuse(431, f"a head of at most {LARGEST_HEAD} bytes")
        else:
            self._refuse(414, f"a target of at most {LONGEST_TARGET} bytes")

    def allHeadersReceived(self) -> None:
        """The head is there; look whether its body may come."""
        self._head_size = 0
        self._head_deadline = None
        self._has_head = True
        if self.length is not None and self.length > LARGEST_REQUEST_BODY:
            self._refuse(413, f"a body of at most {LARGEST_REQUEST_BODY} bytes")
        else:
            super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Take a piece of a body."""
        if self._is_refused:
            return
        super().rawDataReceived(data)
        if self.requests and not self._is_refused:
            content = self.requests[-1].content
            if content is not None and content.tell() > LARGEST_REQUEST_BODY:
                self._refuse(413, f"a body of at most {LARGEST_REQUEST_BODY} bytes")

    def requestDone(self, request: Any) -> None:
        """A request has its answer, and another may come."""
        self._has_head = False
        self._expect_head()
        super().requestDone(request)

    def _respondToBadRequestAndDisconnect(self) -> None:
        # twisted.web calls this for whatever it cannot parse.
        self._refuse(400, "a request as RFC 9112 has them")

    def _refuse(self, status: int, expected: str) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        self._head_deadline = None
        self.transport.write(self.factory.refuse(status, expected, self.getPeer()))
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
