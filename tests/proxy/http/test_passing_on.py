"""Requests and answers that pass a proxy of HTTP, and what is done to them."""

from __future__ import annotations

import json

from nbtwisted.proxy.http.app import ProxyApp
from tests.proxy.http.in_memory import ProxyCase, answer


class PassingTests(ProxyCase):
    def test_there_and_back(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/orders?id=7", "Host: shop", "Accept: */*", "X-A: \xe9")
        upstream = self.upstream()
        self.assertEqual(
            upstream.take_request(),
            b"GET /orders?id=7 HTTP/1.1\r\nHost: 10.1.2.3:8000\r\n"
            b"Accept: */*\r\nX-A: \xe9\r\nVia: 1.1 nbtwisted-1\r\n\r\n",
        )
        self.clock.advance(0.25)
        upstream.answer(answer(b"hello", "Server: nginx", "X-B: \xe8", "Date: today"))
        self.assertEqual(
            visit.received,
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
            b"Server: nginx\r\nX-B: \xe8\r\nDate: today\r\n"
            b"Server-Timing: upstream;dur=250, asked;dur=0, held;dur=0\r\n\r\nhello",
        )
        self.assertEqual(self.entry()["upstream"], 0.25)
        self.assertEqual(self.entry()["outcome"], "answered")

    def test_both_connections_are_kept(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/1")
        upstream = self.upstream()
        upstream.take_request()
        upstream.answer(answer(b"one"))
        visit.get("/2")
        self.assertTrue(upstream.take_request().startswith(b"GET /2 "))
        upstream.answer(answer(b"two"))
        self.assertTrue(visit.received.endswith(b"two"))
        self.assertFalse(visit.is_closed)

    def test_a_long_answer_passes_while_it_comes(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        upstream.answer(answer(b"x" * 300_000)[:-299_990])
        self.assertTrue(visit.received.endswith(b"\r\n\r\n" + b"x" * 10))
        upstream.answer(b"x" * 299_990)
        self.assertTrue(visit.received.endswith(b"\r\n\r\n" + b"x" * 300_000))
        self.assertEqual(self.entry()["sent"], 300_000)

    def test_an_answer_is_read_no_faster_than_the_client_reads(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        upstream.answer(answer(b"x" * 2_000_000)[: -2_000_000 + 10])
        visit.stop_reading()
        fed = 10
        while upstream.producerState == "producing":
            upstream.answer(b"x" * 50_000)
            fed += 50_000
        self.assertLess(fed, 400_000)
        visit.read_on()
        self.settle()
        self.assertEqual(upstream.producerState, "producing")
        upstream.answer(b"x" * (2_000_000 - fed))
        self.settle()
        self.assertTrue(visit.received.endswith(b"\r\n\r\n" + b"x" * 2_000_000))

    def test_chunks_and_trailers(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n"
        upstream.answer(head + b"5\r\nhello\r\n")
        upstream.answer(b"6;a=b\r\n world\r\n0\r\nSum: 11\r\nHost: x\r\n\r\n")
        received = visit.received
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", received)
        self.assertTrue(
            received.endswith(
                b"\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nSum: 11\r\n\r\n"
            ),
            received,
        )

    def test_interim_answers(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        upstream.answer(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        self.assertEqual(visit.received, hints)
        upstream.answer(answer())
        self.assertTrue(visit.received.startswith(hints + b"HTTP/1.1 200 OK\r\n"))

    def test_a_head_alone(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", method="HEAD")
        upstream = self.upstream()
        upstream.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        self.assertIn(b"\r\nContent-Length: 1000\r\n", visit.received)
        self.assertTrue(visit.received.endswith(b"\r\n\r\n"))
        self.assertFalse(visit.is_closed)

    def test_an_upload_passes_while_it_comes(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.send(b"PUT /a HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nabc")
        upstream = self.upstream()
        request = upstream.take_request()
        self.assertIn(b"\r\nContent-Length: 100000\r\n", request)
        self.assertTrue(request.endswith(b"\r\n\r\nabc"))
        upstream.push_producer.pauseProducing()
        visit.send(b"d" * 70_000)
        self.assertFalse(visit.is_read)
        upstream.push_producer.resumeProducing()
        self.assertTrue(visit.is_read)
        visit.send(b"d" * 29_997)
        self.assertEqual(upstream.take_request(), b"d" * 99_997)
        upstream.answer(answer(b"done"))
        self.assertTrue(visit.received.endswith(b"done"))
        self.assertFalse(visit.is_closed)

    def test_an_upload_in_chunks(self) -> None:
        self.proxy()
        visit = self.visit()
        head = b"POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        visit.send(head + b"3;x=y\r\nabc\r\n")
        upstream = self.upstream()
        request = upstream.take_request()
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", request)
        self.assertTrue(request.endswith(b"\r\n\r\n3\r\nabc\r\n"))
        visit.send(b"2\r\nde\r\n0\r\nSum: 5\r\nContent-Length: 9\r\n\r\n")
        self.assertEqual(upstream.take_request(), b"2\r\nde\r\n0\r\nSum: 5\r\n\r\n")

    def test_an_upload_that_makes_no_sense(self) -> None:
        self.proxy()
        visit = self.visit()
        head = b"POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        visit.send(head + b"3\r\nabc\r\n")
        upstream = self.upstream()
        visit.send(b"nonsense\r\n")
        self.assertEqual(upstream.state, "aborting")
        self.assertTrue(visit.received.startswith(b"HTTP/1.1 400 "))
        self.assertTrue(visit.is_closed)

    def test_a_client_that_leaves(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        visit.leave()
        self.assertEqual(upstream.state, "aborting")
        self.assertEqual(self.entry()["outcome"], "cancelled")

    def test_another_protocol(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/chat", "Connection: Upgrade", "Upgrade: websocket")
        upstream = self.upstream()
        self.assertIn(
            b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
            upstream.take_request(),
        )
        upstream.answer(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nearly"
        )
        head, _, rest = visit.received.partition(b"\r\n\r\n")
        self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: websocket", head)
        self.assertNotIn(b"Content-Length", head)
        self.assertEqual(rest, b"early")
        visit.send(b"there")
        self.assertEqual(upstream.take_request(), b"there")
        upstream.answer(b"back")
        self.assertTrue(visit.received.endswith(b"earlyback"))
        upstream.close()
        self.assertTrue(visit.is_closed)
        self.assertEqual(self.entry()["outcome"], "answered")
        self.assertEqual(self.entry()["sent"], 9)


class ActingTests(ProxyCase):
    def test_before_it_is_asked(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", "X-Nbtwisted-Ask-Delay: 2s", "X-Nbtwisted-Delay: 1s")
        self.clock.advance(1.9)
        self.assertEqual(len(self.network.tcpClients), 0)
        self.clock.advance(0.1)
        upstream = self.upstream()
        self.assertNotIn(b"nbtwisted-d", upstream.take_request().lower())
        upstream.answer(answer())
        self.assertEqual(visit.received, b"")
        self.clock.advance(1)
        self.assertIn(b"upstream;dur=0, asked;dur=3000, held;dur=3000", visit.received)

    def test_instead(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", "X-Nbtwisted-Seq: 503,200", "X-Nbtwisted-Key: a")
        self.assertTrue(visit.received.startswith(b"HTTP/1.1 503 "))
        self.assertEqual(len(self.network.tcpClients), 0)
        self.assertIsNone(self.entry()["upstream"])
        visit.get("/", "X-Nbtwisted-Seq: 503,200", "X-Nbtwisted-Key: a")
        self.upstream().answer(answer(status="404 Not Here"))
        self.assertIn(b"HTTP/1.1 404 Not Here\r\n", visit.received)

    def test_a_header_in_place_of_the_upstream_s(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", "X-Nbtwisted-Header: x-a: ours", "X-Nbtwisted-Header: B: new")
        self.upstream().answer(answer(b"hello", "X-A: theirs", "X-C: kept"))
        reply = visit.reply()
        names = ("x-a", "b", "x-c")
        self.assertEqual([reply.headers[n] for n in names], ["ours", "new", "kept"])
        self.assertNotIn(b"theirs", visit.received)

    def test_a_rule(self) -> None:
        self.proxy()
        rules = self.server.rules
        rules.add(
            *rules.parse({"match": {"path": "/slow/*"}, "delay": "1s", "name": "slow"})
        )
        visit = self.visit()
        visit.get("/slow/1")
        self.upstream().answer(answer())
        self.assertEqual(visit.received, b"")
        self.clock.advance(1)
        self.assertEqual(visit.reply().body, b"hello")
        self.assertEqual(self.entry()["rule"], "slow")

    def test_a_limit(self) -> None:
        self.proxy()
        visit = self.visit()
        for _ in range(2):
            visit.get("/", "X-Nbtwisted-Limit: 1/10s")
            if not self.accepted:
                self.upstream().answer(answer())
        self.assertIn(b"HTTP/1.1 429 ", visit.received)
        self.assertEqual(len(self.network.tcpClients), 1)

    def test_on_the_answer(self) -> None:
        for fault, expected in [
            ("truncate", b"\r\n\r\nhello"),
            ("reset", b""),
            ("stall-body", b"\r\n\r\nhello"),
        ]:
            self.proxy()
            visit = self.visit()
            visit.get("/", f"X-Nbtwisted-Fault: {fault}")
            upstream = self.upstream()
            upstream.answer(answer(b"helloworld")[:-9])
            if upstream.state == "open":
                upstream.answer(b"elloworld")
            self.assertTrue(visit.received.endswith(expected), visit.received)
            self.assertEqual(self.entry()["fault"], fault)
            visit.leave()
            self.http_upstream.close()

    def test_a_pace(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", "X-Nbtwisted-Rate: 100B")
        upstream = self.upstream()
        upstream.answer(answer(b"x" * 100)[:-40])
        began = self.clock.seconds()
        while not visit.received.endswith(b"x" * 40):
            self.clock.advance(0.01)
        upstream.answer(b"x" * 40)
        while self.server.in_flight.journal.in_flight:
            self.clock.advance(0.01)
        self.assertApproximates(self.clock.seconds() - began, 0.95, 0.1)
        self.assertTrue(visit.received.endswith(b"x" * 100))
        self.assertEqual(self.server.in_flight.journal.in_flight, 0)

    def test_parameters_are_the_upstream_s(self) -> None:
        self.proxy()
        self.visit().get("/a?_limit=10&_delay=9")
        self.assertTrue(
            self.upstream().take_request().startswith(b"GET /a?_limit=10&_delay=9 ")
        )

    def test_parameters_that_are_controls(self) -> None:
        self.proxy(controls="all")
        self.visit().get("/a?_header=A:b&page=2&_page=3")
        self.assertTrue(
            self.upstream().take_request().startswith(b"GET /a?page=2&_page=3 ")
        )


class DecidingTests(ProxyCase):
    def test_a_fault_of_ours(self) -> None:
        self.proxy()
        self.patch(ProxyApp, "_controls", lambda *_: 1 / 0)
        visit = self.visit()
        visit.get("/")
        self.assertEqual(visit.reply().status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.network.tcpClients), 0)

    def test_a_control_that_cannot_be_read(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", "X-Nbtwisted-Delay: soon")
        reply = visit.reply()
        self.assertEqual((reply.status, reply.json()["control"]), (400, "_delay"))
        self.assertEqual(len(self.network.tcpClients), 0)


class FailingTests(ProxyCase):
    def test_as_a_status(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/")
        self.upstream().close()
        reply = visit.reply()
        self.assertEqual(reply.status, 502)
        told = json.loads(reply.body)
        self.assertEqual(told["phase"], "first byte")
        self.assertEqual(told["upstream"], "http://10.1.2.3:8000")
        self.assertEqual(self.entry()["outcome"], "upstream failed")
        self.assertIn("first byte: ", self.entry()["upstream_error"])

    def test_too_late(self) -> None:
        self.proxy(timeout=8)
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        for _ in range(10):
            self.clock.advance(1)
        upstream.finish()
        self.assertEqual(visit.reply().status, 504)

    def test_as_it_is(self) -> None:
        for does, expected, is_reset in [
            (lambda it: it.close(), b"", False),
            (lambda it: it.reset(), b"", True),
            (lambda it: it.answer(b"\xffgarbage"), b"\xffgarbage", False),
            (lambda it: it.answer(b"HTTP/1.1 200"), b"HTTP/1.1 200", False),
        ]:
            self.proxy(errors="pass")
            visit = self.visit()
            visit.get("/")
            upstream = self.upstream()
            does(upstream)
            if upstream.state == "open":
                upstream.close()
            elif upstream.state == "aborting":
                upstream.finish()
            self.assertEqual(visit.received, expected)
            self.assertEqual(visit.is_aborted, is_reset)
            self.assertTrue(visit.is_closed)

    def test_in_the_middle(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/")
        upstream = self.upstream()
        upstream.answer(answer(b"hello world")[:-6])
        upstream.close()
        self.assertTrue(visit.received.endswith(b"\r\n\r\nhello"))
        self.assertTrue(visit.is_closed)
        self.assertIn("body: ", self.entry()["upstream_error"])

    def test_a_kept_connection_that_was_closed(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/1")
        upstream = self.upstream()
        upstream.take_request()
        upstream.answer(answer())
        visit.get("/2")
        upstream.take_request()
        upstream.reset()
        again = self.upstream()
        self.assertTrue(again.take_request().startswith(b"GET /2 "))
        again.answer(answer(b"two"))
        self.assertTrue(visit.received.endswith(b"two"))

    def test_a_loop(self) -> None:
        self.proxy()
        visit = self.visit()
        visit.get("/", "Via: 1.1 other, 1.1 nbtwisted-1")
        self.assertEqual(visit.reply().status, 508)
        self.assertEqual(len(self.network.tcpClients), 0)
