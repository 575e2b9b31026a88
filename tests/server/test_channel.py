"""Connections: what is no request, deadlines, states, and turns; in memory."""

from __future__ import annotations

import json
from functools import partial
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nbtwisted.memo import Memo
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.engine.exchange import IllegalTransition
from nbtwisted.server.http1 import channel as module
from nbtwisted.server.http1 import site as http1_site
from nbtwisted.server.http1.channel import Channel, Event, State
from tests.guard import ClockCase
from tests.server.in_memory import Reply, Visit, answers, asking, site_of
from tests.server.state_tables import transitions_in

KIB = 1024


class ChannelCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.site_clock = Clock()
        self.visits: list[Visit] = []

        self.addCleanup(self.no_timer_outlives_its_connection)

    def no_timer_outlives_its_connection(self) -> None:
        for visit in self.visits:
            visit.leave()
        self.assertEqual(self.site_clock.getDelayedCalls(), [])

    def visit(self, **more: Any) -> Visit:
        more = {"channel": "ours", "site_clock": self.site_clock, **more}
        visit = Visit(self.clock, **more)
        self.visits.append(visit)
        return visit


class ChannelTests(ChannelCase):
    def send(self, *pieces: bytes) -> Reply:
        visit = self.visit()
        for piece in pieces:
            visit.send(piece)
        return visit.reply()

    def refused(self, *pieces: bytes) -> tuple[int, str]:
        visit = self.visit()
        for piece in pieces:
            visit.send(piece)
        # A body of many chunks is read over several turns.
        self.site_clock.pump([0] * 8)
        reply = visit.reply()
        self.assertTrue(visit.is_closed)
        self.assertEqual(reply.headers["connection"], "close")
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(reply.headers["server-timing"], "asked;dur=0, held;dur=0")
        self.assertRegex(
            reply.headers["date"], r"^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$"
        )
        # What still comes is let go by.
        before = visit.received
        visit.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 3)
        self.assertEqual(visit.received, before)
        return reply.status, reply.json()["expected"]

    def test_target(self) -> None:
        head = b"GET /get?%b HTTP/1.1\r\nHost: test\r\n\r\n"
        longest = 16 * KIB - len("/get?")
        self.assertEqual(self.send(head % (b"x" * longest)).status, 200)
        expected = (414, "a target of at most 16384 bytes")
        self.assertEqual(self.refused(head % (b"x" * (longest + 1))), expected)
        self.assertEqual(self.refused(b"GET /" + b"x" * 70 * KIB), expected)
        self.assertEqual(self.refused(b"x" * 70 * KIB), expected)

    def test_head(self) -> None:
        def head(size: int) -> bytes:
            start = b"GET /get?_size=1 HTTP/1.1\r\nHost: test\r\n"
            line = b"A: %b\r\n" % (b"x" * 1000)
            lines = line * ((size - len(start)) // len(line) - 1)
            rest = size - len(start + lines) - len(b"B: \r\n\r\n")
            return start + lines + b"B: " + b"x" * rest + b"\r\n\r\n"

        self.assertEqual(len(head(9000)), 9000)
        self.assertEqual(self.send(head(64 * KIB)).status, 200)
        expected = (431, "a head of at most 65536 bytes")
        self.assertEqual(self.refused(head(64 * KIB + 1)), expected)
        self.assertEqual(
            self.refused(b"GET / HTTP/1.1\r\nA: " + b"x" * 70 * KIB), expected
        )

    def test_fields(self) -> None:
        head = b"GET /get HTTP/1.1\r\nHost: test\r\n%b\r\n"
        self.assertEqual(self.send(head % (b"A: b\r\n" * 999)).status, 200)
        expected = (431, "at most 1000 header fields")
        self.assertEqual(self.refused(head % (b"A: b\r\n" * 1000)), expected)

    def test_each_request_has_its_own_cap(self) -> None:
        visit = self.visit()
        request = b"GET /?_delay=0 HTTP/1.1\r\nHost: t\r\nA: %b\r\n\r\n"
        for _ in range(3):
            visit.send(request % (b"x" * 50 * KIB))
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), 3)

    def test_body(self) -> None:
        head = b"POST /anything HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n"
        largest = 1024 * KIB
        reply = self.send(head % largest, b"x" * largest)
        self.assertEqual(len(reply.json()["data"]), largest)
        expected = (413, "a body of at most 1048576 bytes")
        self.assertEqual(self.refused(head % (largest + 1)), expected)
        self.assertEqual(self.refused(head % (largest + 1) + b"x" * 5000), expected)

    def test_body_in_chunks(self) -> None:
        head = b"POST /post HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        reply = self.send(head, chunk * 16 + b"0\r\n\r\n")
        self.assertEqual(len(reply.json()["data"]), 1024 * KIB)
        self.assertEqual(self.refused(head, *[chunk] * 17)[0], 413)
        self.assertEqual(self.refused(head, chunk * 17)[0], 413)
        # Where there is nothing more to come, the connection can stay.
        self.assertEqual(self.send(head + chunk * 17 + b"0\r\n\r\n").status, 413)

    def test_what_is_no_request(self) -> None:
        for bad in [
            b"\x16\x03\x01\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nA: \x00\r\n\r\n",
            b"POST /post HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        ]:
            self.assertEqual(self.refused(bad)[0], 400, bad)

    def test_what_cannot_become_a_request(self) -> None:
        hello = bytes.fromhex("16030100f8010000f40303")  # TLS
        for beginning in [hello, b"\x80", b" ", b"{", b"\r\n\x00", b"\r\n \r"]:
            whole, bytewise = [beginning], [bytes([b]) for b in beginning]
            for pieces in [whole, bytewise] if beginning != hello else [whole]:
                self.assertEqual(self.refused(*pieces)[0], 400, beginning)
        for line in [b"A: b\r\r\n", b"A: b\n\r\n", b"A\rB: c\r\n", b"\n\r\n"]:
            begun = b"GET /get HTTP/1.1\r\nHost: test\r\n" + line
            for pieces in [begun], [bytes([byte]) for byte in begun]:
                self.assertEqual(self.refused(*pieces)[0], 400, line)
        head = b"\r\n\r\nGET /get HTTP/1.1\r\nHost: test\r\n\r\n"
        self.assertEqual(self.send(*(bytes([byte]) for byte in head)).status, 200)

    def test_what_no_server_has_to_understand(self) -> None:
        post = b"POST /post HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: %b\r\n\r\n"
        for status, expected, request in [
            (505, "HTTP/1.1", b"GET / HTTP/2.0\r\nHost: t\r\n\r\n"),
            (505, "HTTP/1.1", b"GET / HTTP/0.9\r\n\r\n"),
            (505, "HTTP/1.1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            (501, "Transfer-Encoding: chunked, or none", post % b"gzip, chunked"),
            (501, "Transfer-Encoding: chunked, or none", post % b"identity"),
        ]:
            self.assertEqual(self.refused(request), (status, expected))
            self.assertEqual(self.refused(request, b"")[0], status)

    def test_a_refusal_to_head_has_no_content(self) -> None:
        large = b"HEAD / HTTP/1.1\r\nHost: t\r\nContent-Length: 9999999\r\n\r\n"
        for request in [
            b"HEAD / HTTP/1.1\r\n\r\n",
            b"HEAD / HTTP/2.0\r\n\r\n",
            b"HEAD / HTTP/1.1\r\nA : b\r\n\r\n",
            b"HEAD /" + b"x" * 70 * KIB,
            b"HEAD / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"fffffff\r\n",
            b"HEAD / HTTP/1.1\r\nHost: t\r\nA: " + b"x" * 70 * KIB,
            large,
        ]:
            visit = self.visit()
            visit.send(request)
            reply = visit.reply("HEAD")
            self.assertEqual(reply.body, b"")
            self.assertTrue(visit.received.endswith(b"\r\n\r\n"))
            self.assertGreater(int(reply.headers["content-length"]), 0)

    def test_a_later_version_is_answered_as_this_one(self) -> None:
        visit = self.visit()
        for _ in range(2):
            visit.send(b"GET /stream/1 HTTP/1.2\r\nHost: t\r\n\r\n")
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK\r\n"), 2)
        self.assertEqual(visit.received.count(b"Transfer-Encoding: chunked"), 2)
        self.assertFalse(visit.is_closed)

    def test_a_body_in_chunks_by_the_letter(self) -> None:
        head = b"POST /post HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b'2 ; a = "b"\r\nab\r\n1\t;c\r\nc\r\n0\r\nTrailer: t\r\n\r\n'
        for pieces in ([head + body], [head, *(bytes([b]) for b in body)]):
            self.assertEqual(self.send(*pieces).json()["data"], "abc")
        visit = self.visit()
        visit.send((head + body) * 3)
        self.assertEqual(visit.received.count(b'"data": "abc"'), 3)
        for bad in [b"1 \r\na\r\n0\r\n\r\n", b"1\r\nab\r\n", b"0\r\nno colon\r\n\r\n"]:
            self.assertEqual(self.refused(head + bad)[0], 400, bad)
        self.assertEqual(self.refused(head + b"0\r\n" + b"A: b\r\n" * 12_000)[0], 431)

    def test_a_length_of_many_zeros(self) -> None:
        zeros = b"POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: " + b"0" * 5000
        self.assertEqual(self.send(zeros + b"1\r\n\r\na").json()["data"], "a")
        self.assertEqual(self.refused(zeros.replace(b"0", b"9") + b"\r\n\r\n")[0], 400)

    def test_an_expectation_that_nobody_meets(self) -> None:
        request = b"GET /get HTTP/1.1\r\nHost: t\r\nExpect: tea\r\n\r\n"
        self.assertEqual(self.refused(request)[0], 417)

    def test_a_form_that_is_none(self) -> None:
        reply = self.send(
            b"POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\nabc"
        )
        self.assertEqual((reply.status, reply.json()["form"]), (200, {}))

    def test_is_in_the_journal(self) -> None:
        visit = self.visit(peer="127.0.0.1")
        visit.send(b"\x16\x03\x01\r\n")
        again = Visit(self.clock, site=visit.site, peer="127.0.0.1")
        self.visits.append(again)
        again.get("/__admin/requests")
        (entry,) = again.reply().json()["requests"]
        self.assertEqual((entry["status"], entry["outcome"]), (400, "answered"))

    def test_deadline_of_the_head(self) -> None:
        silent, half, slow, whole = (self.visit() for _ in range(4))
        half.send(b"GET / HTTP/1.1\r\nHost: t")
        whole.get("/delay/300")
        for _ in range(29):
            slow.send(b"x")
            self.site_clock.advance(1)
        self.assertFalse(silent.is_closed or half.is_closed or slow.is_closed)
        self.site_clock.advance(1)
        self.assertTrue(silent.is_closed)
        self.assertTrue(half.is_closed)
        self.assertTrue(slow.is_closed)
        self.site_clock.advance(300)
        self.assertFalse(whole.is_closed)

    def test_deadline_of_a_later_head(self) -> None:
        visit = self.visit()
        visit.get("/?_delay=0")
        self.site_clock.advance(20)
        visit.get("/?_delay=0")
        self.site_clock.advance(20)
        visit.send(b"G")
        self.site_clock.advance(9)
        self.assertFalse(visit.is_closed)
        visit.send(b"E")
        self.site_clock.advance(1)
        self.assertTrue(visit.is_closed)

    def test_who_lingers_is_let_go(self) -> None:
        visit = self.visit()
        visit.send(b"no request\r\n")
        json.loads(visit.received.partition(b"\r\n\r\n")[2])
        # Our half is closed, and theirs when the time is over.
        self.site_clock.pump([1] * 4)
        self.assertFalse(visit.is_aborted)
        self.site_clock.advance(1)
        self.assertTrue(visit.is_aborted)

    def test_deadline_of_a_head_behind_another(self) -> None:
        visit = self.visit()
        visit.send(b"GET /ip HTTP/1.1\r\nHost: t\r\n\r\nGET /ip HT")
        self.site_clock.advance(29)
        self.assertFalse(visit.is_closed)
        self.site_clock.advance(1)
        self.assertTrue(visit.is_closed)


class StateTests(ChannelCase):
    def test_the_table_is_what_the_code_does(self) -> None:
        self.assertEqual(transitions_in(module), module._TRANSITIONS)

    def test_every_transition_happens(self) -> None:
        seen = set()
        go = Channel._go

        def noted(channel: Channel, event: Event) -> None:
            seen.add((channel._state, event))
            go(channel, event)

        self.patch(Channel, "_go", noted)
        half = asking("/post", method="POST", body=b"abc")[:-1]
        stall = asking("/get?_fault=stall")
        idle = asking("/get?_idle=0")
        for sent in [
            *(b"", half, half + b"c", asking("/delay/1"), b"no request\r\n", stall),
            idle,
        ]:
            visit = self.visit()
            visit.send(sent)
            if sent == half:
                self.visits[-1].leave()
                visit = self.visit()
                visit.send(half)
                visit.send(b"c")
            self.site_clock.advance(0)
            visit.leave()
        # The others are a proxy's: tests/proxy/http.
        ours = {
            (before, event)
            for before, event in module._TRANSITIONS
            if State.TUNNELLING not in (before, module._TRANSITIONS[before, event])
        }
        self.assertEqual(seen, ours)

    def test_what_cannot_happen_is_an_error_that_names_it(self) -> None:
        for state in State:
            for event in Event:
                channel = Channel(self.visit().site)
                channel._state = state
                if (state, event) not in module._TRANSITIONS:
                    with self.assertRaises(IllegalTransition) as caught:
                        channel._go(event)
                    expected = f"{event.name} in state {state.name}"
                    self.assertEqual(str(caught.exception), expected)
                    self.assertIs(channel._state, state)

    def test_no_response_is_finished_twice(self) -> None:
        channel = self.visit().site.buildProtocol(None)
        finish = partial(channel.finish, None)
        for end, event in [(finish, "NEXT"), (channel.close, "CLOSE")]:
            with self.assertRaisesRegex(IllegalTransition, f"{event} in state HEAD"):
                end()


class RememberedTests(ChannelCase):
    """A request that is remembered gets no further than another."""

    def remembered(self, request: bytes) -> Visit:
        """A connection to a server that remembers a request."""
        self.patch(Memo, "is_on", True)
        first = self.visit(peer="127.0.0.1")
        for _ in range(3):
            first.send(request)
            self.clock.advance(1)
        self.assertEqual(len(first.site.requests), 1)
        return self.visit(site=first.site, peer="127.0.0.1")

    def test_not_in_the_middle_of_a_head(self) -> None:
        request = asking("/get")
        for begun in [
            b"GET /range/7 HTTP/1.1\r\nHost: t\r\nX: ",
            b"GET /range/7 HTTP/1.1\r\nHost: t\r\nX",
            b"GET /range/7 HTTP/1.1\r\n",
            b"GET /range/7 HTTP/1.1\r",
            b"GET /range/7 HTT",
            b"\r",
        ]:
            visit = self.remembered(request)
            visit.send(begun)
            visit.send(request)
            self.assertEqual(visit.reply().status, 400, begun)
            self.assertTrue(visit.is_closed)
            entry = next(visit.site.in_flight.journal.latest_over())
            self.assertEqual((entry.target, entry.status), (b"", 400))

    def test_not_in_the_middle_of_a_body(self) -> None:
        request = asking("/get")
        visit = self.remembered(request)
        visit.send(
            asking("/post", f"Content-Length: {len(request) + 1}", method="POST")
        )
        visit.send(request)
        self.assertEqual(visit.received, b"")
        visit.send(b"x")
        self.assertEqual(visit.reply("POST").json()["data"], request.decode() + "x")

    def test_not_to_a_client_that_does_not_read(self) -> None:
        request = asking("/get")
        visit = self.remembered(request)
        visit.send(request)
        before = visit.received
        visit.stop_reading()
        for more in (request, request[:-1], b"\n", request * 3, b"no request\r\n"):
            visit.send(more)
            self.clock.advance(1)
        self.assertEqual(visit.received, before)
        self.assertFalse(visit.is_read)
        journal = visit.site.in_flight.journal
        self.assertEqual((journal.came, journal.in_flight), (4, 0))
        visit.read_on()
        replies = answers(visit.received, ["GET"] * 10)
        self.assertEqual([status for status, _, _ in replies], [200] * 6 + [400])

    def test_not_to_one_that_stops_reading_in_the_middle(self) -> None:
        request = asking("/range/300000")
        visit = self.remembered(request)
        visit.send(request + asking("/ip"))
        self.assertEqual(len(answers(visit.received, ["GET"] * 2)), 2)
        visit = self.visit(site=visit.site, peer="127.0.0.1")
        visit.send(asking("/delay/1") + request)
        visit.stop_reading()
        self.clock.advance(1)
        # What is whole is sent, and the next has to wait.
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), 1)
        visit.read_on()
        self.assertEqual(len(answers(visit.received, ["GET"] * 2)), 2)

    def test_no_longer_than_the_server_lives(self) -> None:
        for version, field in [("1.0", "Connection: keep-alive"), ("1.1", "A: b")]:
            request = f"GET /delay/1 HTTP/{version}\r\nHost: t\r\n{field}\r\n\r\n"
            visit = self.remembered(request.encode())
            late = self.visit(site=visit.site, peer="127.0.0.1")
            visit.send(request.encode())
            drained = Deferred.fromCoroutine(visit.site.in_flight.drain())
            late.send(request.encode())
            self.clock.advance(1)
            for one, status in [(visit, 200), (late, 503)]:
                reply = one.reply()
                self.assertEqual(reply.status, status)
                self.assertEqual(reply.headers["connection"], "close")
                self.assertTrue(one.is_closed)
                self.assertNoResult(drained)
                one.leave()
            self.clock.advance(1)
            self.successResultOf(drained)


