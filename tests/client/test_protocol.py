"""Whole lives of a connection: together they make every move of its state table."""

from __future__ import annotations

from typing import Any

from nbtwisted.client.connection.protocol import PIECE, SMALL_REQUEST, State
from nbtwisted.client.connection.protocol import Connection as OurConnection
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.errors import (
    CertificateRefused,
    ConnectFailed,
    ConnectionLost,
    EmptyResponse,
    MalformedResponse,
    RequestError,
    ResponseCutShort,
    SendFailed,
    SOCKSFailed,
    TLSFailed,
    TunnelFailed,
)
from nbtwisted.client.message import Message
from tests.client.in_memory import A_TURN, FILENO, Connection, Network
from tests.client.state_table import moves_in, named
from tests.guard import ClockCase

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
WHOLE = HEAD + b"hello"
LAST = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)
OVER = ["exchange over", None]


class _Handshake:
    """Stands in for one of OpenSSL's, with a certificate for this host or another."""

    def __init__(self, refusal: RequestError | None = None) -> None:
        self._refusal = refusal

    def check_name(self, connection: object) -> None:
        if self._refusal is not None:
            raise self._refusal

    def error(self, reason: BaseException | None) -> RequestError:
        return TLSFailed(f"{type(reason).__name__} in the handshake")


class _Tunnel:
    """Stands in for what is said to a proxy."""

    is_open = False

    def begin(self) -> bytes:
        return b"begin"

    def feed(self, data: bytes) -> bytes:
        if data == b"no":
            raise TunnelFailed("no")
        self.is_open = data == b"open"
        return b"" if self.is_open else b"go on"

    def error_at_the_end(self, how: str) -> RequestError:
        return SOCKSFailed(how)


