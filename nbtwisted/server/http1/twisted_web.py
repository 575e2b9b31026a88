"""The server as a resource of twisted.web, for `twistd web`."""

from __future__ import annotations

# Werkzeug loads this codec for the first request, which is too late if by then so many
# connections are open that no file can be.
import encodings.idna  # noqa: F401
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.server import Request as TwistedRequest
from zope.interface import implementer

from nbtwisted.server.engine.exchange import Exchange
from nbtwisted.server.engine.upstream import Tunnel
from nbtwisted.server.http1.addresses import addresses_of
from nbtwisted.server.http1.delivery import Delivery, has_left, innermost
from nbtwisted.server.http1.watch import Watch
from nbtwisted.server.model.headers import RequestHeaders
from nbtwisted.server.model.request import Request, at_path
from nbtwisted.server.routes.delay_app import DelayApp
from nbtwisted.server.routes.router import Server

__all__ = ["DelayResource"]


class DelayResource(Resource):
    """Hands every request to `server`."""

    isLeaf = True

    def __init__(self, server: Server, watch: Watch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._app = DelayApp(server)
        self._watch = watch

    def render(self, request: TwistedRequest) -> int:
        """Begin to answer."""
        if request.clientproto not in (b"HTTP/1.0", b"HTTP/1.1"):
            request.setResponseCode(505)
            request.finish()
            return NOT_DONE_YET
        _Connection(request, self._app, self._watch).open()
        return NOT_DONE_YET


@implementer(IPushProducer)
class _Connection:
    """Carries the response to one request over twisted.web's channel."""

    def __init__(self, request: TwistedRequest, app: DelayApp, watch: Watch) -> None:
        self._request = request
        self._channel: Any = request.channel
        self._watch = watch
        self._app = app
        self._server = app.server
        self._delivery = Delivery()
        self._exchange: Exchange | None = None
        self._being_read: tuple[Request, IDelayedCall] | None = None

    def open(self) -> None:
        """Answer the request."""
        request = _request_of(self._request)
        ended = self._request.notifyFinish()
        ended.addBoth(self._on_end)
        self._watch.add(self)
        rate = self._app.reading_rate(request) if request.body else None
        if rate is None:
            self._begin(request)
            return
        # It is here already. The answer comes when it would if it had been read slowly.
        in_flight = self._server.in_flight
        seconds = len(request.body) / rate
        timer = in_flight.clock.callLater(seconds, self.read_at_once)
        self._being_read = request, timer
        in_flight.being_read.add(self)

    def read_at_once(self) -> None:
        """Wait no longer for a body that is to be read slowly."""
        request = self._end_reading()
        assert request is not None
        self._begin(request)

    def _end_reading(self) -> Request | None:
        if self._being_read is None:
            return None
        request, timer = self._being_read
        self._being_read = None
        self._server.in_flight.being_read.discard(self)
        if timer.active():
            timer.cancel()
        return request

    def _begin(self, request: Request) -> None:
        app = self._app
        self._exchange, behaviour = self._server.in_flight.open(
            self, request, app.decide(request), app
        )
        self._request.registerProducer(self, True)
        self._exchange.begin(behaviour)

    def _on_end(self, _: object) -> None:
        self._watch.discard(self)
        self._end_reading()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()

    # Called by the exchange.

    @property
    def is_persistent(self) -> bool:
        """Whether the client may send another request after this one."""
        return bool(self._channel.persistent)

    @property
    def is_open(self) -> bool:
        """Whether the connection has not ended."""
        # A wrapper, such as that of PROXY, says so for ever.
        return bool(getattr(innermost(self._channel.transport), "connected", False))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._delivery.written += len(data)
        self._channel.write(data)

    def finish(self, idle: float | None) -> None:
        """The response is whole; another request may follow: as every connection's."""
        assert self._exchange is not None
        # For twisted.web's log. It does not send the head, which was sent.
        self._request.code = self._exchange.entry.status or 0
        self._request.sentLength = self._exchange.entry.sent
        self._request.startedWriting = 1
        self._exchange = None
        self._request.unregisterProducer()
        self._request.finish()
        self._wait_for_the_next(idle)

    def _wait_for_the_next(self, idle: float | None) -> None:
        channel = self._channel
        seconds = channel.site.timeOut if idle is None else idle
        # twisted.web puts back what was set before this request.
        if channel.persistent and not channel.requests and channel.timeOut != seconds:
            channel.setTimeout(seconds)

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        """No proxy is served by twisted.web."""
        raise NotImplementedError

    def stall(self) -> None:
        """Nothing more of the response follows; twisted.web reads no further."""

    def close(self) -> None:
        """Close the connection in an orderly way, after the last byte (FIN)."""
        self._channel.persistent = False
        self.finish(None)

    def reset(self) -> None:
        """Abort the connection at once (RST)."""
        self._exchange = None
        self._channel.transport.abortConnection()

    # Called by twisted.web's channel and by the clock.

    def pauseProducing(self) -> None:
        """The client does not read."""
        if self._exchange is not None:
            self._exchange.pause()

    def resumeProducing(self) -> None:
        """The client has read."""
        if self._exchange is not None:
            self._exchange.resume()

    def stopProducing(self) -> None:
        """The connection is gone, which `notifyFinish` tells, too."""

    def look(self, now: float) -> None:
        """See whether the client reads in time; `now` is in seconds."""
        stuck = self._delivery.look(self._channel.transport, now)
        if self._exchange is None:
            if self._being_read is not None and has_left(self._channel.transport):
                self._channel.transport.abortConnection()
            return
        if stuck >= self._server.send_timeout:
            self._exchange.abort("timed out")
        elif has_left(self._channel.transport):
            self._exchange.abort("cancelled")


def _request_of(request: TwistedRequest) -> Request:
    lines = tuple(
        (name, value)
        for name, values in request.requestHeaders.getAllRawHeaders()
        for value in values
    )
    content = request.content
    assert content is not None
    content.seek(0)
    addresses = addresses_of(
        request.channel.transport,
        peer=request.getClientAddress(),
        here=request.getHost(),
        is_secure=request.isSecure(),
    )
    method, target, version = request.method, request.uri, request.clientproto
    headers = RequestHeaders(lines)
    body = content.read()
    return at_path(Request(method, target, version, headers, body, addresses))