class DrainTests(ChannelCase):
    def test_late_requests(self) -> None:
        first = self.visit()
        idle, waits, behind = (self.visit(site=first.site) for _ in range(3))
        idle.get("/ip")
        waits.get("/delay/1")
        behind.send(asking("/delay/1?n=1") + asking("/delay/1?n=2"))
        before = idle.received
        drained = Deferred.fromCoroutine(first.site.in_flight.drain())
        idle.get("/ip")
        self.assertIn(b"HTTP/1.1 503 ", idle.received[len(before) :])
        self.assertIn(b"\r\nConnection: close\r\n", idle.received[len(before) :])
        operator = self.visit(site=first.site, peer="127.0.0.1")
        operator.get("/readyz")
        self.assertEqual(operator.reply().status, 503)
        self.assertFalse(operator.is_closed)
        self.clock.advance(1)
        for visit in (waits, behind):
            self.assertEqual(visit.reply().headers["connection"], "close")
        for visit in (idle, waits, behind):
            self.assertTrue(visit.is_closed)
            self.assertNoResult(drained)
            visit.leave()
        self.clock.advance(0.01)
        self.successResultOf(drained)


class BudgetTests(ChannelCase):
    """What clients have sent, and is in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(http1_site, "MOST_BYTES_HELD", 10_000)
        self.first = self.visit()

    def half(self, size: int = 4000) -> Visit:
        visit = self.visit(site=self.first.site)
        visit.send(asking("/post", f"Content-Length: {2 * size}", method="POST"))
        visit.send(b"x" * size)
        return visit

    def assert_full(self) -> None:
        reply = self.half().reply("POST")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "1"))
        self.assertEqual(reply.headers["connection"], "close")

    def test_above_it_a_body_is_refused(self) -> None:
        one, other = self.half(), self.half()
        self.assert_full()
        self.assert_full()
        # Those that were there go on.
        for visit in (one, other):
            self.assertEqual(visit.received, b"")
            visit.send(b"x" * 1000)
        self.assert_full()
        # What needs no room is answered.
        self.first.get("/?_delay=0")
        self.assertEqual(self.first.reply().status, 200)

    def test_what_ended_makes_room(self) -> None:
        for end in ("leaves", "is answered", "is too late"):
            self.half()
            half = self.half()
            self.assert_full()
            if end == "leaves":
                half.leave()
            elif end == "is answered":
                half.send(b"x" * 4000)
                self.assertEqual(half.reply("POST").status, 200)
            else:
                self.site_clock.pump([1] * 30)
                self.assertEqual(half.reply("POST").status, 408)
            again = self.half()
            self.assertEqual(again.received, b"")
            for visit in self.visits[1:]:
                visit.leave()

    def test_heads_and_chunks_count_too(self) -> None:
        head = asking("/get", "A: " + "x" * 4000)[:-1]
        chunked = asking("/post", "Transfer-Encoding: chunked", method="POST")
        chunked += b"1000\r\n" + b"x" * 4000
        for begun in (head, chunked):
            for _ in range(2):
                self.visit(site=self.first.site).send(begun)
            visit = self.visit(site=self.first.site)
            visit.send(begun)
            self.assertEqual(visit.reply().status, 503, begun[:20])
            for visit in self.visits[1:]:
                visit.leave()

    def test_a_body_counts_while_its_request_is_answered(self) -> None:
        visit = self.visit(site=self.first.site)
        visit.send(asking("/delay/1", method="POST", body=b"x" * 8000))
        self.assert_full()
        self.clock.advance(1)
        self.assertEqual(visit.reply("POST").status, 200)
        self.assertEqual(self.half().received, b"")

    def test_above_it_nothing_is_read_ahead(self) -> None:
        visit = self.visit(site=self.first.site)
        visit.send(asking("/delay/1"))
        self.half()
        visit.send(asking("/get?" + "x" * 1000) * 4)
        self.assertTrue(visit.is_read)
        visit.send(asking("/get?" + "x" * 1000) * 4)
        self.assertFalse(visit.is_read)
        self.clock.advance(1)
        self.assertTrue(visit.is_read)
        self.assertEqual(len(answers(visit.received, ["GET"] * 9)), 9)


class TurnTests(ChannelCase):
    """No client keeps the others waiting."""

    def setUp(self) -> None:
        super().setUp()
        ticks = count()
        server = DelayServer(
            clock=self.clock, now=lambda: next(ticks) / 4000, seed=7, max_in_flight=2
        )
        self.site: Any = site_of(server, self.site_clock, "ours")

    def assert_takes_turns(self, greedy: Visit) -> None:
        self.assertFalse(greedy.is_read)
        visit = self.visit(site=self.site)
        visit.get("/?_delay=0")
        self.assertEqual(visit.reply().status, 200)
        visit.leave()

    def test_thousands_in_one_piece(self) -> None:
        visit = self.visit(site=self.site)
        visit.send(asking("/?_delay=0") * 3000)
        done = visit.received.count(b"HTTP/1.1 200 OK")
        self.assertTrue(0 < done < 20, done)
        self.assert_takes_turns(visit)
        # What comes meanwhile is not answered out of its turn.
        visit.send(asking("/?_delay=0"))
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), done)
        self.site_clock.advance(0)
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), 3001)
        self.assertTrue(visit.is_read)

    def test_thousands_of_one_who_leaves(self) -> None:
        visit = self.visit(site=self.site)
        visit.send(asking("/?_delay=0") * 3000)
        visit.leave()
        self.assertEqual(self.site.held, 0)
        self.assertEqual(self.site_clock.getDelayedCalls(), [])

    def test_thousands_of_one_who_stops_reading(self) -> None:
        visit = self.visit(site=self.site)
        visit.send(asking("/?_delay=0") * 3000)
        done = visit.received
        visit.stop_reading()
        self.site_clock.advance(0)
        self.assertEqual(visit.received, done)
        visit.read_on()
        self.site_clock.advance(0)
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), 3000)

    def test_chunks_of_a_byte(self) -> None:
        head = asking("/post", "Transfer-Encoding: chunked", method="POST")
        visit = self.visit(site=self.site)
        visit.send(head + b"1\r\nx\r\n" * 9000)
        self.assert_takes_turns(visit)
        visit.send(b"0\r\n\r\n")
        self.assertEqual(visit.received, b"")
        self.site_clock.advance(0)
        self.assertEqual(visit.reply("POST").json()["data"], "x" * 9000)
        self.assertTrue(visit.is_read)

    def test_pieces_of_a_byte(self) -> None:
        visit = self.visit(site=self.site)
        visit.get("/stream-bytes/3000?chunk_size=1&seed=1")
        self.assertTrue(0 < visit.received.count(b"\r\n1\r\n") < 20)
        other = self.visit(site=self.site)
        other.get("/?_delay=0")
        self.assertEqual(other.reply().status, 200)
        self.clock.advance(0)
        self.assertEqual(len(visit.reply().body), 3000)


class SiteTests(ChannelCase):
    def test_to_abort_all_connections(self) -> None:
        first = self.visit()
        waits, half = self.visit(site=first.site), self.visit(site=first.site)
        waits.get("/delay/1")
        half.send(b"GET /")
        gone = self.visit(site=first.site)
        gone.leave()
        first.site.abort_connections()
        for visit in (first, waits, half):
            self.assertTrue(visit.is_aborted)
        self.assertFalse(gone.is_aborted)
