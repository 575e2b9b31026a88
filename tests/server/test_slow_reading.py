"""`_read`: a request's body is read no faster than that."""

from __future__ import annotations

import json
import socket
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nbtwisted.server.http1 import channel as http1_channel
from nbtwisted.server.http1 import site as http1_site
from nbtwisted.server.http1 import twisted_web
from nbtwisted.server.http1.channel import BODY_DEADLINE, Channel
from nbtwisted.server.http1.delivery import innermost
from nbtwisted.server.http1.slow_reading import SlowReading
from tests.guard import ClockCase
from tests.server.every_channel import CHANNELS, EveryChannelCase
from tests.server.in_memory import Visit, answers, asking
from tests.server.test_channel import ChannelCase
from tests.server.test_real_sockets import WAITS, Client, SocketsCase
from tests.server.test_rules import RulesCase


def pass_time(clock: Clock, seconds: float) -> None:
    """Let time pass in steps that are shorter than those of the reading."""
    clock.pump([1 / 64] * round(seconds * 64))


class SlowReadingTests(ClockCase):
    def begin(self, rate: float, clock: Clock) -> tuple[SlowReading, list[Any]]:
        read: list[Any] = []
        reading = SlowReading(
            *(object(), rate, clock),
            lambda piece: read.append((clock.seconds(), piece)),
        )
        return reading, read

    def test_each_piece_when_it_would_have_been_read(self) -> None:
        reading, read = self.begin(64, self.clock)
        reading.take(b"abcdefgh")
        self.assertEqual(read, [])
        self.clock.pump([1 / 64] * 8)
        self.assertEqual(read, [(3 / 64, b"abc"), (6 / 64, b"def"), (8 / 64, b"gh")])
        self.assertEqual(reading.end(), b"")

    def test_the_end_gives_the_rest_and_leaves_no_timer(self) -> None:
        reading, read = self.begin(2, self.clock)
        for data in (b"", b"abc", b"", b"def"):
            reading.take(data)
            self.assertEqual(len(self.clock.getDelayedCalls()), bool(reading.waiting))
        self.clock.advance(0.5)
        self.assertEqual(read, [(0.5, b"a")])
        self.assertEqual(reading.end(), b"bcdef")

    def test_it_may_end_while_a_piece_is_read(self) -> None:
        left = []
        reading = SlowReading(
            *(object(), 1.0, self.clock), lambda piece: left.append(reading.end())
        )
        reading.take(b"abc")
        self.clock.advance(1)
        self.assertEqual(left, [b"bc"])

    def test_delays_of_timers_do_not_add_up(self) -> None:
        reading, read = self.begin(100, self.clock)
        for _ in range(20):
            reading.take(b"abcde")
            self.clock.advance(0.05 + 0.01)
        # The clock is late by less than a piece.
        self.assertEqual(len(read), 20)

    def test_a_client_that_pauses_makes_up_for_nothing(self) -> None:
        reading, read = self.begin(100, self.clock)
        self.clock.advance(100)
        reading.take(b"x" * 100)
        self.clock.pump([0.05] * 10)
        self.assertLessEqual(sum(len(piece) for _, piece in read), 55)
        reading.end()

    @given(
        st.floats(1, 1e9),
        st.lists(st.tuples(st.binary(max_size=300), st.floats(0, 10)), max_size=9),
    )
    def test_no_faster_and_nothing_else(
        self, rate: float, sent: list[tuple[bytes, float]]
    ) -> None:
        clock = Clock()
        reading, read = self.begin(rate, clock)
        for data, seconds in sent:
            reading.take(data)
            clock.advance(seconds)
        while clock.getDelayedCalls():
            clock.advance(1)
        whole = b"".join(data for data, _ in sent)
        self.assertEqual(b"".join(piece for _, piece in read), whole)
        self.assertFalse(reading.waiting)
        so_far = 0
        for time, piece in read:
            so_far += len(piece)
            # A clock that is moved in steps has its timers late.
            self.assertLessEqual(so_far, rate * (time + 0.05) * 1.000001)
        for (before, _), (time, _) in pairwise(read):
            self.assertLessEqual(before, time)


