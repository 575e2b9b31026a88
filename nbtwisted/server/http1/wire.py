"""The fast channel: HTTP/1.1 under the same Klein app.

A request is looked up in Klein's URL map, and its route decides; the answer goes out in
one piece. One that comes again, byte for byte, from the same address and to the same,
is decided as it was before: it is neither parsed nor routed again. What takes more than
one piece, a body, a fault, or an operator goes to Klein, as twisted.web's requests do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers
from zope.interface import implementer

from nbtwisted.reactor.sending import prompt_writer
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.engine.ready import ready
from nbtwisted.server.engine.traffic import told
from nbtwisted.server.http1.framing import BadRequest, Head, RequestReader, parse_head
from nbtwisted.server.http1.held import Held
from nbtwisted.server.http1.known import Known, Memory, known
from nbtwisted.server.http1.request import Request
from nbtwisted.server.http1.site import HEAD_DEADLINE, LINGER, CappedSite
from nbtwisted.server.model.host import is_host
from nbtwisted.server.routes.origin import host_of, own_host
from nbtwisted.server.routes.router import decided

__all__ = ["Wire", "WireSite"]

BODY_DEADLINE = 30.0
"""Seconds for which a body may pause."""

CLOSING = 60.0
"""Seconds for a connection to be closed in an orderly way; twisted.web's too."""