class ConnectionTests(ClockCase):
    """The test is the listener, the keeper, and what opens the connection, too."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = self.network = Network()
        self.told: list[Any] = []

    def host_resolved(self) -> None:
        raise AssertionError

    def connection_made(self, connection: OurConnection) -> None:
        self.told.append("made")

    def tunnel_made(self, connection: OurConnection) -> None:
        self.told.append("tunnel")

    def connection_ready(self, connection: OurConnection) -> None:
        self.told.append("ready")

    def request_sent(self) -> None:
        self.told.append("sent")

    def bytes_received(self) -> None:
        self.told.append("bytes")

    def exchange_over(
        self, connection: OurConnection, error: RequestError | None
    ) -> None:
        self.assertEqual(self.network.getDelayedCalls(), [])
        self.told += ["exchange over", error and type(error)]

    def connection_free(self, connection: OurConnection) -> None:
        self.told.append("free")

    def connection_gone(self, connection: OurConnection) -> None:
        self.told.append("gone")

    def stop(self) -> None:
        self.told.append("stop opening")

    def response_goes_on(self, connection: OurConnection) -> None:
        self.told += ["goes on", connection.reader.take()]

    def room_to_send(self, has_room: bool) -> None:
        self.told.append("room" if has_room else "no room")

    def switched_bytes(self, data: bytes) -> None:
        self.told.append(data)

    def exchange_switched(self, connection: OurConnection, early: bytes) -> None:
        self.told += ["switched", early]

    def expect(self, *told: Any) -> None:
        """What it told since it was last asked."""
        self.assertEqual(self.told, [*told])
        self.told.clear()

    def new(
        self, handshake: _Handshake | None = None, *, keeps_alive: bool = True
    ) -> OurConnection:
        connection = OurConnection(
            self.network,
            self,
            self,
            ResponseReader(Limits()),
            handshake,  # type: ignore[arg-type]
            keeps_alive=keeps_alive,
        )
        connection.opening = self
        return connection

    def ready(
        self, handshake: _Handshake | None = None, *, keeps_alive: bool = True
    ) -> tuple[OurConnection, Connection]:
        """Both ends of one that can take a request."""
        ours = self.new(handshake, keeps_alive=keeps_alive)
        theirs = self.accept(ours)
        if handshake is not None:
            self.expect("made")
            self.assertIs(theirs.handshake, handshake)
            theirs.secure()
            self.expect("ready")
        else:
            self.expect("made", "ready")
        return ours, theirs

    def accept(self, ours: OurConnection) -> Connection:
        theirs = Connection(ours, FILENO)
        ours.makeConnection(theirs)
        self.assertEqual(ours.fileno, FILENO)
        return theirs

    def busy(self, **more: Any) -> tuple[OurConnection, Connection]:
        """Both ends of one that has sent a request."""
        ours, theirs = self.ready(**more)
        self.send(ours, theirs)
        return ours, theirs

    def send(self, ours: OurConnection, theirs: Connection) -> None:
        ours.send(Message(REQUEST))
        self.expect()
        self.assertEqual(theirs.take_request(), REQUEST)
        self.expect("sent")

    def tunnelling(
        self, handshake: _Handshake | None = None
    ) -> tuple[OurConnection, Connection]:
        """Both ends of one whose proxy is asked to connect to the host."""
        ours = self.new(handshake)
        ours.tunnel = _Tunnel()
        theirs = self.accept(ours)
        self.expect("made")
        self.assertEqual(theirs.value(), b"begin")
        theirs.clear()
        return ours, theirs

    def settling(self) -> tuple[OurConnection, Connection]:
        """Both ends of one in TLS that has a whole response."""
        ours, theirs = self.busy(handshake=_Handshake())
        theirs.answer(WHOLE)
        self.expect("bytes")
        return ours, theirs

    def switched(self) -> tuple[OurConnection, Connection]:
        """Both ends of one on which the server has switched to another protocol."""
        ours, theirs = self.busy()
        ours.follower = self
        ours.reader.may_switch = True
        theirs.answer(SWITCH + b"early")
        self.expect("bytes", "switched", b"early")
        return ours, theirs

    # Followed.

    def test_a_request_that_is_sent_while_it_comes(self) -> None:
        ours, theirs = self.ready()
        ours.follower = self
        ours.begin(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n")
        ours.send_more(b"ab")
        theirs.push_producer.pauseProducing()
        theirs.push_producer.resumeProducing()
        self.expect("no room", "room")
        ours.send_more(b"cd")
        ours.send_no_more()
        self.expect("sent")
        self.assertTrue(theirs.take_request().endswith(b"\r\n\r\nabcd"))
        theirs.answer(HEAD + b"he")
        self.expect("bytes", "goes on", b"he")
        theirs.answer(b"llo")
        self.expect("bytes", "free", *OVER)
        self.assertEqual(ours.reader.take(), b"llo")
        self.assertIsNone(ours.follower)

    def test_its_response_comes_before_its_end(self) -> None:
        ours, theirs = self.ready()
        ours.follower = self
        ours.begin(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n")
        theirs.answer(WHOLE)
        self.expect("bytes")
        ours.send_more(b"abcd")
        ours.send_no_more()
        theirs.finish()
        self.expect("gone", *OVER)
        self.assertTrue(ours.is_whole)

    def test_a_paused_one_is_read_again_for_the_next(self) -> None:
        ours, theirs = self.busy()
        ours.follower = self
        theirs.answer(HEAD)
        ours.pause()
        self.assertEqual(theirs.producerState, "paused")
        # TLS may have more than what was read.
        theirs.answer(b"hello")
        self.expect("bytes", "goes on", b"", "bytes", "free", *OVER)
        self.assertEqual(theirs.producerState, "producing")

    def test_another_protocol(self) -> None:
        ours, theirs = self.switched()
        theirs.answer(b"more")
        self.expect(b"more")
        ours.pass_on(b"there")
        self.assertEqual(theirs.take_request(), b"there")
        theirs.push_producer.pauseProducing()
        theirs.push_producer.resumeProducing()
        self.expect("no room", "room")
        ours.pause()
        self.assertEqual(theirs.producerState, "paused")
        ours.resume()
        self.assertEqual(theirs.producerState, "producing")
        ours.close()
        theirs.finish()
        self.expect("gone", *OVER)

    def test_another_protocol_breaks(self) -> None:
        ours, theirs = self.switched()
        theirs.reset()
        self.expect("gone", "exchange over", ConnectionLost)
        ours, theirs = self.switched()
        theirs.close()
        self.expect("gone", *OVER)
        ours, theirs = self.switched()
        ours.abort()
        theirs.finish()
        self.expect("gone", *OVER)

    def test_another_protocol_that_nobody_follows_any_more(self) -> None:
        ours, theirs = self.switched()
        ours.follower = None
        theirs.push_producer.pauseProducing()
        theirs.push_producer.resumeProducing()
        theirs.answer(b"lost")
        ours.abort()
        ours.pass_on(b"late")
        ours.pause()
        self.assertEqual(theirs.producerState, "producing")
        self.assertEqual(theirs.value(), b"")
        theirs.finish()
        self.expect("gone", *OVER)

    def test_another_protocol_that_nobody_asked_for(self) -> None:
        _, theirs = self.busy()
        theirs.answer(SWITCH)
        theirs.finish()
        self.expect("bytes", "gone", "exchange over", MalformedResponse)

    # Open.

    def test_request_after_request(self) -> None:
        ours, theirs = self.busy()
        theirs.answer(HEAD)
        self.expect("bytes")
        self.assertFalse(ours.is_whole)
        theirs.answer(b"hello")
        self.expect("bytes", "free", *OVER)
        self.assertTrue(ours.is_whole)
        ours.listener = self
        self.send(ours, theirs)
        self.assertFalse(ours.is_whole)
        theirs.answer(HEAD + b"other")
        self.expect("bytes", "free", *OVER)
        self.assertEqual(ours.reader.body, b"other")
        self.assertEqual(theirs.state, "open")
        theirs.close()
        self.expect("gone")

    def test_in_tls(self) -> None:
        ours, theirs = self.settling()
        self.network.advance(A_TURN)
        self.expect("free", *OVER)
        ours.listener = self
        self.send(ours, theirs)
        theirs.answer(WHOLE)
        self.network.advance(A_TURN)
        self.expect("bytes", "free", *OVER)
        theirs.close()
        self.expect("gone")

    def test_of_a_unix_socket(self) -> None:
        self.patch(Connection, "setTcpNoDelay", property())
        self.ready()

    def test_of_tcp(self) -> None:
        told: list[bool] = []
        self.patch(Connection, "setTcpNoDelay", lambda _, enabled: told.append(enabled))
        self.ready()
        self.assertEqual(told, [True])

    # Not open.

    def test_could_not_open(self) -> None:
        ours = self.new()
        ours.could_not_open(ConnectFailed("refused"))
        self.expect("gone", "exchange over", ConnectFailed)
        ours.abort()
        self.expect()

    def test_aborted_while_it_opens(self) -> None:
        ours = self.new()
        ours.abort()
        self.expect("stop opening", "gone", *OVER)
        self.assertFalse(ours.is_whole)

    def test_lost_in_the_handshake(self) -> None:
        theirs = self.accept(self.new(_Handshake()))
        theirs.reset()
        self.expect("made", "gone", "exchange over", TLSFailed)

    def test_aborted_in_the_handshake(self) -> None:
        ours = self.new(_Handshake())
        theirs = self.accept(ours)
        ours.abort()
        self.assertEqual(theirs.state, "aborting")
        theirs.finish()
        self.expect("made", "gone", *OVER)

    def test_a_certificate_for_another_host(self) -> None:
        ours = self.new(_Handshake(CertificateRefused("for another")))
        theirs = self.accept(ours)
        theirs.secure()
        self.assertEqual(theirs.state, "aborting")
        self.expect("made")
        theirs.finish()
        self.expect("gone", "exchange over", CertificateRefused)

    # Through a proxy.

    def test_a_tunnel(self) -> None:
        ours, theirs = self.tunnelling()
        theirs.answer(b"more")
        self.assertEqual(theirs.value(), b"go on")
        theirs.clear()
        self.expect()
        theirs.answer(b"open")
        self.assertEqual(theirs.value(), b"")
        self.expect("tunnel", "ready")
        self.send(ours, theirs)
        theirs.answer(WHOLE)
        self.expect("bytes", "free", *OVER)

    def test_a_tunnel_in_tls(self) -> None:
        handshake = _Handshake()
        ours, theirs = self.tunnelling(handshake)
        self.assertIsNone(theirs.handshake)
        theirs.answer(b"open")
        self.expect("tunnel")
        self.assertIs(theirs.handshake, handshake)
        theirs.secure()
        self.expect("ready")
        self.send(ours, theirs)

    def test_a_tunnel_that_is_refused(self) -> None:
        ours, theirs = self.tunnelling()
        theirs.answer(b"no")
        self.assertEqual(theirs.state, "aborting")
        self.expect()
        # And all that comes then.
        ours.dataReceived(b"open")
        theirs.finish()
        self.expect("gone", "exchange over", TunnelFailed)

    def test_lost_before_there_is_a_tunnel(self) -> None:
        for how, words in [("close", "closed"), ("reset", "broke")]:
            ours, theirs = self.tunnelling()
            getattr(theirs, how)()
            self.expect("gone", "exchange over", SOCKSFailed)
            self.assertEqual(str(ours._error), f"{words} the connection")

    def test_aborted_before_there_is_a_tunnel(self) -> None:
        ours, theirs = self.tunnelling()
        ours.abort()
        self.assertEqual(theirs.state, "aborting")
        theirs.finish()
        self.expect("gone", *OVER)

    # The end, while it is free.

    def test_bytes_that_nobody_asked_for(self) -> None:
        for more in ({}, {"handshake": _Handshake()}):
            ours, theirs = self.busy(**more)
            theirs.answer(WHOLE)
            self.network.advance(A_TURN)
            self.expect("bytes", "free", *OVER)
            theirs.answer(b"x")
            self.assertEqual(theirs.state, "aborting")
            # And all that comes then.
            ours.dataReceived(WHOLE)
            self.expect()
            theirs.finish()
            self.expect("gone")

    def test_lost_before_it_was_asked(self) -> None:
        _, theirs = self.ready()
        theirs.reset()
        self.expect("gone", *OVER)

    def test_aborted_while_it_is_free(self) -> None:
        ours, theirs = self.busy()
        theirs.answer(WHOLE)
        self.expect("bytes", "free", *OVER)
        ours.abort()
        theirs.finish()
        self.expect("gone")

    # The end, with a response that is whole.

    def test_the_last(self) -> None:
        for handshake, state in [(None, "closing"), (_Handshake(), "aborting")]:
            for keeps_alive, answer in [(True, LAST), (False, WHOLE)]:
                ours, theirs = self.busy(handshake=handshake, keeps_alive=keeps_alive)
                theirs.answer(answer)
                self.assertEqual(theirs.state, state)
                ours.dataReceived(WHOLE)
                self.expect("bytes")
                theirs.finish()
                self.expect("gone", *OVER)
                self.assertTrue(ours.is_whole)
                self.assertEqual(ours.reader.raw, answer)

    def test_aborted_while_it_closes(self) -> None:
        ours, theirs = self.busy(keeps_alive=False)
        theirs.answer(WHOLE)
        ours.abort()
        self.assertEqual(theirs.state, "aborting")
        theirs.finish()
        self.expect("bytes", "gone", *OVER)

    def test_a_response_until_the_connection_ends(self) -> None:
        ours, theirs = self.busy()
        theirs.answer(b"HTTP/1.1 200 OK\r\n\r\nhello")
        theirs.close()
        self.expect("bytes", "gone", *OVER)
        self.assertTrue(ours.is_whole)

    def test_bytes_behind_it_in_the_next_record(self) -> None:
        ours, theirs = self.settling()
        theirs.answer(WHOLE)
        self.assertEqual(theirs.state, "aborting")
        self.expect()
        theirs.finish()
        self.expect("gone", *OVER)
        self.assertTrue(ours.is_whole)
        self.assertEqual(ours.reader.raw, WHOLE)

    def test_closed_behind_it_in_the_same_turn(self) -> None:
        ours, theirs = self.settling()
        theirs.close()
        self.expect("gone", *OVER)
        self.assertTrue(ours.is_whole)

    def test_aborted_while_it_settles(self) -> None:
        ours, theirs = self.settling()
        ours.abort()
        theirs.finish()
        self.expect("gone", *OVER)

    # The end, with one that is not.

    def test_lost(self) -> None:
        for came, by_close, by_reset in [
            (b"", EmptyResponse, ("first byte", "before the answer")),
            (b"HTTP", ResponseCutShort, ("head", "in the middle")),
            (HEAD + b"h", ResponseCutShort, ("body", "in the middle")),
        ]:
            for kind in (by_close, ConnectionLost):
                ours, theirs = self.busy()
                if came:
                    theirs.answer(came)
                    self.expect("bytes")
                theirs.close() if kind is by_close else theirs.reset()
                self.expect("gone", "exchange over", kind)
                self.assertFalse(ours.is_whole)
            error = ours._error
            assert error is not None
            self.assertEqual(error.phase, by_reset[0])
            self.assertIn(by_reset[1], str(error))

    def test_lost_while_it_sends(self) -> None:
        ours, theirs = self.ready()
        ours.send(Message(REQUEST))
        self.assertTrue(theirs.has_something_to_send)
        theirs.reset()
        self.assertFalse(theirs.has_something_to_send)
        self.expect("gone", "exchange over", SendFailed)

    def test_no_response_at_all(self) -> None:
        _, theirs = self.busy()
        theirs.answer(b"SSH-2.0")
        self.assertEqual(theirs.state, "aborting")
        self.expect("bytes")
        theirs.finish()
        self.expect("gone", "exchange over", MalformedResponse)

    def test_aborted_while_it_sends(self) -> None:
        ours, theirs = self.ready()
        ours.send(Message(REQUEST))
        ours.abort()
        self.assertFalse(theirs.has_something_to_send)
        self.assertEqual(theirs.state, "aborting")
        theirs.finish()
        self.expect("gone", *OVER)
        self.assertFalse(ours.is_whole)

    # Before the request was sent.

    def test_a_response_to_a_part_of_a_long_request(self) -> None:
        for more, is_taken in [(0, False), (1, True)]:
            ours, theirs = self.ready()
            ours.send(Message(b"x" * (SMALL_REQUEST + more)))
            theirs.answer(WHOLE)
            self.assertFalse(theirs.has_something_to_send)
            self.assertEqual(theirs.state, "aborting")
            theirs.finish()
            if is_taken:
                self.expect("bytes", "gone", *OVER)
            else:
                self.expect("gone", "exchange over", MalformedResponse)
            self.assertEqual(ours.is_whole, is_taken)

    def test_no_response_to_a_part_of_the_second(self) -> None:
        ours, theirs = self.busy()
        theirs.answer(WHOLE)
        self.expect("bytes", "free", *OVER)
        ours.listener = self
        ours.send(Message(b"x" * (SMALL_REQUEST + 1)))
        theirs.answer(WHOLE)
        theirs.finish()
        self.expect("gone", "exchange over", MalformedResponse)

    def test_a_long_body_goes_out_piece_by_piece(self) -> None:
        body = bytes(range(256)) * (PIECE // 100)
        ours, theirs = self.ready()
        ours.send(Message(REQUEST, body))
        self.assertEqual(theirs.value(), REQUEST)
        pieces = [theirs.take_request() for _ in range(3)]
        self.assertEqual([len(piece) for piece in pieces[1:]], [PIECE, 36608])
        self.expect()
        theirs.take_request()
        self.expect("sent")
        self.assertEqual(b"".join(pieces), REQUEST + body)
        theirs.answer(WHOLE)
        self.expect("bytes", "free", *OVER)

    def test_a_response_to_a_part_of_a_long_body_over_a_used_connection(self) -> None:
        ours, theirs = self.busy()
        theirs.answer(WHOLE)
        self.expect("bytes", "free", *OVER)
        ours.listener = self
        ours.send(Message(REQUEST, b"x" * (PIECE + 1)))
        theirs.take_request()
        theirs.answer(WHOLE)
        self.assertEqual(theirs.state, "aborting")
        theirs.finish()
        self.expect("bytes", "gone", *OVER)
        self.assertTrue(ours.is_whole)

    def test_no_body_of_a_response_to_head(self) -> None:
        for head in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ):
            ours, theirs = self.ready()
            ours.send(Message(REQUEST.replace(b"GET", b"HEAD")))
            theirs.take_request()
            self.expect("sent")
            theirs.answer(head)
            self.expect("bytes", "free", *OVER)
            self.assertEqual(ours.reader.raw, head)
            self.assertEqual(ours.reader.body, b"")

    def test_sent_at_once(self) -> None:
        ours, theirs = self.ready()
        ours._write = lambda request: theirs.write(request) or True
        ours.send(Message(REQUEST))
        self.expect("sent")
        self.assertFalse(theirs.has_something_to_send)
        self.assertEqual(theirs.value(), REQUEST)
        theirs.answer(WHOLE)
        self.expect("bytes", "free", *OVER)


class TableTests(ClockCase):
    def test_the_table_names_all_moves_and_no_other(self) -> None:
        moves = moves_in(ConnectionTests, OurConnection, "state")
        self.assertEqual(sorted(moves - named(State)), [], "made, and not named")
        self.assertEqual(sorted(named(State) - moves), [], "named, and not made")