class WholeBodyTests(EveryChannelCase):
    """A body that came with its head, by every channel."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def post(self, channel: str, target: str, *headers: str, body: bytes) -> Visit:
        visit = self.visit(channel, site_clock=self.clock)
        visit.send(asking(target, *headers, method="POST", body=body))
        return visit

    def test_takes_its_time(self) -> None:
        for channel in CHANNELS:
            visit = self.post(channel, "/post?_read=1kB", body=b"x" * 2500)
            pass_time(self.clock, 2.4)
            self.assertEqual(visit.received, b"")
            pass_time(self.clock, 0.2)
            self.assertEqual(visit.reply("POST").json()["data"], "x" * 2500)
            visit.leave()

    def test_its_delay_is_waited_for_besides(self) -> None:
        for channel in CHANNELS:
            visit = self.post(channel, "/post?_read=1kB&_delay=2", body=b"x" * 1000)
            pass_time(self.clock, 2.9)
            self.assertEqual(visit.received, b"")
            pass_time(self.clock, 0.2)
            reply = visit.reply("POST")
            self.assertTrue(reply.headers["server-timing"].startswith("asked;dur=2000"))
            visit.leave()

    def test_as_a_header(self) -> None:
        for channel in CHANNELS:
            visit = self.post(channel, "/post", "X-Nbtwisted-Read: 10", body=b"abcde")
            pass_time(self.clock, 0.4)
            self.assertEqual(visit.received, b"")
            pass_time(self.clock, 0.2)
            self.assertEqual(visit.reply("POST").status, 200)
            visit.leave()

    def test_where_there_is_nothing_to_read(self) -> None:
        self.assertEqual(self.ask("/get?_read=1").status, 200)
        self.assertEqual(self.ask("/post?_read=1", method="POST").status, 200)

    def test_what_is_refused_is_refused_at_once(self) -> None:
        for target, status in [
            ("/post?_read=0", 400),
            ("/post?_read=1&_delay=x", 400),
            ("/__admin/reset?_read=1", 400),
        ]:
            for channel in CHANNELS:
                visit = self.visit(channel, site_clock=self.clock, peer="127.0.0.1")
                visit.get(target, "Content-Length: 3", method="POST")
                visit.send(b"abc")
                self.assertEqual(visit.reply("POST").status, status, target)
                visit.leave()

    def test_who_leaves(self) -> None:
        for channel in CHANNELS:
            visit = self.post(channel, "/post?_read=1", body=b"abc")
            visit.leave()
            # There is no timer: see `setUp`.
            in_flight = visit.site.in_flight
            self.assertEqual((in_flight.journal.came, in_flight.being_read), (0, set()))

    def test_who_leaves_while_twisted_web_pauses(self) -> None:
        visit = self.post("twisted", "/post?_read=1", body=b"abc")
        self.clock.advance(1)
        self.assertFalse(visit.is_aborted)
        self.patch(twisted_web, "has_left", lambda transport: True)
        self.clock.advance(1)
        self.assertTrue(visit.is_aborted)

    def test_a_reset_lets_go(self) -> None:
        for channel in CHANNELS:
            visit = self.post(channel, "/post?_read=1&_delay=9", body=b"abc")
            self.assertEqual(visit.site.in_flight.reset(), 1)
            self.assertEqual(visit.reply("POST").json()["data"], "abc")
            self.assertEqual(visit.site.in_flight.being_read, set())
            visit.leave()

    def test_a_drain_lets_go(self) -> None:
        for channel in CHANNELS:
            visit = self.post(channel, "/post?_read=1", body=b"abc")
            drained = Deferred.fromCoroutine(visit.site.in_flight.drain())
            self.assertEqual(visit.reply("POST").json()["data"], "abc")
            visit.leave()
            self.clock.advance(1)
            self.successResultOf(drained)


class ChannelTests(ChannelCase):
    """By our own channel."""

    def begin(self, *headers: str, rate: str = "10", **more: Any) -> Visit:
        """A request whose body is to come, at 10 bytes a second."""
        visit = self.visit(**more)
        headers = headers or ("Content-Length: 20",)
        visit.send(asking(f"/post?_read={rate}", *headers, method="POST"))
        return visit

    def pass_time(self, seconds: float) -> None:
        pass_time(self.site_clock, seconds)

    def test_reads_on_when_it_has_read(self) -> None:
        visit = self.begin()
        self.assertTrue(visit.is_read)
        visit.send(b"x" * 5)
        self.assertFalse(visit.is_read)
        self.pass_time(0.4)
        self.assertFalse(visit.is_read)
        self.pass_time(0.2)
        self.assertTrue(visit.is_read)
        visit.send(b"x" * 15)
        self.pass_time(1.4)
        self.assertEqual(visit.received, b"")
        self.pass_time(0.2)
        self.assertEqual(visit.reply("POST").json()["data"], "x" * 20)
        self.assertTrue(visit.is_read)

    def test_a_body_that_is_told_to_go_on(self) -> None:
        visit = self.begin("Content-Length: 20", "Expect: 100-continue")
        self.assertEqual(visit.received, http1_channel.CONTINUE)
        visit.send(b"x" * 20)
        self.pass_time(1.9)
        self.assertEqual(visit.received, http1_channel.CONTINUE)
        self.pass_time(0.2)
        self.assertIn(b"HTTP/1.1 200 OK", visit.received)

    def test_a_body_in_chunks(self) -> None:
        sent = b"5\r\nabcde\r\n5\r\nfghij\r\n0\r\n\r\n"
        for pieces in ([sent], [bytes([byte]) for byte in sent]):
            visit = self.begin("Transfer-Encoding: chunked")
            for piece in pieces:
                visit.send(piece)
            self.pass_time(len(sent) / 10 - 0.1)
            self.assertEqual(visit.received, b"")
            self.pass_time(0.2)
            self.assertEqual(visit.reply("POST").json()["data"], "abcdefghij")

    def test_chunks_that_are_none(self) -> None:
        visit = self.begin("Transfer-Encoding: chunked")
        visit.send(b"5\r\nabcde\r\nno chunk\r\n" + asking("/ip"))
        self.pass_time(3)
        self.assertEqual(visit.reply("POST").status, 400)
        self.assertTrue(visit.is_closed)
        self.assertTrue(visit.is_read)

    def test_requests_behind_it(self) -> None:
        for body in (
            b"Content-Length: 5\r\n\r\nabcde",
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        ):
            visit = self.visit()
            post = b"POST /post?_read=10 HTTP/1.1\r\nHost: t\r\n" + body
            visit.send(asking("/ip") + post * 2 + asking("/ip") * 3)
            self.assertEqual(len(answers(visit.received, ["GET", "POST"])), 1)
            self.pass_time(5)
            methods = ["GET", "POST", "POST", "GET", "GET", "GET"]
            replies = answers(visit.received, methods)
            self.assertEqual([status for status, _, _ in replies], [200] * 6)
            # They had come, and are not read slowly.
            visit.get("/ip")
            self.assertEqual(len(answers(visit.received, [*methods, "GET"])), 7)
            self.assertTrue(visit.is_read)

    @given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 2)), max_size=12))
    def test_however_it_comes(self, pieces: list[tuple[int, float]]) -> None:
        post = b"POST /post?_read=200 HTTP/1.1\r\nHost: t\r\n"
        plain = post + b"Content-Length: 90\r\n\r\n" + b"a" * 90
        chunked = post + b"Transfer-Encoding: chunked\r\n\r\n"
        chunked += b"5;x=y\r\nbbbbb\r\n" * 7 + b"0\r\nT: u\r\n\r\n"
        sent = asking("/ip") + plain + chunked + asking("/ip") + plain
        visit = self.visit()
        at = 0
        for size, seconds in [*pieces, (len(sent), 10.0)]:
            visit.send(sent[at : at + size])
            at += size
            self.pass_time(seconds)
        replies = answers(visit.received, ["GET", "POST", "POST", "GET", "POST"])
        self.assertEqual([status for status, _, _ in replies], [200] * 5)
        data = [json.loads(body).get("data") for _, _, body in replies]
        self.assertEqual(data, [None, "a" * 90, "b" * 35, None, "a" * 90])
        self.assertTrue(visit.is_read)
        visit.leave()
        self.assertEqual((visit.site.held, self.site_clock.getDelayedCalls()), (0, []))

    def test_the_next_body_is_read_as_ever(self) -> None:
        visit = self.begin("Content-Length: 5")
        visit.send(b"abcde" + asking("/post", method="POST", body=b"x" * 1000))
        self.pass_time(0.6)
        self.assertEqual(len(answers(visit.received, ["POST"] * 2)), 2)

    def test_http_1_0(self) -> None:
        visit = self.visit()
        visit.send(
            b"POST /post?_read=10 HTTP/1.0\r\nConnection: keep-alive\r\n"
            b"Content-Length: 5\r\n\r\nabcdeGET /ip HTTP/1.0\r\n\r\n"
        )
        self.pass_time(0.4)
        self.assertEqual(visit.received, b"")
        self.pass_time(0.2)
        self.assertEqual(len(answers(visit.received, ["POST", "GET"])), 2)
        self.assertTrue(visit.is_closed)

    def test_our_pause_is_not_the_clients(self) -> None:
        visit = self.begin(rate="1")
        visit.send(b"x" * 19)
        self.site_clock.pump([1] * 19)
        self.assertEqual(visit.received, b"")
        # From here on it is the client who pauses.
        self.site_clock.pump([1] * (int(BODY_DEADLINE) - 1))
        self.assertEqual(visit.received, b"")
        self.site_clock.pump([1] * 2)
        self.assertEqual(visit.reply("POST").status, 408)
        visit = self.begin("Content-Length: 100", rate="1")
        visit.send(b"x" * 100)
        self.site_clock.pump([1] * 101)
        self.assertEqual(visit.reply("POST").status, 200)

    def test_who_leaves_while_we_pause(self) -> None:
        visit = self.begin()
        visit.send(b"x" * 20)
        self.patch(http1_channel, "has_left", lambda transport: True)
        self.site_clock.advance(1)
        self.assertTrue(visit.is_aborted)

    def test_who_does_not_read_the_response_before(self) -> None:
        visit = self.visit()
        visit.get("/ip")
        visit.stop_reading()
        visit.read_on()
        visit.send(asking("/post?_read=10", method="POST", body=b"x" * 10))
        visit.stop_reading()
        self.pass_time(2)
        self.assertEqual(len(answers(visit.received, ["GET", "POST"])), 1)
        self.assertFalse(visit.is_read)
        visit.read_on()
        self.assertEqual(len(answers(visit.received, ["GET", "POST"])), 2)

    def test_what_waits_counts_as_held(self) -> None:
        self.patch(http1_site, "MOST_BYTES_HELD", 10_000)
        first = self.begin("Content-Length: 9000")
        first.send(b"x" * 9000)
        site = first.site
        self.assertEqual(site.held, 9000)
        second = self.begin("Content-Length: 9000", site=site)
        second.send(b"x" * 9000)
        self.assertEqual(site.held, 18_000)
        # Too much: it is refused when it is looked at again.
        self.pass_time(0.2)
        refused = [visit for visit in (first, second) if visit.received]
        self.assertEqual(len(refused), 1)
        self.assertEqual(refused[0].reply("POST").status, 503)
        self.assertLess(site.held, 10_000)
        for visit in (first, second):
            visit.leave()
        self.assertEqual(site.held, 0)

    def test_a_reset_in_the_middle(self) -> None:
        visit = self.begin()
        visit.send(b"x" * 15)
        self.assertEqual(visit.site.in_flight.reset(), 0)
        self.assertTrue(visit.is_read)
        visit.send(b"x" * 5)
        self.assertEqual(visit.reply("POST").json()["data"], "x" * 20)


class RulesTests(RulesCase):
    def seconds(self, target: str) -> float:
        """How long it takes to read ten bytes."""
        visit = self.visit(target, "Content-Length: 10", method="POST")
        visit.send(b"x" * 10)
        began = self.clock.seconds()
        while not visit.received:
            pass_time(self.clock, 1 / 64)
        visit.leave()
        return self.clock.seconds() - began

    def test_a_rule_has_it(self) -> None:
        phase = {"from": "100s", "until": "200s", "read": "2"}
        for channel in CHANNELS:
            self.serve(channel)
            began = self.clock.seconds()
            self.rules(
                {"match": {"path": "/slow"}, "body": "", "read": "10B"},
                {"match": {"path": "/strict"}, "body": "", "read": 5, "strict": True},
                {"match": {"path": "/anything"}, "during": [phase]},
            )
            # Each takes its time, and up to as long as the clock's steps are.
            for target, seconds in [
                *(("/slow", 1), ("/slow?_read=1kB", 0), ("/strict?_read=1kB", 2)),
                *(("/anything", 0), ("/healthz", 0), ("/slow?_red=1", 0)),
            ]:
                self.assertApproximates(self.seconds(target), seconds, 0.2, target)
            self.clock.advance(100 - (self.clock.seconds() - began))
            self.assertApproximates(self.seconds("/anything"), 5, 0.2)


class SocketsTests(SocketsCase):
    """What the kernel has to do with it. Time passes only when the test says so."""

    async def begin(self, *, is_secure: bool = False) -> Client:
        """A client whose machine has little room for what it sends."""
        self.serve(is_secure=is_secure)
        client = self.connect()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        if is_secure:
            await client.begin_tls()
        length = f"Content-Length: {1 << 20}"
        await client.send(asking("/post?_read=100kB", length, method="POST"))
        await self.until(lambda: self.in_flight.being_read)
        return client

    async def send(self, client: Client, size: int) -> int:
        """Send what can be sent; returns how much of it that is."""
        sent = turns = 0
        while sent < size and turns < 20:
            try:
                sent += client.socket.send(b"x" * min(size - sent, 65536))
                turns = 0
            except WAITS:
                turns += 1
                await self.turn()
        return sent

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)
            for _ in range(4):
                await self.turn()

    def connection(self) -> Any:
        """The server's end."""
        (channel,) = self.in_flight.being_read
        assert isinstance(channel, Channel)
        return innermost(channel.transport)

    async def test_the_client_is_held_up(self) -> None:
        client = await self.begin()
        first = await self.send(client, 1 << 20)
        # That is what the window was at first, and what the client's kernel takes.
        self.assertLess(first, 400_000)
        self.assertEqual(await self.send(client, 1000), 0)
        await self.pass_time(5)
        more = await self.send(client, 1 << 20)
        self.assertGreater(more, 0)
        self.assertLess(first + more, 400_000 + 500_000)
        client.socket.close()
        # Its FIN waits behind what is not read; the kernel knows of it.
        await self.pass_time(2)
        await self.until(lambda: not self.in_flight.being_read)
        self.assertEqual(self.in_flight.journal.came, 0)

    async def test_a_whole_body(self) -> None:
        for is_secure in (False, True):
            client = await self.begin(is_secure=is_secure)
            connection = self.connection()
            buffer = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            self.assertEqual((connection.bufferSize, buffer), (5000, 100_000))
            left, ticks = 1 << 20, 0
            while not self.in_flight.journal.came:
                left -= await self.send(client, left)
                await self.pass_time(0.05)
                ticks += 1
            # It is no faster than that, and not much slower.
            self.assertTrue(10.4 < ticks * 0.05 < 13, ticks)
            self.assertEqual(self.latest.status, 200)
            buffer = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            self.assertGreater(buffer, 100_000)
            self.assertEqual(connection.bufferSize, FileDescriptor.bufferSize)
            client.socket.close()
            await self.until(lambda: not self.connections)

    async def test_a_client_that_resets(self) -> None:
        client = await self.begin()
        await self.send(client, 1 << 20)
        client.reset()
        await self.pass_time(2)
        await self.until(lambda: not self.in_flight.being_read)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_a_reset_of_the_server(self) -> None:
        client = await self.begin()
        sent = await self.send(client, 1 << 20)
        self.in_flight.reset()
        await self.send(client, (1 << 20) - sent)
        await self.until(lambda: self.in_flight.journal.came)
        self.assertEqual(self.latest.status, 200)
        client.socket.close()
        await self.until(lambda: not self.connections)
