"""Requests one behind another, on one connection and on several."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from nbtwisted.server.http1 import site as http1_site
from tests import examples
from tests.guard import ClockCase
from tests.server.in_memory import Visit, answers, asking
from tests.server.test_framing import BAD, GOOD, UNABLE

ANSWER = re.compile(rb"HTTP/1\.1 (\d+) .*?\r\n\r\n", re.S)


class PipeliningTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.site_clock = Clock()

    def visit(self, **more: Any) -> Visit:
        visit = Visit(
            self.clock, site_clock=self.site_clock, **{"channel": "ours", **more}
        )
        self.addCleanup(visit.leave)
        return visit

    def test_a_refused_body_makes_room_before_its_connection_ends(self) -> None:
        self.patch(http1_site, "MOST_BYTES_HELD", 1000)
        first = self.visit()
        refused, last = self.visit(site=first.site), self.visit(site=first.site)
        whole = asking("/status/200", method="POST", body=b"x" * 600)
        first.send(whole[:-1])
        refused.send(whole[:-1])
        self.assertEqual(refused.reply().status, 503)
        last.send(whole[:-300])
        self.assertEqual((first.received, last.received), (b"", b""))
        first.send(whole[-1:])
        last.send(whole[-300:])
        self.assertEqual((first.reply().status, last.reply().status), (200, 200))

    def test_answers_are_in_order_though_an_earlier_one_waits(self) -> None:
        for _ in range(2):
            # The second time, each is remembered.
            visit = self.visit()
            visit.send(
                asking("/delay/2?n=1") + asking("/?_delay=0") + asking("/delay/1?n=2")
            )
            self.assertEqual(visit.received, b"")
            self.clock.advance(2)
            self.assertEqual(len(ANSWER.findall(visit.received)), 2)
            self.clock.advance(1)
            bodies = [b for _, _, b in answers(visit.received, ["GET"] * 3)]
            self.assertEqual(len(bodies), 3)
            self.assertIn(b"n=1", bodies[0])
            self.assertEqual(bodies[1], b'["wait time: 0sec"]')
            self.assertIn(b"n=2", bodies[2])

    def test_draws_are_those_of_the_other_channel(self) -> None:
        drawn = []
        for channel in ("ours", "twisted"):
            site = self.visit(channel=channel).site
            bodies = []
            for _ in range(8):
                visit = self.visit(site=site)
                visit.get("/")
                self.clock.advance(3)
                bodies.append(visit.reply().body)
            drawn.append(bodies)
        self.assertEqual(drawn[0], drawn[1])
        self.assertGreater(len(set(drawn[0])), 1)

    def test_the_journal_has_them_all(self) -> None:
        visit = self.visit(peer="127.0.0.1")
        for _ in range(3):
            visit.send(asking("/?_delay=0", "Cookie: secret", "A: b"))
        for _ in range(2):
            visit.send(asking("/delay/1?_key=k"))
            self.clock.advance(1.5)
        operator = self.visit(site=visit.site, peer="127.0.0.1")
        operator.get("/__admin/requests")
        entries = operator.reply().json()["requests"]
        self.assertEqual([entry.pop("id") for entry in entries], [1, 2, 3, 4, 5])
        for entry in entries:
            del entry["time"]
        self.assertEqual(entries[0], entries[1])
        self.assertEqual(entries[0], entries[2])
        self.assertEqual(entries[0]["headers"], {"Host": "test", "A": "b"})
        self.assertEqual(entries[0]["sent"], 19)
        self.assertEqual(entries[3], entries[4])
        self.assertEqual(
            (entries[3]["key"], entries[3]["asked"], entries[3]["held"]), ("k", 1, 1.5)
        )
        stats = self.visit(site=visit.site, peer="127.0.0.1")
        stats.get("/__admin/stats")
        self.assertEqual(stats.reply().json()["outcomes"], {"answered": 5})

    def test_who_leaves_frees_the_timer(self) -> None:
        visit = self.visit(peer="127.0.0.1")
        for _ in range(2):
            waiting = Visit(self.clock, site=visit.site)
            waiting.get("/delay/60")
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            waiting.leave()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        visit.get("/__admin/stats")
        self.assertEqual(visit.reply().json()["outcomes"], {"cancelled": 2})

    def test_a_reset_answers_what_waits(self) -> None:
        first = self.visit(peer="127.0.0.1")
        for _ in range(2):
            waiting = self.visit(site=first.site)
            waiting.get("/delay/60")
            operator = self.visit(site=first.site, peer="127.0.0.1")
            operator.get("/__admin/reset", method="POST")
            self.assertEqual(operator.reply().json(), {"released": 1})
            self.assertEqual(waiting.reply().status, 200)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_draining_ends_connections(self) -> None:
        first = self.visit()
        for _ in range(2):
            waiting = self.visit(site=first.site)
            waiting.get("/delay/60")
            self.clock.advance(0)
        site: Any = first.site
        draining = site.in_flight.drain()
        draining.send(None)
        self.addCleanup(draining.close)
        self.clock.advance(60)
        self.assertEqual(waiting.reply().headers["connection"], "close")
        self.assertTrue(waiting.is_closed)
        late = self.visit(site=first.site)
        late.get("/delay/60")
        self.assertEqual(late.reply().status, 503)

    def test_no_more_in_flight_than_may_be(self) -> None:
        first = self.visit(max_in_flight=1)
        first.get("/delay/5")
        self.clock.advance(5)
        for _ in range(2):
            one, other = self.visit(site=first.site), self.visit(site=first.site)
            one.get("/delay/5")
            other.get("/delay/5")
            self.assertEqual(other.reply().status, 503)
            self.clock.advance(5)
            self.assertEqual(one.reply().status, 200)

    def test_http_1_0(self) -> None:
        site = self.visit().site
        for _ in range(2):
            visit = self.visit(site=site)
            visit.send(b"GET /?_delay=0 HTTP/1.0\r\nHost: t\r\n\r\n")
            self.assertTrue(visit.is_closed)
            self.assertEqual(visit.reply().headers["connection"], "close")
            visit = self.visit(site=site)
            visit.send(
                b"GET /?_delay=0 HTTP/1.0\r\nHost: t\r\nConnection: Keep-Alive\r\n\r\n"
            )
            self.assertFalse(visit.is_closed)
            self.assertIn(b"\r\nConnection: keep-alive\r\n", visit.received)
            # Such a client can tell the end of a body without a length only by ours.
            visit = self.visit(site=site)
            visit.send(
                b"GET /stream/2 HTTP/1.0\r\nHost: t\r\nConnection: Keep-Alive\r\n\r\n"
            )
            self.assertTrue(visit.is_closed)
            self.assertNotIn(b"chunked", visit.received)

    def test_the_last_request_of_a_connection(self) -> None:
        site = self.visit().site
        for target in ("/?_delay=0", "/delay/1", "/stream/1"):
            for _ in range(2):
                visit = self.visit(site=site)
                visit.send(asking(target, "Connection: close") + asking("/get"))
                self.clock.advance(1)
                self.assertEqual(visit.reply().headers["connection"], "close")
                self.assertTrue(visit.is_closed)

    def test_a_body_that_waits_to_be_asked_for(self) -> None:
        head = asking(
            "/post", "Expect: 100-continue", "Content-Length: 3", method="POST"
        )
        visit = self.visit()
        visit.send(head)
        self.assertEqual(visit.received, b"HTTP/1.1 100 Continue\r\n\r\n")
        visit.send(b"abc")
        self.assertIn(b'"data": "abc"', visit.received)
        # Who does not wait is not told.
        visit = self.visit()
        visit.send(head + b"abc")
        self.assertEqual(visit.reply("POST").json()["data"], "abc")
        # Nor is anybody before it is his turn.
        visit = self.visit()
        visit.send(asking("/delay/1") + head)
        self.assertEqual(visit.received, b"")
        self.clock.advance(1)
        self.assertTrue(visit.received.endswith(b"HTTP/1.1 100 Continue\r\n\r\n"))

    def test_a_body_that_pauses(self) -> None:
        visit = self.visit()
        visit.send(asking("/post", "Content-Length: 3", method="POST"))
        self.site_clock.pump([1] * 20)
        visit.send(b"a")
        self.site_clock.pump([1] * 29)
        self.assertEqual(visit.received, b"")
        self.site_clock.advance(1)
        self.assertEqual(visit.reply("POST").status, 408)
        self.assertTrue(visit.is_closed)

    def test_a_client_that_does_not_read(self) -> None:
        visit = self.visit()
        request = asking("/?_delay=0")
        visit.send(request)
        visit.stop_reading()
        before = len(visit.received)
        visit.send(request * 10)
        visit.send(asking("/stream/1"))
        self.assertEqual(len(visit.received), before)
        visit.read_on()
        self.assertEqual(len(answers(visit.received, ["GET"] * 12)), 12)

    def test_a_large_echo_is_in_flight_until_it_is_read(self) -> None:
        visit = self.visit()
        body = b"x" * 500_000
        visit.send(asking("/anything?_delay=1", method="POST", body=body))
        visit.stop_reading()
        self.clock.advance(1)
        self.assertEqual(visit.site.in_flight.journal.in_flight, 1)
        self.assertLess(len(visit.received), 100_000)
        visit.read_on()
        self.assertEqual(len(visit.reply("POST").json()["data"]), 500_000)
        self.assertEqual(visit.site.in_flight.journal.in_flight, 0)

    def test_a_client_that_asks_too_far_ahead(self) -> None:
        visit = self.visit()
        visit.send(asking("/delay/1"))
        request = asking("/get?" + "x" * 1000)
        visit.send(request * 60)
        self.assertTrue(visit.is_read)
        visit.send(request * 10)
        self.assertFalse(visit.is_read)
        self.clock.advance(1)
        self.assertTrue(visit.is_read)
        self.assertEqual(len(answers(visit.received, ["GET"] * 71)), 71)

    def test_a_body_is_no_request_though_it_looks_like_one(self) -> None:
        request = asking("/get")
        first = self.visit()
        first.send(request)
        for framing, body in [
            (f"Content-Length: {len(request)}", request),
            (
                "Transfer-Encoding: chunked",
                b"%x\r\n%b\r\n0\r\n\r\n" % (len(request), request),
            ),
        ]:
            visit = self.visit(site=first.site)
            visit.send(asking("/post", framing, method="POST"))
            for piece in body.partition(request):
                if piece:
                    visit.send(piece)
            self.assertEqual(visit.reply("POST").json()["data"].encode(), request)

    def test_who_asks_ahead_for_ever(self) -> None:
        visit = self.visit()
        visit.send(asking("/delay/1"))
        for _ in range(20):
            # Each answer makes room for one more, and for no more than that.
            if visit.is_read:
                visit.send(asking("/delay/1") * 3000)
            self.clock.advance(1)
        self.assertFalse(visit.is_read)

    def test_who_was_not_read_is_read_again(self) -> None:
        visit = self.visit()
        visit.send(asking("/delay/1"))
        visit.send(asking("/get?" + "x" * 1000) * 100)
        visit.stop_reading()
        self.clock.advance(1)
        self.assertFalse(visit.is_read)
        visit.read_on()
        self.assertTrue(visit.is_read)
        visit.send(asking("/ip"))
        self.assertEqual(len(answers(visit.received, ["GET"] * 102)), 102)

    def test_a_connection_that_does_not_close(self) -> None:
        visit = self.visit()
        visit.send(asking("/get", "Connection: close"))
        self.assertTrue(visit.is_closed)
        self.site_clock.pump([1] * 4)
        self.assertFalse(visit.is_aborted)
        self.site_clock.advance(1)
        self.assertTrue(visit.is_aborted)

    def test_thousands_in_one_piece(self) -> None:
        # One after another, and not each in the middle of the one before.
        visit = self.visit()
        visit.send(asking("/stream/1") * 3000)
        self.assertEqual(visit.received.count(b"HTTP/1.1 200 OK"), 3000)

    def test_a_refusal_waits_its_turn(self) -> None:
        visit = self.visit()
        visit.send(asking("/delay/1") + b"no request\r\n\r\n")
        self.assertEqual(visit.received, b"")
        self.clock.advance(1)
        statuses = [status for status, _, _ in answers(visit.received, ["GET"] * 2)]
        self.assertEqual(statuses, [200, 400])
        self.assertTrue(visit.is_closed)

    def test_a_cut_changes_nothing(self) -> None:
        for data in [*GOOD, *BAD, *UNABLE]:
            closed = []
            for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
                clock = Clock()
                visit = Visit(clock, channel="ours")
                for piece in pieces:
                    visit.send(piece)
                clock.advance(3)
                statuses = re.findall(rb"HTTP/1\.[01] (\d{3}) ", visit.received)
                self.assertEqual(len(statuses), 1, data)
                closed.append(visit.is_closed)
                visit.leave()
            self.assertEqual(closed[0], closed[1], data)

    @settings(max_examples=examples(60))
    @given(
        st.lists(
            st.sampled_from(
                [
                    ("GET", "/?_delay=0", b""),
                    ("GET", "/get?flag&a=1;b", b""),
                    ("GET", "http://other/get", b""),
                    ("get", "/get", b""),
                    ("GET", "/status/426", b""),
                    ("GET", "/status/205", b""),
                    ("GET", "/anything/%FF", b""),
                    ("GET", "/get?_unknown", b""),
                    ("GET", "/get?a=1", b""),
                    ("HEAD", "/get", b""),
                    ("GET", "/delay/1", b""),
                    ("GET", "/?_seq=500,200", b""),
                    ("POST", "/post", b"some\r\n\r\nbody"),
                    ("GET", "/nowhere", b""),
                    ("DELETE", "/get", b""),
                    ("GET", "/stream/3", b""),
                    ("GET", "/drip?numbytes=3&duration=1", b""),
                    ("GET", "/status/204", b""),
                ]
            ),
            max_size=8,
        ),
        st.lists(st.integers(1, 120)),
    )
    def test_both_channels_answer_alike(
        self, requests: list[tuple[str, str, bytes]], sizes: list[int]
    ) -> None:
        data = b"".join(
            asking(target, method=method, body=body)
            for method, target, body in requests
        )
        found = []
        for channel in ("ours", "twisted"):
            clock = Clock()
            visit = Visit(clock, channel=channel)
            at = 0
            for size in [*sizes, len(data)]:
                if data[at : at + size]:
                    visit.send(data[at : at + size])
                at += size
            clock.pump([0.1] * 300)
            replies = answers(visit.received, [method for method, _, _ in requests])
            for _, headers, _ in replies:
                headers.pop("date")
            found.append(replies)
            visit.leave()
        self.assertEqual(len(found[0]), len(requests))
        self.assertEqual(found[0], found[1])
