"""Whole lives of a request: together they make every move of its state table."""

from __future__ import annotations

import gzip
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.python.failure import Failure

from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.connection.resolving import Resolver
from nbtwisted.client.errors import (
    BadJob,
    BadURL,
    CannotUnpack,
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
    ResponseCutShort,
    SendFailed,
    TLSFailed,
    TunnelFailed,
    UnpacksTooLarge,
)
from nbtwisted.client.header import Headers
from nbtwisted.client.job import Job
from nbtwisted.client.proxies import Proxies
from nbtwisted.client.request.getting import Getter
from nbtwisted.client.request.request import Request, State
from nbtwisted.client.request.retrying import Retries
from nbtwisted.client.result import Result
from nbtwisted.client.target import Origin
from tests.client.in_memory import A_TURN, FILENO, Connection, Network
from tests.client.state_table import moves_in, named
from tests.guard import ClockCase

PLAIN, SECURE = "http://host/a", "https://host/a"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
WHOLE = HEAD + b"hello"
LAST = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
OPEN = b"HTTP/1.1 200 Open\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n"
CLOSING = b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n"
ELSEWHERE = b"http://other/b"

LOOKING_UP = "looking up the host"
CONNECTING = "connecting"
TUNNELLING = "waiting for the proxy"
SECURING = "shaking hands in TLS"
SENDING = "sending the request"
WAITING = "waiting for the first byte"
RECEIVING = "receiving the answer"
UNPACKING = "unpacking the answer"
PAUSING = "waiting to try again"
QUEUED = "waiting for its turn at the host"
A_LOT = bytes(2_000_000)
ATTEMPT = [LOOKING_UP, CONNECTING, SECURING, SENDING, WAITING, RECEIVING]
"""The steps of an attempt in TLS, as errors name them."""


def packed(plain: bytes, *fields: str) -> bytes:
    """A response whose body is compressed."""
    body = gzip.compress(plain, mtime=0)
    lines = ["HTTP/1.1 200 OK", "Content-Encoding: gzip", *fields]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Life:
    """Requests of one getter on a network of their own, led on step by step."""

    def __init__(self, **options: Any) -> None:
        self.network = Network()
        # What is counted from the beginning is not counted from zero.
        self.network.advance(100)
        self.looked_up: list[Deferred[tuple[str, ...]]] = []
        self.asked: list[Origin] = []
        self.results: list[Result] = []
        self.server: Connection
        self.getter = Getter(
            self.network,
            draw=lambda: 0.5,
            resolver=cast(Resolver, self),
            **{
                "now": self.network.seconds,
                "tls": {"verify": False},
                "more_to_come": True,
                "connections": 9,
                **options,
            },
        )

    def resolve(self, host: str) -> Deferred[tuple[str, ...]]:
        """As a resolver."""
        self.looked_up.append(Deferred())
        return self.looked_up[-1]

    def ask(self, request: Request, origin: Origin) -> bool:
        """As a queue, which has no more room at other hosts."""
        self.asked.append(origin)
        return origin.host == "host"

    def begin(self, asked: str | Job | BadJob) -> Life:
        self.request = self.getter.request(asked, ask=self.ask)
        self.request.start(lambda _, result: self.results.append(result))
        return self

    def until(self, step: str, asked: str | Job = SECURE) -> Life:
        """Begin a request, and lead it into a step of its first attempt."""
        self.begin(asked)
        if step != LOOKING_UP:
            self.find()
        if step not in (LOOKING_UP, CONNECTING):
            self.connect(until=step)
        return self

    def find(self) -> None:
        self.looked_up[-1].callback(("10.0.0.1",))

    def connect(self, *, until: str = WAITING) -> None:
        """Go on from connecting."""
        self.server = self.network.accept()
        if until != SECURING and self.server.handshake is not None:
            assert self.server.value() == b"", "sent before the handshake was over"
            self.server.secure()
        if until in (WAITING, RECEIVING):
            assert self.server.take_request(), "nothing was sent"
        if until == RECEIVING:
            self.server.answer(HEAD)

    def again(self) -> None:
        """Lead the next attempt over a new connection, and answer it."""
        self.find()
        self.connect()
        self.server.answer(LAST)
        self.server.finish()

    def pass_time(self, seconds: float) -> None:
        # Once to be due, and once for what is to be read before.
        self.network.pump([seconds, A_TURN])

    @property
    def result(self) -> Result:
        (result,) = self.results
        return result


