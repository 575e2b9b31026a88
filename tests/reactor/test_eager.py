"""What is ours in the eager reactor; the rest is Twisted's to test (conformance.py)."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
from typing import Any

from twisted.internet import tcp
from twisted.internet.base import DelayedCall
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer
from twisted.python import log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.reactor.connected import ReactorTestCase


class SendingTests(ReactorTestCase):
    def test_in_the_same_turn_and_not_inside_write(self) -> None:
        client, served = self.connect()
        served.transport.write(b"hello")
        self.assertNothingArrived(client)
        self.assertEqual(self.reactor.getWriters(), [served.transport])
        # Epoll was not asked, and is not.
        self.assertEqual(self.reactor._writes, set())
        self.turns()
        self.assertEqual(client.recv(100), b"hello")
        self.assertEqual(self.reactor.getWriters(), [])
        self.assertEqual(self.reactor._writes, set())

    def test_an_answer_goes_before_the_next_poll(self) -> None:
        client, served = self.connect()
        served.on_data = lambda: served.transport.write(b"answer")
        client.send(b"question")
        self.until(lambda: served.received)
        self.assertNothingArrived(client)
        # A poll that waits for ever would, if it came before.
        self.reactor.iterate(0)
        self.assertEqual(client.recv(100), b"answer")

    def test_what_the_socket_does_not_take(self) -> None:
        client, served = self.connect()
        other, quick = self.connect()
        data = random.Random(1).randbytes(20_000_000)
        served.transport.write(data)
        self.until(lambda: self.reactor._writes)
        # Now epoll was asked, and the others go on meanwhile.
        self.assertEqual(self.reactor.getWriters(), [served.transport])
        quick.transport.write(b"quick")
        self.turns()
        self.assertEqual(other.recv(100), b"quick")
        received = bytearray()
        while len(received) < len(data):
            self.turns()
            try:
                received += client.recv(2**20)
            except BlockingIOError:
                continue
        self.assertEqual(received, data)
        self.turns(2)
        self.assertEqual(self.reactor.getWriters(), [])

    def test_no_more_in_a_turn_than_its_share(self) -> None:
        client, served = self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        served.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
        share = tcp.Connection.SEND_LIMIT
        served.transport.write(b"x" * (share + 10))
        # The poll does not wait, though epoll knows of nothing to wait for.
        self.reactor.doIteration(None)
        self.assertEqual(served.transport.offset, share)
        self.assertEqual(self.reactor.getWriters(), [served.transport])
        self.turns()
        self.assertEqual(self.reactor.getWriters(), [])

    def test_to_send_takes_no_time_from_timers(self) -> None:
        _, served = self.connect()
        now = 1000.0
        self.patch(self.reactor, "seconds", lambda: now)
        waited: list[float | None] = []

        class Poller:
            def poll(self, timeout: float, number: int) -> list[Any]:
                waited.append(timeout)
                return []

        class Slow(socket.socket):
            def send(self, *_: Any) -> int:
                nonlocal now
                now += 3.0
                return 1

        late = self.reactor.callLater(5, lambda: None)
        served.transport.write(b"x")
        poller, self.reactor._poller = self.reactor._poller, Poller()
        plain, served.transport.socket = served.transport.socket, Slow()
        self.reactor.doIteration(self.reactor.timeout())
        served.transport.socket.close()
        self.reactor._poller, served.transport.socket = poller, plain
        late.cancel()
        self.assertEqual(waited, [2.0])

    def test_what_is_left_is_not_copied_again(self) -> None:
        client, served = self.connect()
        served.transport.write(b"x" * 20_000_000)
        self.until(lambda: self.reactor._writes)
        before = served.transport.dataBuffer
        served.transport.write(b"more")
        while served.transport.offset == 0 or not served.transport._tempDataBuffer:
            self.turns()
        for _ in range(20):
            with contextlib.suppress(BlockingIOError):
                client.recv(2**20)
            self.turns()
        self.assertIs(served.transport.dataBuffer, before)
        served.transport.abortConnection()
        self.turns(2)

    def test_a_producer_that_is_asked_may_stop_the_reactor(self) -> None:
        _, served = self.connect()
        reactor = self.reactor

        @implementer(IPullProducer)
        class Last:
            pieces = 3

            def resumeProducing(self) -> None:
                self.pieces -= 1
                if self.pieces:
                    served.transport.write(b"x")
                else:
                    reactor.stop()

            def stopProducing(self) -> None:
                pass

        reactor.callWhenRunning(
            lambda: served.transport.registerProducer(Last(), False)
        )
        # Nothing else will ever wake it.
        reactor.run(installSignalHandlers=False)


class EitherTests(ReactorTestCase):
    """What is the same on a loop of asyncio's."""

    def test_many_pieces_in_order(self) -> None:
        client, served = self.connect()
        chance = random.Random(2)
        sent = received = b""
        for _ in range(500):
            piece = chance.randbytes(chance.randrange(1, 20_000))
            sent += piece
            served.transport.write(piece)
            if chance.random() < 0.3:
                self.turns()
                try:
                    received += client.recv(chance.randrange(1, 100_000))
                except BlockingIOError:
                    continue
        served.transport.loseConnection()
        self.assertIsNone(served.lost)
        while served.lost is None or not received.endswith(sent[-100:]):
            self.turns()
            try:
                received += client.recv(2**20)
            except BlockingIOError:
                continue
        self.assertEqual(received, sent)

    def test_the_other_end_is_gone(self) -> None:
        client, served = self.connect()
        linger = b"\x01\0\0\0\0\0\0\0"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
        served.transport.write(b"x")
        self.until(lambda: served.lost)
        self.assertEqual(served.lost.type.__name__, "ConnectionLost")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_what_it_said_before_it_left_is_read_first(self) -> None:
        client, served = self.connect()
        # So that what is written is answered by a reset.
        client.send(b"last words")
        client.shutdown(socket.SHUT_RDWR)
        client.close()
        served.transport.socket.send(b"x")
        served.transport.write(b"x")
        self.until(lambda: served.lost)
        self.assertEqual(served.received, b"last words")

    def test_remove_all_knows_of_those_who_wait(self) -> None:
        _, served = self.connect()
        served.transport.pauseProducing()
        served.transport.write(b"x")
        self.assertIn(served.transport, self.reactor.removeAll())
        self.assertEqual(self.reactor.getWriters(), [])
        served.transport.connectionLost(Failure(ConnectionDone()))

    def test_aborted_before_its_turn(self) -> None:
        client, served = self.connect()
        served.transport.write(b"x")
        served.transport.abortConnection()
        self.turns(2)
        self.assertIsNotNone(served.lost)
        with self.assertRaises(ConnectionResetError):
            client.recv(1)

    def test_it_shows_who_has_asked_for_it(self) -> None:
        self.patch(DelayedCall, "debug", True)
        call = self.reactor.callLater(1, lambda: None)
        call.cancel()
        self.assertIn("test_it_shows_who_has_asked_for_it", call.creator[-1])


