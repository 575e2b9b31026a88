"""A connection, in TLS or not, and the requests that it carries one after another."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IPullProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from nbtwisted.client.connection.reader import ResponseReader
from nbtwisted.client.errors import (
    ConnectionLost,
    MalformedResponse,
    RequestError,
    SendFailed,
)
from nbtwisted.client.message import Message
from nbtwisted.reactor.sending.prompt import prompt_writer

if TYPE_CHECKING:
    from nbtwisted.client.connection.tls import Handshake
    from nbtwisted.client.connection.tunnel import Dialogue

__all__ = ["Connection", "Keeper", "Listener", "State"]

SMALL_REQUEST = 16 * 1024
"""Bytes that any kernel takes at once: Linux' smallest default for a send buffer."""

PIECE = 64 * 1024
"""Bytes of a long body that are handed on at a time: no more is held in the transport,
or encrypted in one turn of the reactor."""


class State(enum.Enum):
    """Where a connection is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | OPENING | an address takes the connection | IDLE; SECURING in TLS; TUNNELLING |
    | | none does | GONE |
    | TUNNELLING | the proxy has connected to the host | IDLE; SECURING in TLS |
    | | it has not, or makes no sense | CLOSING |
    | SECURING | the handshake is over | IDLE |
    | | the certificate is for another host | CLOSING |
    | IDLE | `send`, all of which the kernel takes at once | RECEIVING |
    | | `send`, of which some has to wait | SENDING |
    | | a byte comes that nobody asked for | CLOSING |
    | | `begin`, of a request whose body is still arriving | SENDING |
    | SENDING | the kernel has the last byte | RECEIVING |
    | | a response is whole before that, or not due yet | CLOSING |
    | RECEIVING | the response is whole, and may be followed | IDLE; SETTLING in TLS |
    | | it is whole and the last, or can no longer become whole | CLOSING |
    | | it is whole: the server has switched to another protocol | SWITCHED |
    | SWITCHED | bytes pass both ways, until `close` or `abort` | CLOSING |
    | SETTLING | the next turn of the reactor | IDLE |
    | | a byte comes that nobody asked for | CLOSING |
    | CLOSING | `connectionLost` | GONE |
    | GONE | | |

    `abort` leads from TUNNELLING, SECURING, IDLE, SENDING, RECEIVING, SWITCHED and
    SETTLING to CLOSING, and from OPENING to GONE; `connectionLost` leads from
    TUNNELLING, SECURING, IDLE, SENDING, RECEIVING, SWITCHED and SETTLING to GONE.
    """

    OPENING = enum.auto()
    TUNNELLING = enum.auto()
    SECURING = enum.auto()
    IDLE = enum.auto()
    SENDING = enum.auto()
    RECEIVING = enum.auto()
    SWITCHED = enum.auto()
    SETTLING = enum.auto()
    CLOSING = enum.auto()
    GONE = enum.auto()


class Listener(Interface):
    """Whoever has a connection for one request, and is told what becomes of it."""

    def host_resolved(self) -> None:
        """There are addresses to connect to."""

    def connection_made(self, connection: Connection) -> None:
        """One of them took the connection."""

    def tunnel_made(self, connection: Connection) -> None:
        """The proxy has connected to the host, if there is one that does."""

    def connection_ready(self, connection: Connection) -> None:
        """It can take the request: `send` may be called."""

    def request_sent(self) -> None:
        """The kernel has the last byte of the request."""

    def bytes_received(self) -> None:
        """Some bytes of the response are about to be read."""

    def exchange_over(self, connection: Connection, error: RequestError | None) -> None:
        """The connection is free for others, or gone, and nothing of it in the reactor.

        The response is whole, or the `error` says why not; after `abort` there may be
        neither.
        """