class LifeTests(ClockCase):
    def over(self, life: Life, *connections: Connection) -> Result:
        """How it ended; nothing of it is left but these connections, which are kept."""
        result = life.result
        self.assertEqual(life.network.getDelayedCalls(), [])
        for connection in connections:
            self.assertEqual(connection.state, "open")
        closed = life.getter.close()
        for connection in connections:
            self.assertEqual(connection.state, "aborting")
            connection.finish()
        self.successResultOf(closed)
        return result

    def failed(self, life: Life, kind: type[RequestError], words: str = "") -> Result:
        result = self.over(life)
        self.assertEqual(type(result.error), kind)
        self.assertIn(words, str(result.error))
        self.assertIsNone(result.response)
        self.knows_no_frames(result)
        return result

    def knows_no_frames(self, result: Result) -> None:
        """No error of it has what it was raised from, which would keep all of that."""
        for error in (result.error, *(attempt.error for attempt in result.attempts)):
            if error is not None:
                self.assertIsNone(error.__traceback__)
                self.assertIsNone(error.__context__)

    def answered(
        self, life: Life, attempts: int, *connections: Connection
    ) -> list[str | None]:
        """Why it was not over before."""
        result = self.over(life, *connections)
        self.knows_no_frames(result)
        assert result.response is not None
        self.assertEqual(result.response.body, b"hello")
        self.assertEqual(len(result.attempts), attempts)
        return [attempt.then for attempt in result.attempts[:-1]]

    # The plain ones.

    def test_plain(self) -> None:
        life = Life(more_to_come=False).begin(PLAIN)
        self.assertEqual(life.network.attempts, [])
        life.find()
        self.assertEqual(life.network.attempts, [("10.0.0.1", 80)])
        server = life.network.accept()
        self.assertTrue(server.has_something_to_send)
        sent = server.take_request()
        self.assertTrue(sent.startswith(b"GET /a HTTP/1.1\r\nHost: host\r\n"), sent)
        self.assertFalse(server.has_something_to_send)
        server.answer(HEAD)
        server.answer(b"hello")
        # Not before its connection is gone.
        self.assertEqual((life.results, server.state), ([], "closing"))
        server.finish()
        self.assertEqual(self.answered(life, 1), [])
        self.assertEqual(life.result.attempts[0].raw, WHOLE)
        assert life.result.timing is not None
        timing = life.result.timing
        self.assertEqual((timing.queued, timing.tls), (0, None))

    def test_in_tls(self) -> None:
        life = Life().until(SECURING)
        life.network.advance(2)
        life.server.secure()
        life.server.take_request()
        life.network.advance(1)
        life.server.answer(WHOLE)
        # More may have come with it.
        self.assertEqual(life.results, [])
        life.network.advance(A_TURN)
        self.answered(life, 1, life.server)
        assert life.result.timing is not None
        self.assertEqual((life.result.timing.tls, life.result.timing.wait), (2, 1))
        # Over the same, there is no other handshake.
        life = Life().until(WAITING)
        life.server.answer(WHOLE)
        life.network.advance(A_TURN)
        life.results.clear()
        life.begin(SECURE)
        life.server.take_request()
        life.server.answer(WHOLE)
        life.network.advance(A_TURN)
        self.answered(life, 1, life.server)
        (attempt,) = life.result.attempts
        self.assertEqual((attempt.secured_at, attempt.timing.tls), (None, 0))

    def test_how_far_it_has_come(self) -> None:
        life = Life()
        request = life.getter.request("ftp://me:secret@host", queued_at=97)
        result = request.so_far()
        self.assertEqual((result.url, result.attempts), ("ftp://host", ()))
        self.assertEqual((result.began, result.queued, result.ended_at), (100, 3, 100))
        for step in ATTEMPT:
            life = Life(max_redirects=5).until(step, "https://me:secret@host/a#b")
            life.network.advance(7)
            result = life.request.so_far()
            self.assertEqual(result.url, "https://host/a#b")
            self.assertEqual((result.began, result.ended_at), (100, 107))
            self.assertEqual((result.error, result.response), (None, None))
            (attempt,) = result.attempts
            self.assertIs(result.last, attempt)
            fileno = None if step in (LOOKING_UP, CONNECTING) else FILENO
            self.assertEqual(attempt.fileno, fileno)
            life.request.cancel()
            self.end_stopped(life, step)
            self.failed(life, Interrupted)

    def test_over_a_kept_connection(self) -> None:
        life = Life().until(WAITING, PLAIN)
        life.server.answer(WHOLE)
        life.results.clear()
        life.begin(PLAIN)
        self.assertTrue(life.server.take_request().startswith(b"GET /a "))
        life.server.answer(WHOLE)
        self.answered(life, 1, life.server)
        self.assertEqual(len(life.network.attempts), 1)

    def test_a_bad_url(self) -> None:
        life = Life().begin("ftp://host/")
        self.failed(life, BadURL)
        self.assertEqual((life.looked_up, life.network.attempts), ([], []))

    def test_a_response_before_all_of_a_long_request_was_sent(self) -> None:
        life = Life(headers=[("X", "x" * 20_000)]).until(SENDING, PLAIN)
        life.server.answer(LAST)
        self.assertEqual(life.server.state, "aborting")
        life.server.finish()
        self.answered(life, 1)

    def test_a_response_that_begins_before_all_of_the_request_was_sent(self) -> None:
        life = Life(headers=[("X", "x" * 20_000)]).until(SENDING, PLAIN)
        life.server.answer(HEAD)
        life.network.advance(2)
        life.server.take_request()
        life.pass_time(27.99)
        life.server.answer(b"hello")
        self.answered(life, 1, life.server)
        assert life.result.timing is not None
        self.assertEqual(life.result.timing.wait, 0)

    # Through a proxy.

    def tunnelling(self, url: str, proxy: str = "p", **options: Any) -> Life:
        """A request whose connection's proxy is asked to connect to the host."""
        life = Life(proxies=Proxies.read(proxy), **options).begin(url)
        life.find()
        self.assertEqual(life.network.attempts[-1], ("10.0.0.1", 1080))
        life.server = life.network.accept()
        self.assertNotEqual(life.server.value(), b"")
        life.server.clear()
        life.network.advance(2)
        return life

    def test_through_a_tunnel(self) -> None:
        life = self.tunnelling(SECURE)
        (attempt,) = life.request.so_far().attempts
        self.assertEqual(attempt.timing_until(102).proxy, None)
        life.server.answer(OPEN)
        life.network.advance(4)
        life.server.secure()
        self.assertTrue(life.server.take_request().startswith(b"GET /a HTTP/1.1"))
        life.server.answer(WHOLE)
        life.network.advance(A_TURN)
        timing = life.result.timing
        assert timing is not None
        self.assertEqual((timing.connect, timing.proxy, timing.tls), (0, 2, 4))
        self.answered(life, 1, life.server)
        # Over the same, there is no other dialogue.
        life = self.tunnelling(SECURE)
        life.server.answer(OPEN)
        life.server.secure()
        for _ in range(2):
            life.results.clear()
            life.server.take_request()
            life.server.answer(WHOLE)
            life.network.advance(A_TURN)
            last = life.result
            life.begin(SECURE)
        life.request.cancel()
        life.server.finish()
        assert last.timing is not None
        self.assertEqual((last.timing.proxy, last.timing.tls), (0, 0))

    def test_through_a_tunnel_in_the_clear(self) -> None:
        life = self.tunnelling(PLAIN, "socks5h://p")
        life.server.answer(b"\5\0")
        self.assertEqual(life.server.value(), b"\5\1\0\3\4host\0\x50")
        life.server.clear()
        life.server.answer(b"\5\0\0\1" + bytes(6))
        self.assertTrue(life.server.take_request().startswith(b"GET /a HTTP/1.1"))
        life.server.answer(LAST)
        life.server.finish()
        self.answered(life, 1)
        self.assertEqual(life.result.attempts[0].timing.proxy, 2)

    def test_no_tunnel(self) -> None:
        for retries, steps in [(0, 1), (1, 2)]:
            life = self.tunnelling(SECURE, retries=Retries(retries, delay=2))
            for _ in range(steps):
                life.server.answer(b"HTTP/1.1 502 No\r\n\r\n")
                life.server.finish()
                if not life.results:
                    life.network.advance(1)
                    life.find()
                    life.server = life.network.accept()
            result = self.failed(life, TunnelFailed, "host:443: 502 No")
            self.assertEqual(len(result.attempts), steps)

    def test_no_tunnel_in_time(self) -> None:
        words = "while waiting for the proxy"
        for connect_timeout, kind in [(None, DeadlinePassed), (5, ConnectTimeout)]:
            life = self.tunnelling(SECURE, connect_timeout=connect_timeout)
            life.pass_time(3 if connect_timeout else 28)
            self.end_stopped(life, TUNNELLING)
            self.failed(life, kind, words)
        life = self.tunnelling(SECURE)
        life.request.cancel()
        self.end_stopped(life, TUNNELLING)
        self.failed(life, Interrupted, words)

    # Redirected ones.

    def test_redirected_over_the_same_connection(self) -> None:
        life = Life(max_redirects=5).until(WAITING, PLAIN)
        life.server.answer(FOUND % b"/b")
        self.assertTrue(life.server.take_request().startswith(b"GET /b "))
        life.server.answer(WHOLE)
        self.assertEqual(self.answered(life, 2, life.server), ["redirect"])
        # It has asked for its turn, and need not wait for it.
        self.assertEqual((len(life.looked_up), len(life.asked)), (1, 1))
        self.assertEqual(life.result.effective_url, "http://host/b")

    def test_redirected_over_a_new_connection(self) -> None:
        life = Life(max_redirects=5).until(WAITING)
        life.server.answer(CLOSING + b"Location: /b\r\n\r\n")
        self.assertEqual((life.server.state, len(life.looked_up)), ("aborting", 1))
        life.server.finish()
        life.again()
        self.assertEqual(self.answered(life, 2), ["redirect"])

    def test_redirected_to_another_host_with_a_turn_waited_for(self) -> None:
        life = Life(max_redirects=5).until(WAITING, PLAIN)
        kept = life.server
        kept.answer(FOUND % ELSEWHERE)
        # The connection to the first host is free for others meanwhile.
        self.assertEqual((len(life.asked), kept.state), (1, "open"))
        life.network.advance(3)
        self.assertEqual(len(life.looked_up), 1)
        life.request.take_turn(2.0)
        life.again()
        self.assertEqual(self.answered(life, 2, kept), ["redirect"])
        assert life.result.timing is not None
        self.assertEqual(life.result.timing.total, 3)
        self.assertEqual([a.paced for a in life.result.attempts], [0.0, 2.0])

    def test_redirected_to_what_is_no_url(self) -> None:
        life = Life(max_redirects=5).until(WAITING)
        life.server.answer(CLOSING + b"Location: mailto:me@host\r\n\r\n")
        life.server.finish()
        result = self.failed(life, BadURL, "redirected to host: scheme 'mailto'")
        self.assertEqual(result.attempts[0].status, None)

    def test_redirected_to_another_host_which_a_connection_is_kept_to(self) -> None:
        life = Life(max_redirects=5).until(WAITING, PLAIN)
        first = life.server
        first.answer(WHOLE)
        life.until(WAITING, "http://other/")
        life.results.clear()
        life.server.answer(FOUND % b"http://host/b")
        self.assertTrue(first.take_request().startswith(b"GET /b "))
        first.answer(WHOLE)
        self.assertEqual(self.answered(life, 2, first, life.server), ["redirect"])

    # Compressed ones.

    def packed(
        self, plain: bytes, *fields: str, life: Life | None = None, **options: Any
    ) -> Life:
        """A request whose response is compressed."""
        life = life or Life(compressed=True, **options).until(WAITING, PLAIN)
        life.server.answer(packed(plain, *fields))
        return life

    def test_unpacked_at_once(self) -> None:
        life = self.packed(b"hello")
        self.answered(life, 1, life.server)
        (attempt,) = life.result.attempts
        self.assertEqual(attempt.raw, packed(b"hello"))
        self.assertEqual(attempt.packed_size, len(gzip.compress(b"hello")))

    def test_unpacked_in_turns(self) -> None:
        for number in (0, 1):
            retries = Retries(number, max_time=5)
            life = self.packed(A_LOT, retries=retries)
            # The connection is free for others meanwhile.
            self.assertEqual((life.results, life.server.state), ([], "open"))
            turns = 0
            while not life.results:
                self.assertEqual(len(life.network.getDelayedCalls()), 2)
                life.network.advance(A_TURN)
                turns += 1
            self.assertGreater(turns, 3)
            result = self.over(life, life.server)
            assert result.response is not None
            self.assertEqual(result.response.body, A_LOT)

    def test_of_several_one_is_unpacked_at_a_time(self) -> None:
        life = self.packed(A_LOT)
        self.packed(A_LOT, life=life.until(WAITING, "http://other/"))
        second = life.request
        self.packed(A_LOT, life=life.until(WAITING, "http://third/"))
        life.network.advance(A_TURN)
        second.cancel()
        self.assertEqual(type(life.results.pop().error), Interrupted)
        while len(life.results) < 1:
            life.network.advance(A_TURN)
        self.assertEqual(life.results[0].url, PLAIN)
        turns = 0
        while len(life.results) < 2:
            life.network.advance(A_TURN)
            turns += 1
        # Of the last, no more than its first step was taken before.
        self.assertGreater(turns, 3)
        self.assertEqual(life.network.getDelayedCalls(), [])

    def test_one_that_was_busy_to_the_end(self) -> None:
        life = Life(compressed=True, retries=Retries(1)).until(WAITING, PLAIN)
        busy = packed(b"hello").replace(b"200 OK", b"503 Busy")
        life.server.answer(busy)
        life.network.pump([0.5, A_TURN])
        life.server.take_request()
        life.server.answer(busy)
        self.assertEqual(self.answered(life, 2, life.server), ["retry"])
        # Its wait would be longer than the time that it has.
        life = Life(compressed=True, retries=Retries(1)).until(WAITING, PLAIN)
        life.server.answer(busy.replace(b"\r\n\r\n", b"\r\nRetry-After: 40\r\n\r\n"))
        self.answered(life, 1, life.server)

    def test_one_that_redirects_is_not_unpacked(self) -> None:
        life = Life(compressed=True, max_redirects=5).until(WAITING, PLAIN)
        found = packed(b"hello", "Location: /b").replace(b"200 OK", b"302 Found")
        life.server.answer(found[:-9] + b"not gzip!")
        life.server.take_request()
        self.packed(b"hello", life=life)
        self.assertEqual(self.answered(life, 2, life.server), ["redirect"])

    def test_nothing_to_unpack(self) -> None:
        for method, first, length in [
            ("GET", "200 OK", 0),
            ("GET", "204 No Content", 9),
            ("GET", "304 Not Modified", 9),
            ("HEAD", "200 OK", 9),
        ]:
            life = Life(compressed=True).until(WAITING, Job(PLAIN, method))
            head = f"HTTP/1.1 {first}\r\nContent-Length: {length}\r\n"
            life.server.answer(f"{head}Content-Encoding: foo\r\n\r\n".encode())
            response = self.over(life, life.server).response
            assert response is not None
            self.assertEqual(response.body, b"")

    def test_not_compressed_or_not_asked_for(self) -> None:
        for more in (b"", b"Content-Encoding: identity\r\n"):
            life = Life(compressed=True).until(WAITING, PLAIN)
            life.server.answer(WHOLE.replace(b"Content-L", more + b"Content-L"))
            self.answered(life, 1, life.server)
            self.assertIsNone(life.result.attempts[0].packed_size)
        life = Life().until(WAITING, PLAIN)
        life.server.answer(
            WHOLE.replace(b"Content-L", b"Content-Encoding: gzip\r\nContent-L")
        )
        self.answered(life, 1, life.server)
        self.assertIsNone(life.result.attempts[0].packed_size)

    def test_what_is_asked_for(self) -> None:
        asked = b"\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
        cases: list[tuple[dict[str, Any], Headers, bytes | None]] = [
            ({}, (), None),
            ({"compressed": True}, (), asked),
            (
                {"compressed": True, "headers": [("accept-encoding", "br")]},
                (),
                b"\r\naccept-encoding: br\r\n",
            ),
            ({"compressed": True, "headers": [("Accept-Encoding", "")]}, (), None),
            (
                {"compressed": True},
                [("ACCEPT-ENCODING", "x")],
                b"\r\nACCEPT-ENCODING: x\r\n",
            ),
        ]
        for options, own, expected in cases:
            life = Life(**options).until(SENDING, Job(PLAIN, headers=own))
            sent = life.server.take_request()
            self.assertEqual(sent.lower().count(b"accept-encoding"), bool(expected))
            self.assertIn(expected or b"", sent)
            life.server.reset()
            self.over(life)

    def test_what_cannot_be_unpacked(self) -> None:
        damaged = packed(b"hello").replace(b"\x05\0\0\0", b"\x06\0\0\0")
        for response, kind, words in [
            (damaged, CannotUnpack, "the body is damaged gzip: incorrect length check"),
            (
                WHOLE.replace(b"Content-L", b"Content-Encoding: foo\r\nContent-L"),
                CannotUnpack,
                "content-encoding 'foo': expected gzip, deflate, br or zstd",
            ),
            (packed(bytes(100_001)), UnpacksTooLarge, " unpacks to more than 100,000"),
        ]:
            life = Life(compressed=True, limits=Limits(body=100_000), more_to_come=0)
            life.until(WAITING, PLAIN).server.answer(response)
            life.server.finish()
            life.network.advance(A_TURN)
            result = self.failed(life, kind, words)
            (attempt,) = result.attempts
            self.assertIs(attempt.error, result.error)
            self.assertEqual((attempt.raw, attempt.packed_size), (response, None))

    def test_stopped_while_it_is_unpacked(self) -> None:
        life = self.packed(A_LOT, more_to_come=False)
        life.server.finish()
        life.request.cancel()
        self.failed(life, Interrupted, f"cancelled while {UNPACKING}")
        life = Life(compressed=True, more_to_come=False, max_time=1.5 * A_TURN)
        self.packed(A_LOT, life=life.until(WAITING, PLAIN))
        life.server.finish()
        life.network.pump([A_TURN] * 3)
        self.failed(life, DeadlinePassed, f"passed while {UNPACKING}")

    def test_unpacked_in_the_turn_of_its_deadline(self) -> None:
        for plain in (b"hello", A_LOT):
            life = Life(compressed=True).until(WAITING, PLAIN)
            life.network.advance(30)
            life.server.answer(packed(plain, "Connection: close"))
            life.network.advance(A_TURN)
            life.server.finish()
            if plain is A_LOT:
                # There is no time for more than one step.
                self.failed(life, DeadlinePassed, f"30 s passed while {RECEIVING}")
            else:
                self.answered(life, 1)

    # Retried ones.

    def test_tried_again_over_the_same_connection(self) -> None:
        life = Life(retries=Retries(1)).until(WAITING, PLAIN)
        life.server.answer(BUSY)
        life.network.advance(0.49)
        self.assertFalse(life.server.has_something_to_send)
        life.network.advance(0.02)
        self.assertTrue(life.server.take_request().startswith(b"GET /a "))
        life.server.answer(WHOLE)
        self.assertEqual(self.answered(life, 2, life.server), ["retry"])
        self.assertEqual(life.result.tries, 2)

    def tried_again(self, life: Life, kind: type[RequestError]) -> None:
        self.assertEqual(life.results, [])
        looked_up = len(life.looked_up)
        life.network.advance(0.49)
        self.assertEqual(len(life.looked_up), looked_up)
        life.network.advance(0.02)
        life.again()
        self.assertEqual(self.answered(life, 2), ["retry"])
        first = life.result.attempts[0]
        self.assertEqual((type(first.error), first.waited), (kind, 0.5))

    def fail(self, life: Life, step: str) -> type[RequestError]:  # type: ignore[override]
        """Let what it waits for in a step fail; the error that is to come of it."""
        if step == LOOKING_UP:
            life.looked_up[-1].errback(Failure(NameNotResolved("no such host")))
            return NameNotResolved
        if step == CONNECTING:
            life.network.refuse(ConnectionRefusedError(111))
            return ConnectFailed
        life.server.close() if step in (WAITING, RECEIVING) else life.server.reset()
        return {
            SECURING: TLSFailed,
            SENDING: SendFailed,
            WAITING: EmptyResponse,
            RECEIVING: ResponseCutShort,
        }[step]

    def test_failed_in_each_step(self) -> None:
        for step in ATTEMPT:
            life = Life(max_redirects=5).until(step)
            self.failed(life, self.fail(life, step))

    def test_tried_again_after_each_step(self) -> None:
        for step in ATTEMPT:
            life = Life(retries=Retries(1)).until(step)
            kind = self.fail(life, step)
            if step == SECURING:
                # It would fail in the same way.
                self.failed(life, kind)
            else:
                self.tried_again(life, kind)

    def test_a_response_that_is_none(self) -> None:
        for step in (SENDING, WAITING, RECEIVING):
            life = Life(headers=[("X", "x" * 20_000)]).until(step, PLAIN)
            life.server.answer(b"SSH-2.0" if step != RECEIVING else b"hel")
            if step == RECEIVING:
                life.server.reset()
                self.failed(life, ConnectionLost, "in the middle")
            else:
                self.assertEqual(life.server.state, "aborting")
                life.server.finish()
                self.failed(life, MalformedResponse, "HTTP/")

    # Stale ones.

    def used_again(self, asked: str | Job = PLAIN, **options: Any) -> Life:
        """A request over a connection that was kept."""
        life = Life(**options).until(WAITING, PLAIN)
        life.server.answer(WHOLE)
        life.results.clear()
        return life.begin(asked)

    def test_stale_before_it_was_sent(self) -> None:
        life = self.used_again()
        life.server.reset()
        life.again()
        self.assertEqual(self.answered(life, 2), ["resend"])
        self.assertEqual((life.result.resent, life.result.tries), (1, 1))

    def test_stale_without_a_byte(self) -> None:
        life = self.used_again()
        stale = life.server
        # Though there is another that is free by now.
        life.until(WAITING, PLAIN)
        life.server.answer(WHOLE)
        life.results.clear()
        kept = life.server
        stale.take_request()
        stale.close()
        self.assertFalse(kept.has_something_to_send)
        life.again()
        self.assertEqual(self.answered(life, 2, kept), ["resend"])

    def test_a_post_is_not_resent_unless_that_is_asked_for(self) -> None:
        for all_methods in (False, True):
            life = self.used_again(
                Job(PLAIN, "POST", body=b"a=1"),
                retries=Retries(0, all_methods=all_methods),
            )
            life.server.reset()
            if all_methods:
                life.again()
                self.assertEqual(self.answered(life, 2), ["resend"])
            else:
                self.failed(life, SendFailed, "a POST is not sent again unasked")

    def test_a_post_is_tried_again_only_if_that_is_asked_for(self) -> None:
        for all_methods in (False, True):
            life = Life(retries=Retries(1, all_methods=all_methods))
            life.until(WAITING, Job(PLAIN, "POST"))
            life.server.answer(BUSY)
            if all_methods:
                life.pass_time(1.0)
                life.server.take_request()
                life.server.answer(WHOLE)
                self.assertEqual(life.result.tries, 2)
                self.over(life, life.server)
            else:
                self.assertEqual(self.over(life, life.server).tries, 1)

    def test_redirected_with_and_without_its_body(self) -> None:
        for status, method, goes in [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (302, "PUT", "PUT"),
            (303, "PUT", "GET"),
            (303, "HEAD", "HEAD"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
        ]:
            body = b"" if method == "HEAD" else b"a=1"
            headers = [("Content-Type", "x/y"), ("X-Y", "z")]
            life = Life(max_redirects=5)
            life.until(WAITING, Job(PLAIN, method, headers, body))
            redirect = FOUND.replace(b"302", b"%d" % status)
            life.server.answer(redirect % b"/b")
            sent = life.server.take_request()
            self.assertTrue(sent.startswith(f"{goes} /b ".encode()), sent)
            self.assertIn(b"\r\nX-Y: z\r\n", sent)
            is_kept = goes == method
            self.assertEqual(b"Content-Type: x/y" in sent, is_kept)
            self.assertEqual(sent.endswith(b"\r\n\r\n" + body), is_kept)
            self.assertEqual(life.request.so_far().attempts[1].request, sent)
            self.assertEqual(b"Content-Length: 3\r\n" in sent, is_kept and body != b"")
            life.server.answer(WHOLE if method != "HEAD" else HEAD)
            self.over(life, life.server)

    def test_a_deadline_of_its_own(self) -> None:
        for seconds in (2.0, 500.0):
            life = Life().until(WAITING, Job(PLAIN, max_time=seconds))
            life.pass_time(seconds)
            life.server.finish()
            self.failed(life, DeadlinePassed, f"{seconds:g} s passed")

    def test_an_entry_that_is_no_request(self) -> None:
        life = Life().begin(BadJob("line 3: unknown key 'x'", shown="{"))
        result = self.over(life)
        self.assertEqual((result.url, result.job, result.attempts), ("{", None, ()))
        self.assertIsInstance(result.error, BadJob)
        waiting = life.getter.request(BadJob("no", shown="["))
        self.assertEqual(waiting.so_far().url, "[")

    def test_stale_when_it_is_cancelled(self) -> None:
        life = self.used_again()
        life.request.cancel()
        life.server.finish()
        self.failed(life, Interrupted)
        self.assertEqual(len(life.looked_up), 1)

    def test_a_slow_server_is_not_stale(self) -> None:
        life = self.used_again(first_byte_timeout=2.0)
        life.server.take_request()
        life.pass_time(2.0)
        life.server.finish()
        result = self.failed(life, FirstByteTimeout, "2 s passed while waiting for")
        self.assertEqual((result.resent, len(life.looked_up)), (0, 1))

    # Cancelled ones.

    def test_cancelled_in_each_step(self) -> None:
        for step in ATTEMPT:
            life = Life(retries=Retries(1), max_redirects=5).until(step)
            life.request.cancel()
            self.end_stopped(life, step)
            result = self.failed(life, Interrupted, f"cancelled while {step}")
            assert result.last is not None
            self.assertIs(result.last.error, result.error)

    def end_stopped(self, life: Life, step: str) -> None:
        """Look that what it had is closed, and let that be gone."""
        if step == CONNECTING:
            self.assertEqual(life.network.given_up, [True])
        if step not in (LOOKING_UP, CONNECTING):
            self.assertEqual((life.results, life.server.state), ([], "aborting"))
            self.assertFalse(life.server.has_something_to_send)
            life.server.finish()

    def queued(self, **options: Any) -> Life:
        life = Life(max_redirects=5, **options).until(WAITING)
        life.server.answer(CLOSING + b"Location: http://other/b\r\n\r\n")
        life.server.finish()
        return life

    def test_cancelled_while_it_waits_for_a_turn(self) -> None:
        life = self.queued()
        life.request.cancel()
        result = self.failed(life, Interrupted, f"cancelled while {QUEUED}")
        self.assertEqual((len(result.attempts), result.last), (1, None))

    def test_cancelled_while_it_waits_to_try_again(self) -> None:
        life = Life(retries=Retries(1)).until(CONNECTING)
        life.network.refuse(ConnectionRefusedError(111))
        life.request.cancel()
        result = self.failed(life, Interrupted, f"cancelled while {PAUSING}")
        self.assertEqual((len(result.attempts), result.last), (1, None))

    def test_cancelled_while_it_waits_for_a_turn_that_it_was_sent_to_late(self) -> None:
        life = Life(retries=Retries(1), max_redirects=5).until(CONNECTING)
        life.network.refuse(ConnectionRefusedError(111))
        life.network.advance(0.5)
        life.find()
        life.connect()
        life.server.answer(CLOSING + b"Location: http://other/b\r\n\r\n")
        life.server.finish()
        life.request.cancel()
        result = self.failed(life, Interrupted, f"cancelled while {QUEUED}")
        self.assertEqual(len(result.attempts), 2)

    def test_cancelled_when_it_is_over(self) -> None:
        life = Life().until(LOOKING_UP)
        life.request.cancel()
        life.request.cancel()
        self.failed(life, Interrupted)

    def test_cancelled_while_its_connection_closes(self) -> None:
        life = Life().until(WAITING, PLAIN)
        life.server.answer(LAST)
        self.assertEqual((life.results, life.server.state), ([], "closing"))
        life.request.cancel()
        self.end_stopped(life, RECEIVING)
        self.failed(life, Interrupted, f"cancelled while {RECEIVING}")

    def test_cancelled_while_its_connection_settles(self) -> None:
        life = Life().until(WAITING)
        life.server.answer(WHOLE)
        life.request.cancel()
        self.end_stopped(life, RECEIVING)
        self.failed(life, Interrupted, f"cancelled while {RECEIVING}")

    # Deadlines.

    def test_out_of_time_in_each_step(self) -> None:
        for step in ATTEMPT:
            life = Life(retries=Retries(9), max_redirects=5).until(step)
            life.pass_time(29.99)
            if step not in (LOOKING_UP, CONNECTING):
                self.assertEqual(life.server.state, "open")
            life.pass_time(0.01)
            self.end_stopped(life, step)
            self.failed(life, DeadlinePassed, f"30 s passed while {step}")

    def test_out_of_time_while_it_waits_for_a_turn(self) -> None:
        life = self.queued()
        life.pass_time(30)
        self.failed(life, DeadlinePassed, f"30 s passed while {QUEUED}")

    def test_too_long_to_connect(self) -> None:
        for step in ATTEMPT:
            life = Life(connect_timeout=2.0).until(step)
            life.pass_time(2)
            if step in (LOOKING_UP, CONNECTING, SECURING):
                self.end_stopped(life, step)
                self.failed(life, ConnectTimeout, f"2 s passed while {step}")
            else:
                self.assertEqual((life.results, life.server.state), ([], "open"))
                life.server.reset()
                self.over(life)

    def test_too_long_to_the_first_byte(self) -> None:
        for step in ATTEMPT:
            life = Life(first_byte_timeout=2.0).until(step)
            life.pass_time(2)
            if step == RECEIVING:
                self.assertEqual((life.results, life.server.state), ([], "open"))
                life.server.reset()
                self.over(life)
            else:
                self.end_stopped(life, step)
                self.failed(life, FirstByteTimeout, f"2 s passed while {step}")

    def test_tried_again_when_an_attempt_took_too_long(self) -> None:
        for kind, option in {
            ConnectTimeout: "connect_timeout",
            FirstByteTimeout: "first_byte_timeout",
        }.items():
            for step in ATTEMPT[: 3 if kind is ConnectTimeout else 5]:
                life = Life(retries=Retries(1), **{option: 2.0}).until(step)
                life.pass_time(2)
                self.end_stopped(life, step)
                self.tried_again(life, kind)

    def test_each_attempt_has_its_own_time(self) -> None:
        life = Life(retries=Retries(1, delay=0), connect_timeout=2.0)
        life.until(CONNECTING)
        life.network.advance(1.5)
        life.network.refuse(ConnectionRefusedError(111))
        life.network.advance(A_TURN)
        life.pass_time(1.99)
        self.assertEqual((life.results, len(life.looked_up)), ([], 2))
        life.pass_time(0.01)
        self.failed(life, ConnectTimeout, f"2 s passed while {LOOKING_UP}")

    def test_an_attempt_that_is_over_has_no_time(self) -> None:
        timeouts = {"connect_timeout": 2.0, "first_byte_timeout": 3.0}
        life = Life(retries=Retries(1, delay=10), **timeouts).until(CONNECTING)
        life.network.refuse(ConnectionRefusedError(111))
        life.network.advance(4.99)
        self.assertEqual((life.results, len(life.looked_up)), ([], 1))
        life.network.advance(0.01)
        life.again()
        self.assertEqual(self.answered(life, 2), ["retry"])

    # Those that are being stopped.

    def stopping(self, **options: Any) -> Life:
        """One that waits for its connection to be gone."""
        life = Life(max_redirects=5, **options).until(RECEIVING)
        life.pass_time(30)
        self.assertEqual((life.results, life.server.state), ([], "aborting"))
        return life

    def test_cancelled_while_it_is_being_stopped(self) -> None:
        life = self.stopping()
        life.request.cancel()
        # At once, though its connection is still there.
        result = life.result
        self.assertEqual(type(result.error), Interrupted)
        self.assertEqual(str(result.error), f"cancelled while {RECEIVING}")
        assert result.last is not None
        self.assertIs(result.last.error, result.error)
        self.assertEqual(life.network.getDelayedCalls(), [])
        life.server.finish()
        self.failed(life, Interrupted)

    def test_cancelled_twice(self) -> None:
        life = Life(connect_timeout=2.0, first_byte_timeout=2.0).until(SECURING)
        life.request.cancel()
        life.request.cancel()
        self.assertEqual(type(life.result.error), Interrupted)
        self.assertEqual(life.network.getDelayedCalls(), [])
        life.server.finish()
        self.failed(life, Interrupted, f"cancelled while {SECURING}")

    def test_out_of_time_while_it_is_being_stopped(self) -> None:
        life = Life(retries=Retries(1), first_byte_timeout=29.0).until(WAITING)
        life.pass_time(29)
        self.assertEqual(life.server.state, "aborting")
        life.pass_time(1)
        life.server.finish()
        # What has no time left is not tried again.
        self.failed(life, DeadlinePassed, f"30 s passed while {WAITING}")

    def test_too_long_for_an_attempt_while_it_is_being_stopped(self) -> None:
        life = Life(max_time=2.0, first_byte_timeout=2.5).until(WAITING)
        life.pass_time(2)
        life.pass_time(1)
        life.server.finish()
        self.failed(life, DeadlinePassed, f"2 s passed while {WAITING}")

    def test_whole_in_the_turn_of_its_deadline(self) -> None:
        for more, kind in [(WHOLE, None), (FOUND % ELSEWHERE, DeadlinePassed)]:
            life = Life(max_redirects=5).until(WAITING)
            life.network.advance(30)
            life.server.answer(
                more.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            )
            life.network.advance(A_TURN)
            life.server.finish()
            if kind is None:
                self.answered(life, 1)
            else:
                self.failed(life, kind, f"30 s passed while {RECEIVING}")
            self.assertEqual(life.result.attempts[0].fileno, FILENO)

    def test_busy_in_the_turn_of_its_deadline(self) -> None:
        # Nothing is tried again, and an answer now is better than none.
        life = Life(retries=Retries(9, delay=0.0)).until(WAITING)
        life.network.advance(30)
        life.server.answer(BUSY.replace(b"Busy", b"Busy\r\nConnection: close"))
        life.network.advance(A_TURN)
        life.server.finish()
        self.assertEqual(self.over(life).tries, 1)

    def test_nothing_is_tried_again_that_is_out_of_time_by_one_of_two_clocks(
        self,
    ) -> None:
        life = Life(retries=Retries(9, delay=0.0), now=lambda: 0.0).until(WAITING)
        life.network.advance(30)
        life.server.answer(BUSY.replace(b"Busy", b"Busy\r\nConnection: close"))
        life.network.advance(A_TURN)
        life.server.finish()
        self.assertEqual(self.over(life).tries, 1)


class TableTests(ClockCase):
    def test_the_table_names_all_moves_and_no_other(self) -> None:
        moves = moves_in(LifeTests, Request, "_state")
        self.assertEqual(sorted(moves - named(State)), [], "made, and not named")
        self.assertEqual(sorted(named(State) - moves), [], "named, and not made")