class LogTests(ReactorTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.systems: list[str] = []

        def observe(event: dict[str, Any]) -> None:
            if event.get("message") == ("here",):
                self.systems.append(event["system"])

        log.addObserver(observe)
        self.addCleanup(log.removeObserver, observe)

    def test_whose_event_it_is(self) -> None:
        client, served = self.connect()
        served.on_data = lambda: log.msg("here")
        client.send(b"x")
        self.until(lambda: self.systems)
        self.assertEqual(self.systems, [served.transport.logstr])
        # And nobody's, where it is nobody's.
        log.msg("here")
        self.reactor.callLater(0, log.msg, "here")
        self.turns(2)
        self.assertEqual(self.systems[1:], ["-", "-"])

    def test_within_another_context(self) -> None:
        client, served = self.connect()
        served.on_data = lambda: log.callWithContext(
            {"system": "inner", "more": 1}, log.msg, "here"
        )
        client.send(b"x")
        self.until(lambda: self.systems)
        self.assertEqual(self.systems, ["inner"])

    def test_an_error_in_a_protocol_ends_its_connection(self) -> None:
        client, served = self.connect()

        def fail() -> None:
            raise ZeroDivisionError

        served.on_data = fail
        client.send(b"x")
        self.until(lambda: served.lost)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(served.lost.type, ZeroDivisionError)


class InstallTests(SynchronousTestCase):
    def run_python(self, code: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return ran.stdout + ran.stderr

    def test_install(self) -> None:
        printed = self.run_python(
            "import nbtwisted.reactor as r; r.install()\n"
            "from twisted.internet import reactor; print(type(reactor).__name__)"
        )
        self.assertEqual(printed, "EagerEPollReactor\n")

    def test_where_there_is_one(self) -> None:
        printed = self.run_python(
            "from twisted.internet import reactor\n"
            "import nbtwisted.reactor as r; r.install()"
        )
        self.assertIn("ReactorAlreadyInstalledError", printed)

    def test_where_there_is_no_epoll(self) -> None:
        printed = self.run_python(
            "import select; del select.epoll\nfrom nbtwisted.reactor import install"
        )
        self.assertIn("ImportError: this platform has no epoll: expected", printed)

    def test_twisted_s_commands_know_it(self) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "twisted.trial", "--help-reactors"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        self.assertIn("eager", ran.stdout)