READ_AHEAD = 64 * 1024
"""Bytes that are read of what comes behind a request that is being answered."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@implementer(IPushProducer)
class Wire(Protocol):
    """A connection; also what twisted.web's requests want of their channel.

    `persistent` is whether it is used again after the request that is being answered.
    """

    transport: Any
    send: Callable[[bytes], None]
    peer = ""
    """Where the client is, once it has sent something."""
    persistent = True
    deadline: float | None = None
    """When the connection is closed, in seconds of the site's reactor."""

    def __init__(self, site: WireSite) -> None:
        self.site = self.factory = site
        self._origin = ("", "", False)
        self._reader: RequestReader | None = None
        self._head: Head | None = None
        """Of a request whose body is not all here."""
        self._raw_head = b""
        self._current: Request | Held | None = None
        self._producer: Any = None
        self._is_going = False
        self._is_reading = True
        self._is_paused = False
        self._is_over = False
        """Whether no more requests are answered, or looked at."""

    def connectionMade(self) -> None:
        """The head's time begins."""
        # A UNIX socket has no such thing.
        with suppress(AttributeError):
            self.transport.setTcpNoDelay(True)
        self.send = prompt_writer(self.transport)
        self.transport.registerProducer(self, True)
        self.site.opened(self)
        self._expect_head()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whatever is being answered has nobody left to be answered to."""
        self._is_over = True
        self.site.closed(self)
        current, self._current = self._current, None
        if current is not None:
            current.connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Take what came: most often a request, and nothing else."""
        if self._is_over:
            return
        if not self.peer:
            # Behind a proxy that speaks PROXY, it is told in the first bytes.
            self.peer = host_of(self.transport.getPeer())
            self._origin = self.peer, own_host(self.getHost()), self.isSecure()
        if not (self._current or self._reader or self._head or self._is_paused):
            found = self.site.known.get((data, self._origin))
            if found is not None:
                self._answer_known(found, self.send)
                return
        if self._reader is None:
            self._reader = RequestReader()
        self._reader.feed(data)
        self._go_on()

    # What comes is answered, one after another.

    def _go_on(self) -> None:
        if self._is_going:
            return
        self._is_going = True
        try:
            while not (self._current or self._is_over or self._is_paused):
                if not self._take_next():
                    break
        except BadRequest as bad:
            self._refuse(bad)
        finally:
            self._is_going = False
        self._read_on_or_wait()

    def _read_on_or_wait(self) -> None:
        """Read no more than is worth it, of who is being answered or does not read."""
        if self._is_over:
            return
        ahead = 0 if self._reader is None else len(self._reader)
        is_enough = self._is_paused or (
            self._current is not None and ahead > READ_AHEAD
        )
        if is_enough and self._is_reading:
            self._is_reading = False
            self.transport.pauseProducing()
        elif not is_enough and not self._is_reading:
            self._is_reading = True
            self.transport.resumeProducing()

    def _take_next(self) -> bool:
        """Answer the next request; returns whether it is here."""
        reader = self._reader
        if reader is None:
            return False
        if self._head is None:
            raw = reader.next_head()
            if raw is None:
                return False
            found = self.site.known.get((raw, self._origin))
            if found is not None:
                # There may be many more: they go out together.
                self._answer_known(found, self.transport.write)
                return True
            self._raw_head = raw
            self._head = parse_head(raw)
            if self._head.wants_continue and not reader:
                self.transport.write(CONTINUE)
        self.deadline = self.site.reactor.seconds() + BODY_DEADLINE
        body = reader.next_body(self._head)
        if body is None:
            return False
        head, self._head = self._head, None
        self.deadline = None
        self._answer(head, body)
        return True

    def _answer_known(self, found: Known, write: Callable[[bytes], None]) -> None:
        traffic = self.site.traffic
        if not traffic.has_room:
            self._raw_head = b""
            self._answer(found.head, b"")
            return
        began = traffic.performer.now()
        answer = found.ready
        self.persistent = found.head.is_persistent
        if answer is not None and not answer.asked:
            came = time.time()
            held = traffic.performer.now() - began
            write(answer.at(held, self.site.date(came)))
            traffic.note_at_once(found.entry, came, self.peer, held)
            if self.persistent:
                self._expect_head()
            else:
                self.loseConnection()
            return
        if answer is None:
            drawn = traffic.performer.draw(
                found.behaviour, found.key, is_head=found.is_head, told=found.told
            )
            answer = ready(drawn, found.connection)
        self._current = held_request = Held(self, found, answer, began)
        self.deadline = None
        traffic.begin(held_request)
        held_request.wait()

    def _answer(self, head: Head, body: bytes) -> None:
        """Decide, or have Klein answer."""
        request: Any = Request(self)  # type: ignore[no-untyped-call]
        for name, value in head.headers:
            request.requestHeaders.addRawHeader(name, value)
        request.content = BytesIO(body)
        raw, self._raw_head = self._raw_head, b""
        if raw and head.length == 0 and is_host(head.host):
            request.take_line(head.method, head.target, head.version)
            behaviour = decided(self.site.server, request)
            found = None
            if behaviour is not None:
                found = known(head, behaviour, told(request))
            if found is not None:
                self.site.known.remember((raw, self._origin), found)
                self._answer_known(found, self.transport.write)
                return
        self._current = request
        self.persistent = head.is_persistent
        request.requestReceived(head.method, head.target, head.version)

    def _refuse(self, bad: BadRequest) -> None:
        self._is_over = True
        assert self._reader is not None
        begins = self._raw_head or self._reader.beginning
        is_head = begins.startswith(b"HEAD ")
        self.transport.write(self.site.refuse(bad, self.getPeer(), is_head=is_head))
        self.transport.unregisterProducer()
        if self.isSecure():
            self.transport.loseConnection()
        else:
            # To close with bytes unread is to reset, and the client might lose our
            # answer: so the connection is closed one way, and then lingers.
            self.deadline = self.site.reactor.seconds() + LINGER
            self.transport.loseWriteConnection()

    def _expect_head(self) -> None:
        self.deadline = self.site.reactor.seconds() + HEAD_DEADLINE

    def time_out(self) -> None:
        """The deadline has passed."""
        if self._head is not None and not self._is_over:
            self._refuse(
                BadRequest(408, f"a body that pauses for less than {BODY_DEADLINE:g} s")
            )
        else:
            self.transport.abortConnection()

    # What twisted.web's requests want of their channel.

    def getPeer(self) -> IAddress:
        """Where the client is."""
        peer: IAddress = self.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        """Where we are."""
        host: IAddress = self.transport.getHost()
        return host

    def isSecure(self) -> bool:
        """Whether it is TLS."""
        return bool(ISSLTransport.providedBy(self.transport))

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """Send a head."""
        lines = [b"HTTP/1.1 %b %b" % (code, reason)]
        if version == b"HTTP/1.0":
            if not headers.hasHeader(b"content-length"):
                # Only its end can tell such a client where the body ends.
                self.persistent = False
            elif self.persistent and not headers.hasHeader(b"connection"):
                lines.append(b"Connection: keep-alive")
        if not self.persistent and b"close" not in _options(headers):
            lines.append(b"Connection: close")
        lines += [
            b"%b: %b" % (name, value)
            for name, values in headers.getAllRawHeaders()
            for value in values
        ]
        self.transport.write(b"\r\n".join((*lines, b"", b"")))

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.transport.write(data)

    def writeSequence(self, pieces: Any) -> None:
        """Send bytes as they are."""
        self.transport.writeSequence(pieces)

    def requestDone(self, request: Any) -> None:
        """A request has its answer, and another may come."""
        self._current = None
        if self._is_over:
            return
        if not self.persistent:
            self.loseConnection()
            return
        self._expect_head()
        if self._reader:
            self._go_on()

    def loseConnection(self) -> None:
        """Close the connection when all is sent."""
        self._is_over = True
        # TLS waits for the client to agree, and the kernel for it to read.
        self.deadline = self.site.reactor.seconds() + CLOSING
        self.transport.unregisterProducer()
        if not self._is_reading:
            # Who does not read is not told that the client has gone.
            self.transport.resumeProducing()
        self.transport.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """What is to be paused while the client does not read."""
        self._producer = producer
        if self._is_paused:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """There is nothing more to pause."""
        self._producer = None

    # What the transport wants of who writes to it.

    def pauseProducing(self) -> None:
        """The client does not read: make nothing more, and read nothing more."""
        self._is_paused = True
        self._read_on_or_wait()
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """It has read."""
        self._is_paused = False
        if self._producer is not None:
            self._producer.resumeProducing()
        self._go_on()

    def stopProducing(self) -> None:
        """The connection is gone, which `connectionLost` is told too."""