class Follower(Interface):
    """Whoever takes a response while it comes, or sends a request while it does."""

    def response_goes_on(self, connection: Connection) -> None:
        """Some of the response was read, and it is not whole."""

    def room_to_send(self, has_room: bool) -> None:
        """Whether the kernel takes more of the request."""

    def switched_bytes(self, data: bytes) -> None:
        """Bytes of the other protocol have come, after `exchange_switched`."""

    def exchange_switched(self, connection: Connection, early: bytes) -> None:
        """The server has switched to another protocol, and some of that has come."""


class Opens(Interface):
    """Whatever opens a connection."""

    def stop(self) -> None:
        """Do so no more."""


class Keeper(Interface):
    """Whoever keeps connections that are free."""

    def connection_free(self, connection: Connection) -> None:
        """It can take another request."""

    def connection_gone(self, connection: Connection) -> None:
        """It is no more."""


@implementer(IPullProducer, IHandshakeListener)
class Connection(Protocol):
    """Carries requests, one at a time, for as long as the server lets it.

    Its `listener` is who has it for a request; None while it is free. `reader` has the
    response. With a `handshake` it is TLS. Unless it `keeps_alive`, it closes behind
    the first response.
    """

    # Twisted declares ITransport; what a TCP connection has besides is used here too.
    transport: Any

    def __init__(
        self,
        reactor: Any,
        keeper: Keeper,
        listener: Listener,
        reader: ResponseReader,
        handshake: Handshake | None,
        *,
        keeps_alive: bool,
    ) -> None:
        self.state = State.OPENING
        self.listener: Listener | None = listener
        self.reader = reader
        self.opening: Opens | None = None
        """What opens it, until it is open."""
        self.tunnel: Dialogue | None = None
        """How a proxy is asked to connect to the host, if one is."""
        self.fileno: int | None = None
        self.is_whole = False
        """Whether the response to the request that was sent last is."""
        self.follower: Follower | None = None
        """Who follows this request and its response, if the listener does."""
        self._reactor = reactor
        self._keeper = keeper
        self._handshake = handshake
        self._keeps_alive = keeps_alive
        self._was_used = False
        # Why there is no response, once that is known.
        self._error: RequestError | None = None
        self._request_size = 0
        # What is still to be handed to the transport.
        self._unsent = memoryview(b"")
        self._has_begun = False
        self._is_pushed = False
        """Whether others send what there is to be sent."""
        self._is_paused = False
        self._settling: IDelayedCall | None = None

    def send(self, message: Message) -> None:
        """Send a request, for the listener; it is IDLE."""
        head, body = message
        self.is_whole = False
        # As `message.is_head` has it, for half as much.
        self.reader.reset(head.startswith(b"HEAD "))
        is_long = len(body) > PIECE
        if not is_long and self._write(head + body):
            self._be_sent()
            return
        if is_long:
            self._unsent = memoryview(body)
            self.transport.write(head)
        self._request_size = len(head) + len(body)
        self._has_begun = False
        self._is_pushed = False
        # A pull producer is asked when it is new, and once more when its last bytes are
        # with the kernel: the one way to know when the request was sent.
        self.transport.registerProducer(self, False)
        self.state = State.SENDING

    def begin(self, head: bytes) -> None:
        """Send the head of a request, for the listener; it is IDLE.

        The body follows by `send_more` and `send_no_more`.
        """
        self.is_whole = False
        self.reader.reset(head.startswith(b"HEAD "))
        self._request_size = SMALL_REQUEST + 1
        self._has_begun = True
        self.state = State.SENDING
        # A push producer: it is told when to pause.
        self._is_pushed = True
        self.transport.registerProducer(self, True)
        self.transport.write(head)

    def send_more(self, data: bytes) -> None:
        """Send more of a request that was begun."""
        if self.state is State.SENDING:
            self.transport.write(data)

    def send_no_more(self) -> None:
        """All of a request that was begun is sent."""
        if self.state is State.SENDING:
            self.transport.unregisterProducer()
            self._be_sent()

    def pauseProducing(self) -> None:
        """Take no more of a request, or of another protocol."""
        if self.follower is not None:
            self.follower.room_to_send(False)

    def pass_on(self, data: bytes) -> None:
        """Send bytes of another protocol, once the server has switched to it."""
        if self.state is State.SWITCHED:
            self.transport.write(data)

    def pause(self) -> None:
        """Read no further, until `resume`."""
        if self.state in (State.SENDING, State.RECEIVING, State.SWITCHED):
            self._is_paused = True
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if self._is_paused and self.state not in (State.CLOSING, State.GONE):
            self._is_paused = False
            self.transport.resumeProducing()

    def _be_sent(self) -> None:
        self.state = State.RECEIVING
        assert self.listener is not None
        self.listener.request_sent()

    def resumeProducing(self) -> None:
        """Send the next piece; or all is sent, unless it is asked because it is new."""
        if self._is_pushed:
            if self.follower is not None:
                self.follower.room_to_send(True)
            return
        if self.state is not State.SENDING:
            return
        if self._unsent:
            self._has_begun = True
            piece, self._unsent = self._unsent[:PIECE], self._unsent[PIECE:]
            self.transport.write(bytes(piece))
        else:
            self.transport.unregisterProducer()
            self._be_sent()

    def stopProducing(self) -> None:
        """The connection is gone: `connectionLost` sees to it."""

    def connectionMade(self) -> None:
        """Be ready; or ask a proxy, or shake hands, first."""
        self.opening = None
        self.fileno = self.transport.fileno()
        # A UNIX socket has no such thing.
        if hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        assert self.listener is not None
        self.listener.connection_made(self)
        if self.tunnel is None:
            self._secure()
        else:
            self.state = State.TUNNELLING
            self.transport.write(self.tunnel.begin())

    def _go_on_tunnelling(self, data: bytes) -> None:
        assert self.tunnel is not None
        try:
            answer = self.tunnel.feed(data)
        except RequestError as error:
            self._fail(error)
            return
        if answer:
            self.transport.write(answer)
        if self.tunnel.is_open:
            assert self.listener is not None
            self.listener.tunnel_made(self)
            self._secure()

    def _secure(self) -> None:
        if self._handshake is None:
            self._be_ready()
        else:
            self.state = State.SECURING
            self.transport.startTLS(self._handshake)

    def handshakeCompleted(self) -> None:
        """Be ready, if the certificate is for this host."""
        assert self._handshake is not None
        try:
            self._handshake.check_name(self.transport.getHandle())
        except RequestError as error:
            self._fail(error)
        else:
            self._be_ready()

    def _be_ready(self) -> None:
        self._write = prompt_writer(self.transport)
        self.state = State.IDLE
        assert self.listener is not None
        self.listener.connection_ready(self)

    def dataReceived(self, data: bytes) -> None:
        """Read on, until the response is whole or cannot become so."""
        if self.state is State.TUNNELLING:
            self._go_on_tunnelling(data)
            return
        if self.state is State.SWITCHED:
            if self.follower is not None:
                self.follower.switched_bytes(data)
            return
        if self.state is not State.RECEIVING and not self._takes_early():
            return
        assert self.listener is not None
        self.listener.bytes_received()
        try:
            self.is_whole = self.reader.feed(data)
        except RequestError as error:
            self._fail(error)
        else:
            if self.is_whole:
                self._finish()
            elif self.follower is not None:
                self.follower.response_goes_on(self)

    def _takes_early(self) -> bool:
        """Whether what came can be a response, though not all of the request was sent.

        Such as that it is too long. What comes over a connection that was used before
        may have been meant for nobody, unless the server had some of this request.
        """
        if self.state is State.SENDING:
            is_long = self._request_size > SMALL_REQUEST
            if is_long and (self._has_begun or not self._was_used):
                return True
            self._fail(MalformedResponse("there was an answer before the request"))
        elif self.state is not State.CLOSING:
            # Nobody asked for it, and nobody is told that it is their response.
            self.abort()
        return False

    def _finish(self) -> None:
        """The response is whole: be free, or close."""
        early = self.reader.behind_switch
        if early is not None and self.state is State.RECEIVING:
            self.state = State.SWITCHED
            self._is_pushed = True
            self.transport.registerProducer(self, True)
            assert self.follower is not None
            self.follower.exchange_switched(self, early)
        elif self.state is State.SENDING:
            # It would wait until the server has taken all of the request.
            self.abort()
        elif not (self._keeps_alive and self.reader.can_be_followed):
            self.close()
        elif self._handshake is None:
            self._be_free()
        else:
            # More may have come with it, in a record that is yet to be decrypted: it
            # would be taken for the response to the next request.
            self.state = State.SETTLING
            self._settling = self._reactor.callLater(0, self._be_free)

    def _be_free(self) -> None:
        self.state = State.IDLE
        self._settling = None
        self._was_used = True
        self.follower = None
        self.resume()
        listener, self.listener = self.listener, None
        self._keeper.connection_free(self)
        assert listener is not None
        listener.exchange_over(self, None)

    def _fail(self, error: RequestError) -> None:
        error.forget_frames()
        self._error = error
        self.abort()

    def close(self) -> None:
        """Close it in an orderly way."""
        if self._handshake is None:
            if self.state is State.SWITCHED:
                self.transport.unregisterProducer()
            self.state = State.CLOSING
            self.transport.loseConnection()
        else:
            # To lose a TLS connection is to wait for the server to agree.
            self.abort()

    def abort(self) -> None:
        """Close it at once."""
        opening, self.opening = self.opening, None
        if opening is not None:
            opening.stop()
            self.could_not_open(None)
        elif self.state is not State.GONE:
            if self.state in (State.SENDING, State.SWITCHED):
                self.transport.unregisterProducer()
            self._settle_no_more()
            self.state = State.CLOSING
            self.transport.abortConnection()

    def _settle_no_more(self) -> None:
        settling, self._settling = self._settling, None
        if settling is not None:
            settling.cancel()

    def could_not_open(self, error: RequestError | None) -> None:
        """There will be no connection: for that reason, or because it was aborted."""
        self.opening = None
        self._error = error
        self._be_gone()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Judge what this end of the connection makes of the response."""
        if self.state is State.TUNNELLING:
            assert self.tunnel is not None
            how = "closed" if reason.check(ConnectionDone) else "broke"
            self._error = self.tunnel.error_at_the_end(f"{how} the connection")
        elif self.state is State.SECURING:
            assert self._handshake is not None
            self._error = self._handshake.error(reason.value)
        elif self.state in (State.SENDING, State.RECEIVING):
            self._error = self._error_at_the_end(reason)
            self.is_whole = self._error is None
        elif self.state is State.SWITCHED and not reason.check(ConnectionDone):
            self._error = ConnectionLost("the connection broke")
        self._settle_no_more()
        self._be_gone()

    def _be_gone(self) -> None:
        self.state = State.GONE
        self._unsent = memoryview(b"")
        self._keeper.connection_gone(self)
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.exchange_over(self, self._error)

    def _error_at_the_end(self, reason: Failure) -> RequestError | None:
        """What it means for a response that the connection ended before it did."""
        reader = self.reader
        if reason.check(ConnectionDone):
            try:
                reader.end()
            except RequestError as error:
                error.forget_frames()
                return error
            return None
        # Twisted does not keep the socket's error, but most of these are resets.
        if not reader.has_begun and self.state is State.SENDING:
            return SendFailed("the connection broke before the request was sent")
        if not reader.has_begun:
            lost = ConnectionLost("the connection broke before the answer")
            lost.phase = "first byte"
            return lost
        lost = ConnectionLost("the connection broke in the middle of the answer")
        if reader.head is None:
            lost.phase = "head"
        return lost
