"""One request, from the queue to its end, on a network in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError

from nbtwisted import client
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.errors import (
    BadURL,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
    DeadlinePassed,
    EmptyResponse,
    FirstByteTimeout,
    Interrupted,
    MalformedResponse,
    NameNotResolved,
    RequestError,
    ResponseTooLarge,
    SendFailed,
)
from nbtwisted.client.result import Response, Result
from tests.client.in_memory import (
    A_TURN,
    FILENO,
    Addresses,
    Connection,
    Network,
    last_of,
    result_of,
    timing_of,
)
from tests.guard import ClockCase

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
WHOLE = HEAD + b"hello"


class GettingCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = Network()
        self.clock = self.network

    def get(self, url: str = "http://10.0.0.1/x", **options: Any) -> Deferred[Response]:
        return self.network.getter(**options).get(url)

    def error(
        self, request: Deferred[Response], kind: type[RequestError]
    ) -> RequestError:
        """The error that the request has ended with; and nothing of it is left."""
        error = self.failureResultOf(request, kind).value
        assert isinstance(error, RequestError)
        self.assertEqual(type(error), kind)
        self.assertEqual(self.network.getDelayedCalls(), [])
        return error

    def sent(self, request: Deferred[Response]) -> Connection:
        """The connection of a request that was sent."""
        self.assertNoResult(request)
        connection = self.network.accept()
        connection.take_request()
        return connection


class PackageTests(ClockCase):
    def test_its_names(self) -> None:
        for name in client.__all__:
            self.assertIn(getattr(client, name).__name__, name)
        with self.assertRaisesRegex(AttributeError, "client' has no attribute 'post'"):
            client.post  # noqa: B018


class AnswerTests(GettingCase):
    def test_phases_are_timed(self) -> None:
        name: Deferred[tuple[str, ...]] = Deferred()
        getter = self.network.getter(resolver=Addresses(host=name), max_time=60.0)
        self.network.advance(100)
        results: list[Result] = []
        getter.request("http://host:8080/x", queued_at=98).start(
            lambda _, result: results.append(result)
        )
        self.network.advance(1)
        name.callback(("10.0.0.1",))
        self.assertEqual(self.network.attempts, [("10.0.0.1", 8080)])
        self.network.advance(2)
        connection = self.network.accept()
        self.network.advance(0.5)  # sending: part of the whole, and of no phase
        sent = connection.take_request()
        self.assertTrue(
            sent.startswith(b"GET /x HTTP/1.1\r\nHost: host:8080\r\n"), sent
        )
        self.network.advance(4)
        connection.answer(HEAD)
        self.network.advance(8)
        connection.answer(b"hello")
        self.network.advance(16)
        # Not before the connection is gone, though its end takes no part in the time.
        self.assertEqual(results, [])
        self.assertEqual(connection.state, "closing")
        connection.finish()
        (result,) = results
        answer = result.response
        assert answer is not None
        self.assertEqual(answer.url, "http://host:8080/x")
        self.assertEqual(
            (answer.status, answer.body, answer.raw), (200, b"hello", WHOLE)
        )
        self.assertEqual(answer.fileno, FILENO)
        timing = answer.timing
        self.assertEqual((timing.started, timing.queued), (100, 2))
        self.assertEqual((timing.dns, timing.connect), (1, 2))
        self.assertEqual((timing.wait, timing.receive), (4, 8))
        self.assertEqual(timing.total, 15.5)

    def test_an_answer_before_all_of_a_long_request_was_taken(self) -> None:
        # As servers do that refuse it for its length.
        request = self.get(headers=[("X-Long", "x" * 20_000)])
        connection = self.network.accept()
        connection.answer(WHOLE)
        connection.finish()
        self.assertEqual(self.successResultOf(request).timing.wait, 0)

    def test_an_answer_that_ends_with_the_connection(self) -> None:
        request = self.get()
        connection = self.sent(request)
        connection.answer(b"HTTP/1.0 404 No\r\n\r\nnot ")
        connection.answer(b"here")
        connection.close()
        answer = self.successResultOf(request)
        self.assertEqual((answer.status, answer.body), (404, b"not here"))

    def test_bytes_behind_the_answer(self) -> None:
        request = self.get()
        connection = self.sent(request)
        connection.answer(WHOLE + b"HTTP/1.1 500 And more\r\n\r\n")
        connection.finish()
        self.assertEqual(self.successResultOf(request).raw, WHOLE)

    def test_the_next_address_is_tried(self) -> None:
        request = self.get(
            "http://host/", resolver=Addresses(host=("::1", "127.0.0.1", "10.0.0.1"))
        )
        self.network.refuse(ConnectionRefusedError(111))
        connection = self.sent(request)
        connection.answer(WHOLE)
        connection.finish()
        self.assertEqual(self.network.attempts, [("::1", 80), ("127.0.0.1", 80)])
        self.assertEqual(self.successResultOf(request).status, 200)


class FailureTests(GettingCase):
    def test_bad_url(self) -> None:
        error = self.error(self.get("ftp://me:secret@x/\x1b"), BadURL)
        self.assertEqual((error.phase, error.exit_code), ("url", 3))
        self.assertEqual(result_of(error).url, "ftp://x/\\x1b")
        self.assertEqual(result_of(error).attempts, ())

    def test_unknown_host(self) -> None:
        name: Deferred[tuple[str, ...]] = Deferred()
        request = self.get("http://host/", resolver=Addresses(host=name))
        name.errback(NameNotResolved("cannot find host 'host': no such thing"))
        error = self.error(request, NameNotResolved)
        self.assertEqual((error.phase, error.exit_code), ("dns", 6))
        self.assertEqual(result_of(error).url, "http://host/")

    def test_an_attempt_that_cannot_even_begin(self) -> None:
        def no_descriptor(*_: object, **__: object) -> None:
            raise OSError(24, "Too many open files")

        self.patch(self.network, "connectTCP", no_descriptor)
        error = self.error(self.get("http://10.0.0.1/"), ConnectFailed)
        self.assertEqual(str(error), "10.0.0.1 port 80: Too many open files")

    def test_refused_everywhere(self) -> None:
        request = self.get("http://h:81/", resolver=Addresses(h=("::1", "10.0.0.1")))
        self.network.refuse(ConnectionRefusedError(111))
        self.network.refuse(ConnectionRefusedError(113))
        error = self.error(request, ConnectFailed)
        self.assertEqual((error.phase, error.exit_code), ("connect", 7))
        self.assertEqual(
            str(error),
            "::1 port 81: Connection refused; 10.0.0.1 port 81: No route to host",
        )

    def test_broken_before_the_request_was_taken(self) -> None:
        request = self.get()
        self.network.accept().reset()
        error = self.error(request, SendFailed)
        self.assertEqual((error.phase, error.exit_code), ("send", 55))

    def test_closed_without_a_byte(self) -> None:
        request = self.get()
        self.sent(request).close()
        error = self.error(request, EmptyResponse)
        self.assertEqual((error.phase, error.exit_code), ("first byte", 52))
        self.assertEqual(last_of(error).fileno, FILENO)

    def test_reset_before_the_answer(self) -> None:
        request = self.get()
        self.sent(request).reset()
        error = self.error(request, ConnectionLost)
        self.assertEqual((error.phase, error.exit_code), ("first byte", 56))

    def test_reset_in_the_answer(self) -> None:
        request = self.get()
        connection = self.sent(request)
        self.network.advance(1)
        connection.answer(HEAD + b"he")
        self.network.advance(2)
        connection.reset()
        error = self.error(request, ConnectionLost)
        self.assertEqual((error.phase, error.exit_code), ("body", 56))
        self.assertEqual(last_of(error).raw, HEAD + b"he")
        self.assertEqual((timing_of(error).wait, timing_of(error).receive), (1, 2))
        self.assertEqual(timing_of(error).total, 3)

    def test_garbage_is_not_read_to_its_end(self) -> None:
        request = self.get()
        connection = self.sent(request)
        connection.answer(b"SSH-2.0-x\r\n")
        self.assertEqual(connection.state, "aborting")
        self.assertNoResult(request)
        connection.finish()
        error = self.error(request, MalformedResponse)
        self.assertEqual((error.phase, error.exit_code), ("framing", 56))
        self.assertEqual(last_of(error).raw, b"SSH-2.0-x\r\n")

    def test_what_comes_after_it_has_failed(self) -> None:
        request = self.get()
        connection = self.sent(request)
        connection.answer(b"SSH-2.0-x\r\n")
        # TLS may have more in its hands when it is told to stop.
        connection.protocol.dataReceived(WHOLE)
        connection.finish()
        error = self.error(request, MalformedResponse)
        self.assertEqual(last_of(error).raw, b"SSH-2.0-x\r\n")

    def test_an_answer_before_the_request(self) -> None:
        request = self.get()
        connection = self.network.accept()
        connection.answer(WHOLE)
        connection.finish()
        error = self.error(request, MalformedResponse)
        self.assertEqual(str(error), "there was an answer before the request")

    def test_too_large(self) -> None:
        request = self.get(limits=Limits(body=4))
        connection = self.sent(request)
        connection.answer(HEAD)
        connection.finish()
        error = self.error(request, ResponseTooLarge)
        self.assertEqual((error.phase, error.exit_code), ("body", 63))


class HappyEyeballsTests(GettingCase):
    def setUp(self) -> None:
        super().setUp()
        self.request = self.get(
            "http://h/", resolver=Addresses(h=("::1", "::2", "10.0.0.1"))
        )

    def hosts(self) -> list[str]:
        return [host for host, _ in self.network.attempts]

    def answered(self, number: int) -> None:
        connection = self.network.accept(number)
        connection.take_request()
        connection.answer(WHOLE)
        connection.finish()
        self.assertEqual(self.successResultOf(self.request).body, b"hello")
        self.assertEqual(self.network.getDelayedCalls(), [])

    def test_the_next_family_has_its_turn_after_a_quarter_of_a_second(self) -> None:
        self.network.advance(0.24)
        self.assertEqual(self.hosts(), ["::1"])
        self.network.advance(0.02)
        self.assertEqual(self.hosts(), ["::1", "10.0.0.1"])
        self.network.advance(0.25)
        self.assertEqual(self.hosts(), ["::1", "10.0.0.1", "::2"])
        self.answered(1)
        self.assertEqual(self.network.given_up, [True, False, True])

    def test_who_is_fast_is_alone(self) -> None:
        self.answered(0)
        self.assertEqual(self.hosts(), ["::1"])

    def test_who_fails_makes_way_at_once(self) -> None:
        self.network.refuse(ConnectionRefusedError(), number=0)
        self.assertEqual(self.hosts(), ["::1", "10.0.0.1"])
        self.network.advance(0.2)
        self.assertEqual(len(self.hosts()), 2)
        self.answered(1)

    def test_when_all_fail(self) -> None:
        for number in range(3):
            self.network.refuse(ConnectionRefusedError(), number=number)
        error = self.error(self.request, ConnectFailed)
        self.assertEqual(str(error).count("port 80"), 3)

    def test_two_at_the_same_time(self) -> None:
        self.network.advance(0.25)
        self.answered(1)
        # The other's connection is there as well, and nobody speaks on it.
        self.assertIsNone(self.network.tcpClients[0][2].buildProtocol(None))

    def test_of_one_that_was_cancelled(self) -> None:
        self.network.advance(0.25)
        self.request.cancel()
        self.assertEqual(self.network.given_up, [True, True])
        self.error(self.request, Interrupted)


class DeadlineTests(GettingCase):
    def passed(self, request: Deferred[Response], words: str) -> None:
        self.network.advance(30.001)
        self.assertNoResult(request)
        self.network.advance(A_TURN)
        for connection in self.connections:
            self.assertEqual(connection.state, "aborting")
            connection.finish()
        error = self.error(request, DeadlinePassed)
        self.assertEqual((error.phase, error.exit_code), ("deadline", 28))
        self.assertEqual(str(error), f"30 s passed while {words}")

    def setUp(self) -> None:
        super().setUp()
        self.connections: list[Connection] = []

    def test_while_looking_up(self) -> None:
        name: Deferred[tuple[str, ...]] = Deferred()
        request = self.get("http://host/", resolver=Addresses(host=name))
        self.passed(request, "looking up the host")
        # What comes too late disturbs nobody.
        name.errback(NameNotResolved("too late"))

    def test_while_connecting(self) -> None:
        request = self.get()
        self.passed(request, "connecting")
        self.assertEqual(self.network.given_up, [True])

    def test_a_refusal_that_giving_up_brings_about(self) -> None:
        request = self.get("http://h/", resolver=Addresses(h=("::1", "10.0.0.1")))
        connector = self.network.connectors[0]
        factory = self.network.tcpClients[0][2]
        # As the real one does, and it is no reason to try the next address.
        connector.stopConnecting = lambda: self.network.refuse(
            ConnectionRefusedError(), number=0
        )
        self.assertIsNotNone(factory)
        self.network.advance(0.2)
        self.assertEqual(len(self.network.attempts), 1)
        request.cancel()
        self.error(request, Interrupted)
        self.assertEqual(len(self.network.attempts), 1)

    def test_of_the_first_byte(self) -> None:
        request = self.get(first_byte_timeout=2.0)
        connection = self.sent(request)
        self.network.advance(2)
        self.network.advance(A_TURN)
        connection.finish()
        error = self.error(request, FirstByteTimeout)
        self.assertEqual((error.phase, error.exit_code), ("first byte", 28))
        self.assertEqual(str(error), "2 s passed while waiting for the first byte")

    def test_of_two_in_one_turn_that_of_all_counts(self) -> None:
        for number, apart in enumerate((-0.00005, 0.0, 0.00005)):
            request = self.get(
                f"http://10.0.0.{number}/", max_time=2.0, first_byte_timeout=2 + apart
            )
            connection = self.sent(request)
            self.network.pump([2.0001, A_TURN, A_TURN])
            connection.finish()
            error = self.error(request, DeadlinePassed)
            self.assertEqual(str(error), "2 s passed while waiting for the first byte")

    def test_of_the_first_byte_when_it_has_come(self) -> None:
        request = self.get(first_byte_timeout=2.0)
        connection = self.sent(request)
        connection.answer(WHOLE[:1])
        self.network.advance(20)
        connection.answer(WHOLE[1:])
        connection.finish()
        self.assertEqual(self.successResultOf(request).body, b"hello")

    def test_while_sending(self) -> None:
        request = self.get()
        self.connections = [self.network.accept()]
        self.passed(request, "sending the request")

    def test_while_waiting(self) -> None:
        request = self.get()
        self.connections = [self.sent(request)]
        self.passed(request, "waiting for the first byte")

    def test_while_receiving_though_bytes_keep_coming(self) -> None:
        request = self.get()
        connection = self.sent(request)
        self.connections = [connection]
        connection.answer(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(29):
            self.network.advance(1)
            connection.answer(b"x")
        self.passed(request, "receiving the answer")

    def test_other_deadlines(self) -> None:
        for seconds in (0.5, 1.5):
            request = self.get(max_time=seconds)
            self.network.advance(seconds - 0.01)
            self.assertNoResult(request)
            self.network.pump([0.02, A_TURN])
            words = f"{seconds} s passed"
            self.assertIn(words, str(self.error(request, DeadlinePassed)))

    def test_an_answer_in_the_turn_of_its_deadline_counts(self) -> None:
        request = self.get()
        connection = self.sent(request)
        self.network.advance(29.999)
        connection.answer(WHOLE)
        self.network.pump([0.002, A_TURN])
        connection.finish()
        self.assertEqual(self.successResultOf(request).body, b"hello")

    def test_what_has_arrived_is_read_before_a_deadline_ends_the_request(self) -> None:
        request = self.get()
        connection = self.sent(request)
        # As after the process was stopped: the timer is overdue, and runs first.
        self.network.advance(60)
        connection.answer(WHOLE)
        self.network.advance(A_TURN)
        connection.finish()
        self.assertEqual(self.successResultOf(request).body, b"hello")

    def test_postponed_while_this_process_could_not_read(self) -> None:
        getter = self.network.getter(connect_timeout=2.0)
        request = getter.get("http://10.0.0.1/")
        getter.deadlines.postpone(5)
        self.network.pump([6.9, A_TURN])
        connection = self.sent(request)
        getter.deadlines.postpone(5)
        self.network.pump([33, A_TURN])
        connection.answer(WHOLE)
        connection.finish()
        self.assertEqual(self.successResultOf(request).status, 200)
        getter.deadlines.postpone(5)

    def test_seconds_that_make_no_sense(self) -> None:
        for seconds in (0, -1, float("nan"), float("inf")):
            with self.assertRaises(ValueError):
                self.get(max_time=seconds)
            with self.assertRaises(ValueError):
                self.get(connect_timeout=seconds)

    def test_headers_that_are_none(self) -> None:
        for header in [
            *[("X", "a\r\nY: b"), ("X", "\0"), ("X\n", "a"), ("", "a"), ("X", "☃")],
            ("Content-Length", "5"),
        ]:
            with self.assertRaisesRegex(ValueError, "^header '"):
                self.get(headers=[header])

    def test_headers_in_lists(self) -> None:
        self.get(headers=[["X-One", "1"]])
        connection = self.network.accept()
        self.assertIn(b"\r\nX-One: 1\r\n", connection.take_request())
        connection.answer(WHOLE)
        connection.finish()

    def test_addresses_that_hosts_are_to_have(self) -> None:
        overrides = {
            ("h", 80): ["10.0.0.1"],
            ("*", 80): ["10.0.0.2", "::2"],
        }
        for url, family, reached in [
            ("http://h/", None, ["10.0.0.1"]),
            ("http://h/", 4, ["10.0.0.1"]),
            ("http://other/", None, ["10.0.0.2"]),
            ("http://other/", 6, ["::2"]),
            ("http://10.0.0.9/", None, ["10.0.0.2"]),
            ("http://10.0.0.9:81/", None, ["10.0.0.9"]),
        ]:
            self.network.tcpClients.clear()
            request = self.get(url, overrides=overrides, family=family)
            self.assertEqual([host for host, _ in self.network.attempts], reached)
            request.addErrback(lambda _: None).cancel()
        request = self.get("http://h/", overrides=overrides, family=6)
        error = self.failureResultOf(request, NameNotResolved).value
        self.assertEqual(str(error), "h: expected an IPv6 address, and not 10.0.0.1")
        self.assertEqual((error.phase, error.exit_code), ("dns", 6))

    def test_connect_timeout_has_look_up_and_all_attempts_in_it(self) -> None:
        name: Deferred[tuple[str, ...]] = Deferred()
        request = self.get("http://h/", resolver=Addresses(h=name), connect_timeout=3.0)
        self.network.advance(1)
        name.callback(("::1", "10.0.0.1"))
        self.network.advance(1)
        self.network.refuse(ConnectionRefusedError(111))
        self.network.pump([1.001, A_TURN])
        error = self.error(request, ConnectTimeout)
        self.assertEqual((error.phase, error.exit_code), ("connect", 28))
        self.assertEqual(str(error), "3 s passed while connecting")

    def test_connect_timeout_is_over_once_connected(self) -> None:
        request = self.get(connect_timeout=3.0)
        connection = self.sent(request)
        self.network.advance(3.001)
        connection.answer(WHOLE)
        connection.finish()
        self.assertEqual(self.successResultOf(request).status, 200)


class CancellingTests(GettingCase):
    def test_while_looking_up(self) -> None:
        name: Deferred[tuple[str, ...]] = Deferred()
        request = self.get("http://host/", resolver=Addresses(host=name))
        request.cancel()
        self.error(request, Interrupted)

    def test_while_connecting(self) -> None:
        request = self.get()
        request.cancel()
        self.error(request, Interrupted)
        self.assertEqual(self.network.given_up, [True])

    def test_while_waiting(self) -> None:
        request = self.get()
        connection = self.sent(request)
        connection.answer(HEAD)
        request.cancel()
        self.assertNoResult(request)
        self.assertEqual(connection.state, "aborting")
        connection.finish()
        error = self.error(request, Interrupted)
        self.assertEqual((error.phase, error.exit_code), ("interrupted", 130))
        self.assertEqual(last_of(error).raw, HEAD)
        # Twisted's own name for it does as well.
        self.assertIsInstance(error, CancelledError)

    def test_by_its_deadline_and_then_by_hand(self) -> None:
        request = self.get()
        connection = self.sent(request)
        self.network.pump([30, A_TURN])
        self.assertEqual(connection.state, "aborting")
        request.cancel()
        self.error(request, Interrupted)
        connection.finish()

    def test_wins_over_an_answer_whose_connection_is_closing(self) -> None:
        request = self.get()
        connection = self.sent(request)
        connection.answer(WHOLE)
        request.cancel()
        connection.finish()
        self.error(request, Interrupted)
