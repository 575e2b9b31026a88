"""`_idle`: a kept connection is closed, without a word, when nothing more was asked."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.server.every_channel import CHANNELS, EveryChannelCase
from tests.server.in_memory import Visit, answers, asking
from tests.server.test_channel import ChannelCase
from tests.server.test_real_sockets import SocketsCase


class IdlingTests(EveryChannelCase):
    """By every channel."""

    def setUp(self) -> None:
        super().setUp()
        self.site_clock = Clock()
        self.addCleanup(lambda: self.assertEqual(self.site_clock.getDelayedCalls(), []))

    def each(self) -> Iterator[Visit]:
        for channel in CHANNELS:
            visit = self.visit(channel, site_clock=self.site_clock)
            yield visit
            visit.leave()

    def assert_closes_after(self, visit: Visit, seconds: float) -> None:
        self.site_clock.advance(seconds - 0.001)
        self.assertFalse(visit.is_closed)
        before = visit.received
        self.site_clock.advance(0.001)
        self.assertTrue(visit.is_closed)
        self.assertFalse(visit.is_aborted)
        # Without a word.
        self.assertEqual(visit.received, before)
        self.assertNotIn(b"\r\nConnection: close\r\n", before)

    def test_closes_after_the_time(self) -> None:
        for visit in self.each():
            visit.get("/get?_idle=200ms")
            self.assert_closes_after(visit, 0.2)

    def test_the_time_begins_with_the_end_of_the_response(self) -> None:
        for visit in self.each():
            visit.get("/get?_idle=1&_delay=3&_drip=2s/2")
            for _ in range(5):
                self.site_clock.advance(1)
                self.clock.advance(1)
            self.assertEqual(len(answers(visit.received, ["GET"])), 1)
            self.assert_closes_after(visit, 1)

    def test_no_time_at_all(self) -> None:
        for visit in self.each():
            visit.get("/get?_idle=0")
            self.site_clock.advance(0)
            self.assertEqual(visit.reply().status, 200)
            self.assertTrue(visit.is_closed)

    def test_the_next_request_ends_it(self) -> None:
        for visit in self.each():
            visit.get("/get?_idle=1")
            self.site_clock.advance(0.9)
            visit.get("/ip?_delay=5")
            self.site_clock.advance(5)
            self.clock.advance(5)
            self.assertEqual(len(answers(visit.received, ["GET"] * 2)), 2)
            # This one has not asked for it.
            self.site_clock.advance(20)
            self.assertFalse(visit.is_closed)

    def test_each_response_has_its_own(self) -> None:
        for visit in self.each():
            for seconds in (1, 5, 2):
                visit.get(f"/get?_idle={seconds}")
            self.assert_closes_after(visit, 2)

    def test_pipelined_requests(self) -> None:
        for visit in self.each():
            visit.send(asking("/get?_idle=0") * 2 + asking("/get?_idle=1"))
            self.assertEqual(len(answers(visit.received, ["GET"] * 3)), 3)
            self.assert_closes_after(visit, 1)

    def test_a_request_that_waits_behind(self) -> None:
        for visit in self.each():
            visit.send(asking("/get?_delay=1&_idle=0") + asking("/ip?_delay=1"))
            for _ in range(2):
                self.clock.advance(1)
                self.site_clock.advance(1)
            self.assertEqual(len(answers(visit.received, ["GET"] * 2)), 2)
            self.assertFalse(visit.is_closed)

    def test_a_connection_that_is_not_kept(self) -> None:
        for target, header in [
            ("/get?_idle=5", "Connection: close"),
            ("/get?_idle=5&_fault=truncate", "X: y"),
            ("/get?_idle=5&_fault=slow-headers", "X: y"),
            ("/get?_idle=5&_fault=reset", "X: y"),
        ]:
            for visit in self.each():
                visit.get(target, header)
                self.clock.pump([0.1] * 1000)
                self.assertTrue(visit.is_closed)

    def test_twisted_web_has_no_timer_for_one_that_is_closed(self) -> None:
        visit = self.visit("twisted", site_clock=self.site_clock)
        visit.get("/get?_idle=5", "Connection: close")
        self.assertTrue(visit.is_closed)
        self.assertEqual(self.site_clock.getDelayedCalls(), [])

    def test_who_leaves(self) -> None:
        for visit in self.each():
            visit.get("/get?_idle=5")
            visit.leave()
            # There is no timer: see `setUp`.

    def test_is_longer_than_the_deadline_of_a_head(self) -> None:
        for visit in self.each():
            visit.get("/get?_idle=100")
            self.site_clock.pump([1] * 99)
            self.assert_closes_after(visit, 1)

    def test_a_refusal_has_none(self) -> None:
        for visit in self.each():
            visit.get("/nothing-here?_idle=0")
            self.assertEqual(visit.reply().status, 404)
            self.site_clock.advance(1)
            self.assertFalse(visit.is_closed)
            visit.leave()


class ChannelTests(ChannelCase):
    """By our own channel."""

    def test_what_has_begun_ends_it(self) -> None:
        for begun in (b"GET /ip HT", asking("/post", method="POST", body=b"ab")[:-1]):
            visit = self.visit()
            visit.get("/get?_idle=1")
            self.site_clock.advance(0.5)
            visit.send(begun)
            self.site_clock.pump([1] * 29)
            self.assertFalse(visit.is_closed)
            # Its own deadline is what holds.
            self.site_clock.advance(1)
            self.assertTrue(visit.is_closed)

    def test_an_empty_line_is_no_request(self) -> None:
        visit = self.visit()
        visit.get("/get?_idle=1")
        visit.send(b"\r\n")
        self.site_clock.advance(1)
        self.assertTrue(visit.is_closed)

    def test_http_1_0(self) -> None:
        visit = self.visit()
        visit.send(b"GET /get?_idle=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertIn(b"\r\nConnection: keep-alive\r\n", visit.received)
        self.site_clock.advance(1)
        self.assertTrue(visit.is_closed)

    def test_what_comes_too_late_is_not_read(self) -> None:
        visit = self.visit()
        visit.get("/get?_idle=1")
        self.site_clock.advance(1)
        before = visit.received
        visit.get("/ip")
        self.assertEqual(visit.received, before)
        self.assertEqual(visit.site.in_flight.journal.came, 1)

    def test_a_server_that_drains(self) -> None:
        visit = self.visit()
        visit.get("/get?_idle=5")
        drained = Deferred.fromCoroutine(visit.site.in_flight.drain())
        self.successResultOf(drained)
        self.site_clock.advance(5)
        self.assertTrue(visit.is_closed)

    def test_a_reset_does_not_touch_it(self) -> None:
        visit = self.visit()
        visit.get("/get?_idle=5")
        self.assertEqual(visit.site.in_flight.reset(), 0)
        self.site_clock.advance(4)
        self.assertFalse(visit.is_closed)
        self.site_clock.advance(1)
        self.assertTrue(visit.is_closed)

    def test_one_timer_however_many_requests(self) -> None:
        visit = self.visit()
        for _ in range(10):
            visit.get("/get?_idle=300")
        # The other one looks after all connections.
        self.assertEqual(len(self.site_clock.getDelayedCalls()), 2)


class SocketsTests(SocketsCase):
    async def test_one_that_uses_it_again_too_late(self) -> None:
        self.serve()
        client = self.connect()
        await client.send(asking("/get?_idle=5"))
        await self.until(lambda: self.in_flight.journal.came and self.is_idle())
        self.clock.advance(5)
        received = await client.read()
        self.assertEqual(len(answers(received, ["GET"])), 1)
        # Whatever it sends now is reset.
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            for _ in range(100):
                await client.send(asking("/ip"))
                await self.turn()
        self.assertEqual(self.in_flight.journal.came, 1)

    async def test_a_response_that_is_not_delivered_is_not_lost(self) -> None:
        self.serve()
        client = self.connect(buffer=4096)
        await client.send(asking("/range/300000?_idle=0"))
        await self.until(lambda: self.in_flight.journal.came and self.is_idle())
        await self.turn()
        # It asks again before it has all of the response.
        await client.send(asking("/ip"))
        received = await client.read()
        ((status, _, body),) = answers(received, ["GET"])
        self.assertEqual((status, len(body)), (200, 300_000))
        client.socket.close()
        await self.until(lambda: not self.connections)

    async def test_in_tls(self) -> None:
        self.serve(is_secure=True)
        client = self.connect()
        await client.begin_tls()
        await client.send(asking("/get?_idle=5"))
        await self.until(lambda: self.in_flight.journal.came and self.is_idle())
        self.clock.advance(5)
        self.assertEqual(len(answers(await client.read(), ["GET"])), 1)
        client.socket.close()

    async def test_under_twistd(self) -> None:
        self.serve("twisted")
        client = self.connect()
        await client.send(asking("/get?_idle=5"))
        await self.until(lambda: self.in_flight.journal.came and self.is_idle())
        self.clock.advance(5)
        self.assertEqual(len(answers(await client.read(), ["GET"])), 1)