def _options(headers: Headers) -> list[bytes]:
    """What a Connection header says, in lower case."""
    values = headers.getRawHeaders(b"connection", [])
    return [option.strip() for value in values for option in value.lower().split(b",")]


class WireSite(CappedSite):
    """Serves a server over `Wire`."""

    reactor: IReactorTime

    def __init__(self, server: DelayServer, reactor: IReactorTime) -> None:
        super().__init__(server, reactor)
        self.known = Memory()
        self._second = 0
        self._date = b""
        self._looking: IDelayedCall | None = None

    def buildProtocol(self, addr: IAddress | None) -> Wire:  # type: ignore[override]
        """A connection's."""
        return Wire(self)

    def date(self, seconds: float) -> bytes:
        """A Unix time as HTTP's headers have it."""
        second = int(seconds)
        if second != self._second:
            self._second = second
            self._date = datetimeToString(second)
        return self._date

    def opened(self, wire: Wire) -> None:
        """Look after a connection's deadline."""
        self.connections.add(wire)
        if self._looking is None:
            self._looking = self.reactor.callLater(1, self._look_at_deadlines)

    def closed(self, wire: Wire) -> None:
        """It is gone."""
        self.connections.discard(wire)
        if self._looking is not None and not self.connections:
            self._looking.cancel()
            self._looking = None

    def _look_at_deadlines(self) -> None:
        # One timer for all: ten thousand would take 4 MB, and would have to be set anew
        # for each request.
        self._looking = self.reactor.callLater(1, self._look_at_deadlines)
        now = self.reactor.seconds()
        late = [w for w in self.connections if w.deadline and w.deadline <= now]
        for wire in late:
            wire.time_out()
