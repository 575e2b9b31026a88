"""Exchanges: from the draw to the last byte, whatever happens in between."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.engine import exchange as module
from nbtwisted.server.engine.exchange import Event, Exchange, IllegalTransition, State
from nbtwisted.server.engine.source import Sink
from nbtwisted.server.engine.upstream import Tunnel
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import PIECE, Generated
from nbtwisted.server.model.controls import Controls
from nbtwisted.server.model.headers import RequestHeaders
from nbtwisted.server.model.request import Addresses, Request
from nbtwisted.server.routes.delay_app import DelayApp
from nbtwisted.server.routes.parameters import controls
from nbtwisted.server.routes.router import decide
from tests.guard import ClockCase
from tests.server.state_tables import transitions_in

ADDRESSES = Addresses("10.0.0.1", "10.0.0.9:80", False, False)
HOST = RequestHeaders(((b"Host", b"test"),))


def controls_of(target: str) -> Controls:
    request = Request(b"GET", target.encode(), b"HTTP/1.1", HOST, b"", ADDRESSES)
    return controls(request, 300.0, lenient=False)


class Kept:
    """A connection that keeps what it is told."""

    is_open = True

    def __init__(self, *, is_persistent: bool) -> None:
        self.is_persistent = is_persistent
        self.data = b""
        self.writes = 0
        self.ended = ""

    def write(self, data: bytes) -> None:
        assert not self.ended, self.ended
        assert data
        self.data += data
        self.writes += 1

    def finish(self, idle: float | None) -> None:
        self._end("finish")

    def begin_tunnel(self, tunnel: Tunnel) -> None:
        self._end("tunnel")

    def stall(self) -> None:
        """Nothing more follows."""

    def close(self) -> None:
        self._end("close")

    def reset(self) -> None:
        self._end("reset")

    def _end(self, how: str) -> None:
        assert not self.ended, f"{how} after {self.ended}"
        self.ended = how

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0] + b"\r\n"

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


class Arriving:
    """A source whose pieces arrive from elsewhere."""

    def __init__(self) -> None:
        self.sink: Sink
        self.told: list[str] = []

    def start(self, sink: Sink) -> None:
        self.sink = sink
        self.told.append("start")

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def stop(self) -> None:
        self.told.append("stop")


class ExchangeCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = DelayServer(clock=self.clock, now=self.clock.seconds, seed=7)
        self.in_flight = self.server.in_flight

    def open(
        self,
        target: str,
        behaviour: Behaviour | None = None,
        *,
        method: bytes = b"GET",
        version: bytes = b"HTTP/1.1",
        is_persistent: bool = True,
    ) -> tuple[Exchange, Kept, Behaviour]:
        """A new exchange, its connection, and the behaviour to begin with."""
        request = Request(method, target.encode(), version, HOST, b"", ADDRESSES)
        connection = Kept(is_persistent=is_persistent)
        exchange, behaviour = self.in_flight.open(
            connection,
            request,
            behaviour or decide(self.server, request),
            DelayApp(self.server),
        )
        return exchange, connection, behaviour

    def begin(self, *args: Any, **more: Any) -> tuple[Exchange, Kept]:
        exchange, connection, behaviour = self.open(*args, **more)
        exchange.begin(behaviour)
        return exchange, connection

    def assert_over(self, exchange: Exchange, outcome: str) -> None:
        self.assertIs(exchange._state, State.OVER)
        self.assertEqual(exchange.entry.outcome, outcome)
        self.assertEqual(self.in_flight.journal.in_flight, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StateTests(ExchangeCase):
    def test_the_table_is_what_the_code_does(self) -> None:
        self.assertEqual(transitions_in(module), module._TRANSITIONS)

    def test_every_transition_happens(self) -> None:
        seen = set()
        go = Exchange._go

        def noted(exchange: Exchange, event: Event) -> None:
            seen.add((exchange._state, event))
            go(exchange, event)

        self.patch(Exchange, "_go", noted)
        self.open("/get")[0].client_left()
        for target, seconds in [
            *(("/get", 0), ("/delay/1", 1), ("/delay/1", 0)),
            *(("/get?_fault=stall", 0), ("/drip?numbytes=2&duration=1", 0)),
        ]:
            exchange, _ = self.begin(target)
            self.clock.advance(seconds)
            exchange.client_left()
            self.assertIs(exchange._state, State.OVER)
        # The others are a proxy's: tests/proxy/http.
        ours = {
            (before, event)
            for before, event in module._TRANSITIONS
            if not {before, module._TRANSITIONS[before, event]}
            & {State.ASKING, State.TUNNELLING}
        }
        self.assertEqual(seen, ours)

    def test_what_cannot_happen_is_an_error_that_names_it(self) -> None:
        for state in State:
            for event in Event:
                exchange, _, _ = self.open("/get")
                exchange._state = state
                if (state, event) not in module._TRANSITIONS:
                    with self.assertRaises(IllegalTransition) as caught:
                        exchange._go(event)
                    expected = f"{event.name} in state {state.name}"
                    self.assertEqual(str(caught.exception), expected)
                    self.assertIs(exchange._state, state)

    def test_what_is_over_is_not_ended_again(self) -> None:
        exchange, _ = self.begin("/get")
        exchange.client_left()
        self.assert_over(exchange, "answered")
        with self.assertRaisesRegex(IllegalTransition, "END in state OVER"):
            exchange.abort("timed out")
        self.assert_over(exchange, "answered")


class ResponseTests(ExchangeCase):
    def test_at_once(self) -> None:
        exchange, connection = self.begin("/?_delay=0")
        self.assertEqual(connection.body, b'["wait time: 0sec"]')
        # Head and body go together.
        self.assertEqual((connection.writes, connection.ended), (1, "finish"))
        self.assert_over(exchange, "answered")
        entry = exchange.entry
        self.assertEqual((entry.asked, entry.held, entry.sent), (0, 0, 19))
        self.assertEqual(entry.status, 200)

    def test_after_its_delay(self) -> None:
        exchange, connection = self.begin("/get?_delay=2&_key=k")
        self.assertIs(exchange._state, State.WAITING)
        self.assertEqual(exchange.entry.key, "k")
        self.assertEqual((exchange.entry.asked, exchange.entry.held), (2, None))
        self.clock.advance(1.9)
        self.assertEqual(connection.data, b"")
        self.clock.advance(0.35)
        self.assertIsNot(exchange._state, State.WAITING)
        self.assertIn(
            b"Server-Timing: asked;dur=2000, held;dur=2250\r\n", connection.head
        )
        self.assertEqual(exchange.entry.held, 2.25)
        self.assert_over(exchange, "answered")

    def test_it_ends_before_the_client_can_go_on(self) -> None:
        # All at once, in pieces, and broken off; the last writing takes a second.
        for target, took in (
            ("/get?_delay=2", 2),
            ("/drip?numbytes=3&duration=4&_key=k", 4),
            ("/get?_fault=truncate", 0),
        ):
            exchange, connection, behaviour = self.open(target)

            def write(data: bytes, connection: Kept = connection) -> None:
                connection.data += data
                if len(connection.body) >= 3:
                    self.clock.rightNow += 1

            connection.write = write  # type: ignore[method-assign]
            exchange.begin(behaviour)
            self.clock.pump([1] * 4)
            self.assertNotEqual(connection.ended, "", target)
            self.assertEqual(exchange.entry.took, took, target)

    def test_who_leaves_while_it_waits(self) -> None:
        exchange, connection = self.begin("/delay/2")
        exchange.client_left()
        self.assert_over(exchange, "cancelled")
        self.assertEqual((connection.data, connection.ended), (b"", ""))
        self.assertEqual((exchange.entry.status, exchange.entry.held), (None, None))

    def test_who_leaves_in_the_middle_of_the_body(self) -> None:
        exchange, connection = self.begin("/drip?numbytes=5&duration=4")
        self.clock.advance(1)
        exchange.client_left()
        self.assert_over(exchange, "cancelled")
        self.assertEqual((connection.body, connection.ended), (b"**", ""))
        self.assertEqual((exchange.entry.status, exchange.entry.sent), (200, 2))

    def test_what_becomes_of_the_connection(self) -> None:
        close, keep = b"Connection: close\r\n", b"Connection: keep-alive\r\n"
        several = b"Connection: x, Close\r\n"
        old = {"version": b"HTTP/1.0"}
        cases: list[tuple[str, dict[str, Any], str, bytes]] = [
            ("/get", {}, "finish", b""),
            ("/get", {"is_persistent": False}, "close", close),
            ("/get", old, "finish", keep),
            ("/get", {**old, "is_persistent": False}, "close", close),
            ("/stream/1", {}, "finish", b""),
            # Only the end of the connection ends such a body.
            ("/stream/1", old, "close", close),
            ("/stream/1", {**old, "method": b"HEAD"}, "close", close),
            ("/get?_header=Connection:close", {}, "close", close),
            ("/get?_header=Connection:x,%20Close", {}, "close", several),
            ("/get?_header=connection:Close", old, "close", b"connection: Close\r\n"),
            ("/status/204", old, "finish", keep),
        ]
        for target, more, ended, field in cases:
            exchange, connection = self.begin(target, **more)
            self.assertEqual(connection.ended, ended, target)
            head = connection.head
            fields = [
                n for n in head.split(b"\r\n") if n[:11].lower() == b"connection:"
            ]
            self.assertEqual(fields, [field[:-2]] if field else [], target)
            self.assert_over(exchange, "answered")

    def test_the_framing(self) -> None:
        old = {"version": b"HTTP/1.0"}
        length, chunked = b"Content-Length: ", b"Transfer-Encoding: chunked\r\n"
        cases: list[tuple[str, dict[str, Any], bytes, bytes]] = [
            ("/?_delay=0", {}, length + b"19\r\n", b'0sec"]'),
            ("/?_delay=0", {"method": b"HEAD"}, length + b"19\r\n", b"\r\n\r\n"),
            ("/stream/2", {}, chunked, b"\r\n0\r\n\r\n"),
            ("/stream/2", {"method": b"HEAD"}, b"", b"\r\n\r\n"),
            ("/stream/2", old, b"", b"}\n"),
            ("/get?_status=204", {}, b"", b"\r\n\r\n"),
            ("/get?_status=304", {}, b"", b"\r\n\r\n"),
            ("/get?_status=205", {}, length + b"0\r\n", b"\r\n\r\n"),
        ]
        for target, more, field, end in cases:
            _, connection = self.begin(target, **more)
            for each in (length, chunked):
                self.assertEqual(each in connection.head, field[:16] == each[:16])
            self.assertIn(field, connection.head)
            self.assertTrue(connection.data.endswith(end), connection.data)

    def test_faults(self) -> None:
        body = b'["wait time: 0sec"]'
        for fault, ended, status, received, sent in [
            ("reset", "reset", None, b"", 0),
            ("empty", "close", None, b"", 0),
            ("truncate", "close", 200, body[:9], 9),
            ("wrong-length", "close", 200, body + b"x" * 200, 19),
            (
                *("malformed-chunk", "close", 200),
                *(b"9\r\n" + body[:9] + b"\r\nthis is no chunk size\r\n", 9),
            ),
            ("slow-headers", "close", 200, body, 19),
        ]:
            exchange, connection = self.begin(f"/?_delay=0&_fault={fault}")
            self.clock.pump([0.1] * 400)
            self.assertEqual(connection.ended, ended, fault)
            self.assertEqual(connection.body, received, fault)
            self.assertEqual(exchange.entry.status, status, fault)
            self.assertEqual(exchange.entry.sent, sent, fault)
            self.assertEqual(exchange.entry.fault, fault)
            self.assert_over(exchange, "broken")

    def test_garbage(self) -> None:
        exchange, connection = self.begin("/get?_fault=garbage")
        self.assertEqual((len(connection.data), connection.data[:1]), (200, b"\xff"))
        self.assertEqual((connection.ended, exchange.entry.status), ("close", None))
        self.assert_over(exchange, "broken")

    def test_stalls(self) -> None:
        for fault, received in [("stall", b""), ("stall-body", b'["wait ti')]:
            exchange, connection = self.begin(f"/?_delay=0&_fault={fault}")
            self.clock.advance(1000)
            self.assertEqual((connection.body, connection.ended), (received, ""))
            self.assertIsNot(exchange._state, State.OVER)
            exchange.client_left()
            self.assert_over(exchange, "cancelled")

    def test_a_head_byte_by_byte(self) -> None:
        _, connection = self.begin("/?_delay=0&_fault=slow-headers")
        for number in range(1, 6):
            self.assertEqual(connection.data, b"HTTP/"[:number])
            self.clock.advance(0.1)
        self.clock.pump([0.1] * 400)
        # Who keeps a connection would wait for long between two such heads.
        self.assertIn(b"\r\nConnection: close\r\n", connection.head)

    def test_a_fault_of_our_own(self) -> None:
        def broken(asked: float, random: object) -> Any:
            raise ValueError("not made")

        exchange, connection = self.begin("/get", Behaviour(broken))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertTrue(connection.data.startswith(b"HTTP/1.1 500 "))
        self.assertEqual(connection.ended, "finish")
        self.assert_over(exchange, "failed")

    def test_a_body_that_cannot_be_begun(self) -> None:
        def broken() -> Any:
            raise ValueError("not begun")

        behaviour = Behaviour(Generated(broken))
        for target in ("/get", "/get?_delay=1", "/get?_fault=truncate&_delay=1"):
            asked = controls_of(target)
            exchange, connection = self.begin(target, behaviour.under(asked))
            self.clock.advance(1)
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
            self.assertTrue(connection.data.startswith(b"HTTP/1.1 500 "))
            self.assertEqual(connection.ended, "finish")
            self.assertIsNone(exchange.entry.fault)
            self.assert_over(exchange, "failed")


class SourceTests(ExchangeCase):
    """An exchange takes a body from whatever source it has."""

    def setUp(self) -> None:
        super().setUp()
        self.source = Arriving()
        self.patch(module, "PacedSource", lambda *_: self.source)

    def test_a_body_that_arrives(self) -> None:
        exchange, connection = self.begin("/stream/1")
        self.assertEqual((self.source.told, connection.data), (["start"], b""))
        self.source.sink.take([b"ab", b"c"], is_last=False)
        self.assertEqual(connection.body, b"2\r\nab\r\n1\r\nc\r\n")
        exchange.pause()
        exchange.resume()
        self.source.sink.take([], is_last=False)
        self.source.sink.take([b"d"], is_last=True)
        self.assertEqual(connection.body[-11:], b"1\r\nd\r\n0\r\n\r\n"[-11:])
        self.assertEqual((connection.ended, connection.writes), ("finish", 2))
        self.assertEqual(self.source.told, ["start", "pause", "resume", "stop"])
        self.assertEqual(exchange.entry.sent, 4)
        self.assert_over(exchange, "answered")

    def test_a_body_that_ends_with_nothing(self) -> None:
        exchange, connection = self.begin("/stream/1")
        self.source.sink.take([b"ab"], is_last=False)
        self.source.sink.take([], is_last=True)
        self.assertEqual(connection.body, b"2\r\nab\r\n0\r\n\r\n")
        self.assert_over(exchange, "answered")

    def test_a_pause_before_it_starts(self) -> None:
        exchange, _ = self.begin("/stream/1?_delay=1")
        exchange.pause()
        self.clock.advance(1)
        self.assertEqual(self.source.told, ["pause", "start"])
        exchange.client_left()
        self.assertEqual(self.source.told, ["pause", "start", "stop"])
        self.assert_over(exchange, "cancelled")

    def test_a_pause_that_is_over_before_it_starts(self) -> None:
        exchange, _ = self.begin("/stream/1?_delay=1")
        exchange.pause()
        exchange.resume()
        self.clock.advance(1)
        self.assertEqual(self.source.told, ["start"])
        exchange.client_left()

    def test_an_error_in_the_middle(self) -> None:
        exchange, connection = self.begin("/stream/1")
        self.source.sink.take([b"ab"], is_last=False)
        self.source.sink.fail(Failure(ValueError("no more")))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(connection.ended, "reset")
        self.assertNotIn(b"0\r\n\r\n", connection.body)
        self.assertEqual(self.source.told, ["start", "stop"])
        self.assert_over(exchange, "failed")

    def test_to_time_out(self) -> None:
        exchange, connection = self.begin("/stream/1")
        exchange.abort("timed out")
        self.assertEqual((connection.ended, self.source.told[-1]), ("reset", "stop"))
        self.assert_over(exchange, "timed out")


class PausedTests(ExchangeCase):
    def test_nothing_is_made_for_who_does_not_read(self) -> None:
        exchange, connection = self.begin(f"/bytes/{10 * PIECE}?_delay=1")
        exchange.pause()
        self.clock.advance(1)
        self.assertEqual(connection.data, b"")
        exchange.resume()
        self.assertEqual(len(connection.body), 10 * PIECE)
        self.assert_over(exchange, "answered")

    def test_who_leaves_meanwhile(self) -> None:
        exchange, _ = self.begin("/range/10?_delay=1")
        exchange.pause()
        self.clock.advance(1)
        exchange.client_left()
        exchange.resume()
        self.assert_over(exchange, "cancelled")


class ReleaseTests(ExchangeCase):
    def test_what_waits_is_answered(self) -> None:
        exchange, connection = self.begin("/get?_delay=60")
        self.clock.advance(1)
        self.assertEqual(self.in_flight.reset(), 1)
        self.assertEqual(connection.ended, "finish")
        self.assertIn(b"asked;dur=60000, held;dur=1000\r\n", connection.head)
        self.assert_over(exchange, "released")

    def test_what_waits_and_is_long_is_sent_whole(self) -> None:
        exchange, connection = self.begin("/drip?numbytes=2&duration=1&_delay=60")
        self.in_flight.reset()
        self.assertEqual((connection.body, connection.ended), (b"*", ""))
        self.clock.advance(1)
        self.assertEqual((connection.body, connection.ended), (b"**", "finish"))
        self.assert_over(exchange, "released")

    def test_what_is_in_the_middle_or_stalled_is_broken_off(self) -> None:
        for target in (
            *("/drip?numbytes=2&duration=1", "/get?_fault=stall"),
            *("/get?_fault=stall&_delay=1", "/get?_fault=stall-body&_delay=1"),
        ):
            exchange, connection = self.begin(target)
            self.in_flight.reset()
            self.assertEqual(connection.ended, "reset")
            self.assert_over(exchange, "released")


class LastTests(ExchangeCase):
    """While the server drains."""

    def drain(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.in_flight.drain())

    def let_go(self, drained: Deferred[None], *connections: Kept) -> None:
        for connection in connections:
            connection.is_open = False
        self.assertNoResult(drained)
        self.clock.advance(0.01)
        self.successResultOf(drained)

    def test_what_waits_is_the_last(self) -> None:
        exchange, connection = self.begin("/get?_delay=2")
        drained = self.drain()
        self.assertNoResult(drained)
        self.clock.advance(2)
        self.assertEqual(connection.ended, "close")
        self.assertIn(b"\r\nConnection: close\r\n", connection.head)
        # The client has not closed its connection.
        self.clock.advance(1)
        self.let_go(drained, connection)
        self.assert_over(exchange, "answered")

    def test_what_waits_for_an_old_client_is_the_last(self) -> None:
        _, connection = self.begin("/get?_delay=2", version=b"HTTP/1.0")
        drained = self.drain()
        self.clock.advance(2)
        self.assertIn(b"\r\nConnection: close\r\n", connection.head)
        self.assertNotIn(b"keep-alive", connection.head)
        self.assertEqual(connection.ended, "close")
        self.let_go(drained, connection)

    def test_what_is_in_the_middle_is_the_last(self) -> None:
        _, connection = self.begin("/drip?numbytes=2&duration=1")
        drained = self.drain()
        self.clock.advance(1)
        # Its head said that the connection stays.
        self.assertNotIn(b"close", connection.head)
        self.assertEqual((connection.body, connection.ended), (b"**", "close"))
        self.let_go(drained, connection)

    def test_what_is_stalled_or_stalls_later_loses_its_connection(self) -> None:
        stalled, one = self.begin("/get?_fault=stall")
        later, other = self.begin("/get?_fault=stall&_delay=1")
        drained = self.drain()
        self.assertEqual((one.ended, other.ended), ("reset", ""))
        self.clock.advance(1)
        self.assertEqual(other.ended, "reset")
        self.assertEqual(stalled.entry.outcome, "cancelled")
        self.let_go(drained, one, other)
        self.assert_over(later, "cancelled")

    def test_who_comes_late_is_refused(self) -> None:
        _, held = self.begin("/get?_delay=2")
        drained = self.drain()
        exchange, late = self.begin("/get?_delay=2")
        self.assertTrue(late.data.startswith(b"HTTP/1.1 503 "))
        self.assertEqual((late.ended, exchange.entry.outcome), ("close", "answered"))
        # An operator is not.
        _, operator = self.begin("/healthz")
        self.assertEqual(operator.ended, "finish")
        self.clock.advance(2)
        self.let_go(drained, held, late)

    def test_nothing_in_flight(self) -> None:
        self.successResultOf(self.drain())
