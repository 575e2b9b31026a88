"""One worker of a run, on connections in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from nbtwisted.client.connection.protocol import Connection as OurConnection
from nbtwisted.client.connection.reader import Limits, ResponseReader
from nbtwisted.client.errors import (
    ConnectFailed,
    DeadlinePassed,
    EmptyResponse,
    RequestError,
)
from nbtwisted.client.target import Target
from nbtwisted.client.writing import write_message
from nbtwisted.load.worker import Worker
from tests.client.in_memory import Connection
from tests.guard import ClockCase

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
WHOLE = HEAD + b"hello"
HERE, THERE = (Target.parse(f"http://10.0.0.{number}/") for number in (1, 2))
REQUESTS = {
    target.origin: write_message(target, keep_alive=True) for target in (HERE, THERE)
}


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
            timeout=9,
        )

    # What the worker needs of its run.

    def new(self, target: Target, worker: Worker) -> OurConnection:
        reader = ResponseReader(Limits(), keeps_body=False)
        ours: Any = OurConnection
        made: OurConnection = ours(
            self.clock, worker, worker, reader, None, keeps_alive=True
        )
        return made

    def open(self, connection: OurConnection, target: Target) -> None:
        if self.refuses:
            connection.could_not_open(ConnectFailed("refused"))
            return
        # It takes a second.
        self.clock.advance(1)
        self.opened.append(Connection(connection, len(self.opened)))
        connection.makeConnection(self.opened[-1])

    def send(self, target: Target = HERE) -> Connection:
        """Make a request; returns the connection that it was sent over."""
        now = self.clock.seconds()
        self.worker.send(target, REQUESTS[target.origin], now, now)
        (taken,) = (each for each in self.opened if each.has_something_to_send)
        self.assertEqual(taken.take_request(), REQUESTS[target.origin].head)
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
        for target in (HERE, THERE, HERE, HERE, THERE):
            self.send(target).answer(WHOLE)
        self.assertEqual(self.ended, [None] * 5)
        self.assertEqual(len(self.opened), 2)

    def test_one_that_ends_is_not_used_again(self) -> None:
        for target in (THERE, HERE):
            connection = self.send(target)
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
            self.worker.send(HERE, REQUESTS[HERE.origin], 0, 0)
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

    def test_closed_once_all_are_gone(self) -> None:
        for target in (HERE, THERE):
            self.send(target).answer(WHOLE)
        closed = self.worker.close()
        self.opened[0].finish()
        self.assertNoResult(closed)
        self.opened[1].finish()
        self.successResultOf(closed)
        self.successResultOf(self.worker.close())
