"""Connections that carry one request after another, on a network in memory."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError

from nbtwisted.client.errors import (
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    DeadlinePassed,
    EmptyResponse,
    RequestError,
)
from nbtwisted.client.request.request import Request
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Response
from tests.client.in_memory import A_TURN, FILENO, Connection, Network
from tests.guard import ClockCase

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
URL = "http://10.0.0.1/x"


class KeepAliveCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = Network()
        self.clock = self.network
        self.getter = self.network.getter(more_to_come=True, connections=3)

    def get(self, url: str = URL) -> Deferred[Response]:
        return self.getter.get(url)

    def opened(self) -> int:
        return len(self.network.attempts)

    def kept(self, url: str = URL) -> Connection:
        """A connection that has carried a request, and is kept."""
        request = self.get(url)
        connection = self.network.accept()
        sent = connection.take_request()
        self.assertNotIn(b"Connection:", sent)
        connection.answer(WHOLE)
        self.assertEqual(self.successResultOf(request).body, b"hello")
        self.assertEqual(connection.state, "open")
        return connection

    def close(self, *connections: Connection) -> None:
        """Close what is kept, which these are."""
        closed = self.getter.close()
        for connection in connections:
            self.assertNoResult(closed)
            self.assertEqual(connection.state, "aborting")
            connection.finish()
        self.successResultOf(closed)

    def error(
        self, request: Deferred[Response], kind: type[RequestError]
    ) -> RequestError:
        error = self.failureResultOf(request, kind).value
        assert isinstance(error, RequestError)
        return error


class ReuseTests(KeepAliveCase):
    def test_the_next_request_goes_over_it(self) -> None:
        connection = self.kept()
        self.network.advance(3)
        request = self.get("http://10.0.0.1/y")
        self.assertEqual(self.opened(), 1)
        self.network.advance(1)
        self.assertTrue(connection.take_request().startswith(b"GET /y "))
        self.network.advance(2)
        connection.answer(WHOLE)
        answer = self.successResultOf(request)
        self.assertEqual(answer.fileno, FILENO)
        timing = answer.timing
        self.assertEqual((timing.dns, timing.connect, timing.tls), (0, 0, None))
        self.assertEqual((timing.wait, timing.total), (2, 3))
        self.close(connection)

    def test_keeps_nothing_of_what_it_carried(self) -> None:
        connection = self.kept()
        self.assertEqual(connection.protocol.reader.raw, b"")
        closed = self.getter.close()
        connection.finish()
        self.successResultOf(closed)

    def test_not_for_another_host_port_or_scheme(self) -> None:
        connection = self.kept()
        requests = [
            self.get(url)
            for url in ("http://10.0.0.2/", "http://10.0.0.1:81/", "https://10.0.0.1/")
        ]
        # Of three that may be open, none is left for those that nobody uses.
        self.assertEqual((self.opened(), connection.state), (3, "aborting"))
        connection.finish()
        self.assertEqual(self.opened(), 4)
        for request in requests:
            request.addErrback(lambda _: None).cancel()
        self.close()

    def test_not_while_it_is_in_use(self) -> None:
        first, second = self.get(), self.get()
        self.assertEqual(self.opened(), 2)
        for number, request in enumerate([first, second]):
            connection = self.network.accept(number)
            connection.take_request()
            connection.answer(WHOLE)
            self.assertEqual(self.successResultOf(request).fileno, FILENO + number)
        # That which was used last comes first.
        self.get().addErrback(lambda _: None).cancel()
        connection.finish()
        self.assertEqual(self.opened(), 2)
        self.close(self.first_connection())

    def first_connection(self) -> Connection:
        (connection,) = self.getter.pool._idle
        transport = connection.transport
        assert isinstance(transport, Connection)
        return transport

    def test_the_server_says_that_it_will_close(self) -> None:
        for head in (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            # Somebody on the way may not have understood these chunks.
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ):
            request = self.get()
            connection = self.network.accept()
            connection.take_request()
            connection.answer(head)
            self.assertEqual(connection.state, "closing")
            self.assertNoResult(request)
            connection.finish()
            self.successResultOf(request)
        self.close()

    def test_http_1_0_that_says_it_will_not_close(self) -> None:
        request = self.get()
        connection = self.network.accept()
        connection.take_request()
        connection.answer(
            b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"
        )
        self.successResultOf(request)
        self.close(connection)

    def test_bytes_behind_the_answer(self) -> None:
        request = self.get()
        connection = self.network.accept()
        connection.take_request()
        connection.answer(WHOLE + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(connection.state, "closing")
        connection.finish()
        self.assertEqual(self.successResultOf(request).raw, WHOLE)
        self.close()

    def test_an_answer_that_nobody_asked_for(self) -> None:
        connection = self.kept()
        connection.answer(WHOLE)
        self.assertEqual(connection.state, "aborting")
        # Not even before it is gone.
        request = self.get()
        self.assertEqual(self.opened(), 2)
        connection.finish()
        other = self.network.accept()
        other.take_request()
        other.answer(WHOLE)
        self.successResultOf(request)
        self.close(other)

    def test_closed_by_the_server_while_nobody_used_it(self) -> None:
        self.kept().close()
        request = self.get()
        self.assertEqual(self.opened(), 2)
        request.addErrback(lambda _: None).cancel()
        self.close()

    def test_the_longest_unused_makes_room(self) -> None:
        one, two, three = (self.kept(f"http://10.0.0.{n}/") for n in (1, 2, 3))
        request = self.get("http://10.0.0.4/")
        self.assertEqual(one.state, "aborting")
        # Its descriptor is there until it is gone.
        self.assertEqual(self.opened(), 3)
        one.finish()
        self.assertEqual(self.opened(), 4)
        four = self.network.accept()
        four.take_request()
        four.answer(WHOLE)
        self.successResultOf(request)
        self.close(two, three, four)

    def test_to_make_room_takes_no_room_when_it_is_cancelled(self) -> None:
        one, two, three = (self.kept(f"http://10.0.0.{n}/") for n in (1, 2, 3))
        self.get("http://10.0.0.4/").addErrback(lambda _: None).cancel()
        one.finish()
        four = self.kept("http://10.0.0.5/")
        self.close(two, three, four)

    def test_not_one_on_which_something_has_arrived(self) -> None:
        connection = self.kept()
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        connection.protocol.fileno = ours.fileno()
        self.get().addErrback(lambda _: None).cancel()
        self.assertEqual((self.opened(), connection.state), (1, "aborting"))
        connection.finish()

    def test_one_on_which_something_has_arrived(self) -> None:
        connection = self.kept()
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        connection.protocol.fileno = ours.fileno()
        # While this process could not read, for instance.
        theirs.send(WHOLE)
        request = self.get()
        self.assertEqual((self.opened(), connection.state), (2, "aborting"))
        connection.finish()
        request.addErrback(lambda _: None).cancel()

    def test_an_answer_before_all_of_a_long_request_was_taken(self) -> None:
        self.getter.headers = [("X-Long", "x" * 20_000)]
        request = self.get()
        connection = self.network.accept()
        connection.answer(WHOLE)
        # It does not wait until the rest is sent, which may be never.
        self.assertEqual(connection.state, "aborting")
        connection.finish()
        self.successResultOf(request)
        self.close()

    def test_to_cancel_closing_is_to_wait_no_more(self) -> None:
        connection = self.kept()
        closed = self.getter.close()
        closed.cancel()
        self.successResultOf(closed)
        connection.finish()


class StaleTests(KeepAliveCase):
    """The server closes a connection just when it is used again."""

    def setUp(self) -> None:
        super().setUp()
        self.connection = self.kept()
        self.network.advance(1)
        self.request = self.get()
        self.assertEqual(self.opened(), 1)

    def answered(self) -> Response:
        connection = self.network.accept()
        connection.take_request()
        connection.answer(WHOLE)
        answer = self.successResultOf(self.request)
        self.close(connection)
        return answer

    def test_before_the_request_was_sent(self) -> None:
        self.connection.reset()
        self.answered()

    def test_without_a_byte(self) -> None:
        self.connection.take_request()
        self.network.advance(2)
        self.connection.close()
        answer = self.answered()
        # The connection is that which the answer came over.
        self.assertEqual(answer.fileno, FILENO + 1)
        self.assertEqual((answer.timing.wait, answer.timing.total), (0, 2))
        # It is no retry, and yet not kept quiet.
        self.assertEqual(answer.result.tries, 1)
        (first,) = answer.result.attempts[:-1]
        self.assertEqual((first.then, type(first.error)), ("resend", EmptyResponse))
        self.assertEqual((first.fileno, first.timing.total), (FILENO, 2))

    def test_by_a_reset(self) -> None:
        self.connection.take_request()
        self.connection.reset()
        self.answered()

    def test_with_a_last_word_from_before_the_request(self) -> None:
        # As some servers do: 408 for a client that has said nothing for long.
        self.connection.answer(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        self.connection.finish()
        self.answered()

    def test_once_only(self) -> None:
        self.connection.take_request()
        self.connection.close()
        other = self.network.accept()
        other.take_request()
        other.close()
        self.error(self.request, EmptyResponse)
        self.assertEqual(self.opened(), 2)
        self.close()

    def test_not_when_something_was_received(self) -> None:
        self.connection.take_request()
        self.connection.answer(b"H")
        self.connection.reset()
        self.error(self.request, ConnectionLost)
        self.close()

    def test_the_new_one_has_its_own_time_to_connect(self) -> None:
        self.getter.connect_timeout = 0.5
        self.getter.until_connected = self.getter.deadlines.lane(
            0.5, Request.expire_connecting
        )
        self.connection.take_request()
        self.connection.close()
        self.network.pump([0.5, A_TURN])
        error = self.error(self.request, ConnectTimeout)
        self.assertEqual(str(error), "0.5 s passed while connecting")
        self.close()

    def test_a_long_request_is_answered_by_nobody_before_it_was_sent(self) -> None:
        self.getter.headers = [("X-Long", "x" * 20_000)]
        self.connection.take_request()
        self.connection.answer(WHOLE)
        self.successResultOf(self.request)
        request = self.get()
        self.connection.answer(WHOLE)
        self.assertEqual(self.connection.state, "aborting")
        self.connection.finish()
        self.assertEqual(self.opened(), 2)
        request.addErrback(lambda _: None).cancel()
        self.close()

    def test_when_there_is_no_other(self) -> None:
        self.connection.take_request()
        self.connection.close()
        self.network.refuse(ConnectionRefusedError())
        self.error(self.request, ConnectFailed)
        self.close()

    def test_deadline_on_a_kept_connection(self) -> None:
        self.connection.take_request()
        self.network.pump([30, A_TURN])
        self.connection.finish()
        error = self.error(self.request, DeadlinePassed)
        self.assertEqual(str(error), "30 s passed while waiting for the first byte")
        self.assertEqual(self.opened(), 1)
        self.close()


class GetterTests(KeepAliveCase):
    def test_what_may_be_followed_is_kept(self) -> None:
        cases: list[tuple[dict[str, Any], bool]] = [
            ({}, False),
            ({"max_redirects": 0}, False),
            ({"max_redirects": 1}, True),
            ({"retries": Retries(1)}, True),
            ({"more_to_come": True}, True),
        ]
        for options, is_kept in cases:
            getter = self.network.getter(**options)
            request = getter.get(URL)
            connection = self.network.accept()
            sent = connection.take_request()
            self.assertEqual(b"\r\nConnection: close\r\n" not in sent, is_kept)
            connection.answer(WHOLE)
            self.assertEqual(connection.state, "open" if is_kept else "closing")
            closed = getter.close()
            connection.finish()
            self.successResultOf(closed)
            self.assertEqual(self.successResultOf(request).body, b"hello")

    def test_what_is_wanted_once_is_not_kept(self) -> None:
        request: Any = self.network.getter().get(URL)
        connection = self.network.accept()
        self.assertIn(b"\r\nConnection: close\r\n", connection.take_request())
        connection.answer(WHOLE)
        self.assertEqual(connection.state, "closing")
        connection.finish()
        self.successResultOf(request)
