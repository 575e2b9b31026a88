"""One worker of a run, on connections in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from nbtwisted.client.connection.protocol import Connection as OurConnection
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.errors import (
    ConnectFailed,
    ConnectionLost,
    DeadlinePassed,
    EmptyResponse,
    RequestError,
)
from nbtwisted.client.job import Job
from nbtwisted.client.target import Origin, Target
from nbtwisted.load.requests.prepared import Prepared, Preparing
from nbtwisted.load.worker import Worker
from tests.client.in_memory import Connection
from tests.guard import ClockCase

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
WHOLE = HEAD + b"hello"


def prepared(url: str, **more: Any) -> Prepared:
    preparing = Preparing(keeps_alive=True, timeout=9)
    return preparing.prepare(Target.parse(url), Job(url, **more))


HERE, THERE = (prepared(f"http://10.0.0.{number}/") for number in (1, 2))


class WorkerTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.clock.advance(100)
        self.opened: list[Connection] = []
        self.ended: list[RequestError | None] = []
        self.refuses = False
        self.worker = Worker(
            self,
            self.clock.seconds,
            lambda _, error: self.ended.append(error),
        )

    # What the worker needs of its run.

    def new(self, origin: Origin, worker: Worker) -> OurConnection:
        reader = ResponseReader(Limits(), keeps_body=False)
        ours: Any = OurConnection
        made: OurConnection = ours(
            self.clock, worker, worker, reader, None, keeps_alive=True
        )
        return made

    def open(self, connection: OurConnection, origin: Origin) -> None:
        if self.refuses:
            connection.could_not_open(ConnectFailed("refused"))
            return
        # It takes a second.
        self.clock.advance(1)
        self.opened.append(Connection(connection, len(self.opened)))
        connection.makeConnection(self.opened[-1])

    def send(self, request: Prepared = HERE) -> Connection:
        """Make a request; returns the connection that it was sent over."""
        now = self.clock.seconds()
        self.worker.send(request, now, now)
        (taken,) = (each for each in self.opened if each.has_something_to_send)
        self.assertEqual(taken.take_request(), b"".join(request.message))
        return taken

    def test_how_long_each_phase_took(self) -> None:
        connection = self.send()
        self.assertEqual(self.worker.connecting, 1)
        self.clock.advance(2)
        connection.answer(HEAD)
        self.clock.advance(3)
        connection.answer(b"he")
        connection.answer(b"llo")
        self.assertEqual(self.ended, [None])
        self.assertEqual((self.worker.status, self.worker.size), (200, 5))
        self.assertEqual(self.worker.receiving, 3)
        # The next has neither of both.
        self.send().answer(WHOLE)
        self.assertEqual(len(self.opened), 1)
        self.assertIsNone(self.worker.connecting)
        self.assertEqual(self.worker.receiving, 0)

    def test_a_connection_for_each_origin(self) -> None:
        for request in (HERE, THERE, HERE, HERE, THERE):
            self.send(request).answer(WHOLE)
        self.assertEqual(self.ended, [None] * 5)
        self.assertEqual(len(self.opened), 2)

    def test_one_that_ends_is_not_used_again(self) -> None:
        for request in (THERE, HERE):
            connection = self.send(request)
            connection.answer(HEAD)
            connection.answer(b"hello")
        connection.close()
        self.send(HERE).answer(WHOLE)
        self.assertEqual((len(self.opened), self.worker.was_resent), (3, False))
        self.assertEqual(self.worker.receiving, 0)
        # Others are.
        self.send(THERE).answer(WHOLE)
        self.assertEqual(len(self.opened), 3)

    def test_one_that_is_closing_is_not_used_again(self) -> None:
        self.send().answer(WHOLE)
        # Nobody asked for this.
        self.opened[0].answer(WHOLE)
        self.send().answer(WHOLE)
        self.assertEqual((len(self.opened), self.ended), (2, [None, None]))
        self.opened[0].finish()

    def test_a_stale_one(self) -> None:
        self.send().answer(WHOLE)
        self.send().close()
        self.opened[1].take_request()
        self.assertTrue(self.worker.is_busy)
        self.opened[1].answer(WHOLE)
        self.assertFalse(self.worker.is_busy)
        self.assertEqual((self.ended, self.worker.was_resent), ([None, None], True))
        self.send().answer(WHOLE)
        self.assertFalse(self.worker.was_resent)

    def test_stale_once_only(self) -> None:
        self.send().answer(WHOLE)
        self.send().close()
        self.opened[1].take_request()
        self.opened[1].close()
        self.assertEqual(len(self.opened), 2)
        self.assertIsInstance(self.ended[-1], EmptyResponse)

    def test_what_may_have_arrived_is_not_sent_again_unless_it_is_idempotent(
        self,
    ) -> None:
        for method, is_sent_again in (
            ("POST", False),
            ("PATCH", False),
            ("BREW", False),
            ("PUT", True),
            ("DELETE", True),
            ("HEAD", True),
        ):
            request = prepared(f"http://10.0.0.9/{method}", method=method)
            # Over a new connection, it is as good as any.
            self.send(request).answer(HEAD if method == "HEAD" else WHOLE)
            opened = len(self.opened)
            self.send(request).close()
            self.assertEqual(len(self.opened) - opened, is_sent_again, method)
            self.assertIs(self.worker.was_resent, is_sent_again)
            if is_sent_again:
                self.opened[-1].take_request()
                self.opened[-1].answer(HEAD if method == "HEAD" else WHOLE)
                self.assertIsNone(self.ended[-1])
                continue
            error = self.ended[-1]
            assert isinstance(error, ConnectionLost)
            self.assertEqual(error.phase, "first byte")
            self.assertEqual(
                str(error),
                "the server closed the connection without an answer; "
                f"a {method} is not sent again unasked",
            )
            self.assertEqual(self.worker.failures, 1)

    def test_what_was_never_sent_may_be_sent_whatever_it_is(self) -> None:
        post = prepared("http://10.0.0.1/", method="POST", body=b"x")
        self.send(post).answer(WHOLE)
        self.opened[0].close()
        self.send(post).answer(WHOLE)
        self.assertEqual((len(self.opened), self.ended), (2, [None, None]))
        self.assertFalse(self.worker.was_resent)

    def test_the_response_to_a_head_has_no_body(self) -> None:
        head = prepared("http://10.0.0.1/", method="HEAD")
        for request, answer, size in ((HERE, WHOLE, 5), (head, HEAD, 0)) * 2:
            self.send(request).answer(answer)
            self.assertIsNone(self.ended[-1])
            self.assertEqual(self.worker.size, size)
        self.assertEqual(len(self.opened), 1)

    def test_one_that_ends_in_a_response_is_not_stale(self) -> None:
        self.send().answer(WHOLE)
        connection = self.send()
        connection.answer(HEAD)
        connection.close()
        self.assertEqual(len(self.opened), 1)
        self.assertIsInstance(self.ended[-1], RequestError)

    def test_failures_in_a_row(self) -> None:
        self.refuses = True
        for number in (1, 2):
            self.worker.send(HERE, 0, 0)
            self.assertEqual(self.worker.failures, number)
        self.refuses = False
        self.send().answer(WHOLE)
        self.assertEqual(self.worker.failures, 0)

    def test_its_time_is_over(self) -> None:
        connection = self.send()
        self.clock.advance(7.5)
        self.assertFalse(self.worker.is_late(self.clock.seconds()))
        self.clock.advance(0.5)
        self.assertTrue(self.worker.is_late(self.clock.seconds()))
        self.worker.time_out()
        self.assertIsInstance(self.ended[0], DeadlinePassed)
        self.assertEqual((self.worker.failures, self.worker.is_busy), (1, False))
        self.assertEqual(connection.state, "aborting")
        self.assertFalse(self.worker.is_late(self.clock.seconds()))
        connection.finish()
        self.assertEqual(len(self.ended), 1)

    def test_one_with_a_time_of_its_own(self) -> None:
        in_haste = prepared("http://10.0.0.1/", max_time=2)
        for request, seconds in ((HERE, 9), (in_haste, 2), (HERE, 9)):
            connection = self.send(request)
            now = self.worker.sent_at
            self.assertFalse(self.worker.is_late(now + seconds - 0.1))
            self.assertTrue(self.worker.is_late(now + seconds))
            connection.answer(WHOLE)
        self.send(in_haste)
        self.worker.time_out()
        self.assertEqual(str(self.ended[-1]), "no answer within 2 s")

    def test_closed_once_all_are_gone(self) -> None:
        for request in (HERE, THERE):
            self.send(request).answer(WHOLE)
        closed = self.worker.close()
        self.opened[0].finish()
        self.assertNoResult(closed)
        self.opened[1].finish()
        self.successResultOf(closed)
        self.successResultOf(self.worker.close())
