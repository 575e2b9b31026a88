"""What is ours in the eager asyncio reactor; the rest is Twisted's to test."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import threading
from typing import Any
from unittest.mock import patch

from twisted.internet import tcp
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor import EagerAsyncioReactor
from nbtwisted.reactor.eager_asyncio import LOOP, new_loop
from tests import warm_start
from tests.reactor import test_eager
from tests.reactor.connected import ReactorTestCase


class SendingTests(ReactorTestCase):
    make_reactor = EagerAsyncioReactor

    def test_in_the_same_turn_and_not_inside_write(self) -> None:
        client, served = self.connect()
        served.transport.write(b"hello")
        self.assertNothingArrived(client)
        self.assertEqual(self.reactor.getWriters(), [served.transport])
        self.turns()
        self.assertEqual(client.recv(100), b"hello")
        # The loop was not asked, and is not.
        self.assertEqual(self.reactor._writers, {})
        self.assertEqual(self.reactor.getWriters(), [])

    def test_one_turn_for_all_who_have_written(self) -> None:
        pairs = [self.connect() for _ in range(3)]
        given: list[int] = []
        send_all = self.reactor._send_all

        def send_all_once_more() -> Any:
            given.append(1)
            return send_all()

        self.reactor._send_all = send_all_once_more

        def answer() -> None:
            for _, served in pairs:
                served.transport.write(b"answer")

        pairs[0][1].on_data = answer
        pairs[0][0].send(b"question")
        self.until(lambda: pairs[0][1].received)
        self.turns(2)
        self.assertEqual(given, [1])
        for client, _ in pairs:
            self.assertEqual(client.recv(100), b"answer")

    def test_no_more_in_a_turn_than_its_share(self) -> None:
        client, served = self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        served.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
        share = tcp.Connection.SEND_LIMIT
        served.transport.write(b"x" * (share + 10))
        self.turns()
        self.assertEqual(served.transport.offset, share)
        self.assertEqual(self.reactor.getWriters(), [served.transport])
        self.turns()
        self.assertEqual(self.reactor.getWriters(), [])

    def test_a_loop_that_takes_no_more_of_a_broken_connection(self) -> None:
        client, served = self.connect()

        def refuse(*_: object) -> None:
            # As uvloop does where it has seen an error of the socket before us.
            raise RuntimeError("the handler is closed")

        reset = struct.pack("ii", 1, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        client.close()
        self.reactor._asyncioEventloop.remove_reader(served.transport.fileno())
        served.transport.write(b"too late")
        with patch.object(self.reactor._asyncioEventloop, "add_writer", refuse):
            self.turns()
        self.assertIsNotNone(served.lost)
        self.assertTrue(served.lost.check(ConnectionLost))

    def test_a_coroutine_that_writes(self) -> None:
        client, served = self.connect()

        async def write() -> None:
            for number in range(3):
                served.transport.write(b"%d" % number)
                await asyncio.sleep(0)
            served.transport.loseConnection()

        loop = self.reactor._asyncioEventloop
        task = loop.create_task(write())
        self.until(lambda: task.done() and served.lost)
        self.assertEqual(client.recv(100), b"012")
        self.assertEqual(client.recv(100), b"")

    def test_a_turn_that_comes_before_the_caller_is_done(self) -> None:
        """`loseConnection` asks for a turn, and says only then what for."""
        client, served = self.connect()
        loop = self.reactor._asyncioEventloop
        wake = loop.call_soon_threadsafe
        is_waking, may_go_on = threading.Event(), threading.Event()
        self.addCleanup(may_go_on.set)

        def wake_and_be_overtaken(*args: Any) -> None:
            wake(*args)
            is_waking.set()
            may_go_on.wait(30)

        thread = threading.Thread(target=served.transport.loseConnection)
        with patch.object(loop, "call_soon_threadsafe", wake_and_be_overtaken):
            thread.start()
            is_waking.wait(30)
            # The connection has its turn, with nothing to do; and the loop may not
            # sleep until the thread has said what is to be done.
            for _ in range(3):
                self.turns()
                self.assertTrue(self.reactor._turns_are_due)
            may_go_on.set()
            thread.join()
        self.turns(2)
        self.assertIsNotNone(served.lost)
        self.assertEqual(client.recv(1), b"")
        self.turns(2)
        self.assertFalse(self.reactor._turns_are_due)


class EitherTests(test_eager.EitherTests):
    make_reactor = EagerAsyncioReactor


class LogTests(test_eager.LogTests):
    make_reactor = EagerAsyncioReactor


class ProcessTests(SynchronousTestCase):
    def test_an_end_is_seen_on_a_loop_that_takes_all_signals_as_uvloop_does(
        self,
    ) -> None:
        ran = warm_start.run([sys.executable, "-c", TAKES_SIGNALS], timeout=60)
        self.assertEqual((ran.returncode, ran.stdout), (0, "over\n"), ran.stderr)


# The child closes its pipes first: it is seen by its signal alone.
TAKES_SIGNALS = """
import asyncio, signal
from nbtwisted.reactor import eager_asyncio

class Loop(asyncio.SelectorEventLoop):
    def run_forever(self):
        signal.set_wakeup_fd(self._csock.fileno())
        super().run_forever()

eager_asyncio.install(Loop())
from twisted.internet import reactor, utils
reactor.callLater(20, reactor.stop)
ended = utils.getProcessOutput("/bin/sh", ["-c", "exec <&- >&- 2>&-; sleep 0.1"])
ended.addCallback(lambda output: (print("over"), reactor.stop()))
reactor.run()
"""


class LoopTests(SynchronousTestCase):
    def new_loop(self, *otherwise: str, named: str | None = None) -> Any:
        with patch.dict(os.environ, {LOOP: named} if named else {}):
            loop = new_loop(*otherwise)
        if loop is not None:
            loop.close()
        asyncio.set_event_loop(None)
        return loop

    def test_names(self) -> None:
        self.assertIsInstance(self.new_loop("asyncio"), asyncio.SelectorEventLoop)
        self.assertIsInstance(
            self.new_loop("uvloop", named="asyncio"), asyncio.SelectorEventLoop
        )
        with self.assertRaises(ValueError) as caught:
            self.new_loop(named="libev")
        self.assertEqual(
            str(caught.exception), "NBTWISTED_LOOP='libev': expected asyncio or uvloop"
        )

    def test_uvloop_where_it_is_installed(self) -> None:
        class Module:
            """As if it were there."""

            new_event_loop = staticmethod(lambda: made)

        made: Any = asyncio.new_event_loop()
        with patch.dict("sys.modules", {"uvloop": Module}):
            self.assertIs(self.new_loop(), made)
            self.assertIs(self.new_loop(named="uvloop"), made)
        with patch.dict("sys.modules", {"uvloop": None}):
            self.assertIsInstance(self.new_loop(), asyncio.SelectorEventLoop)
            with self.assertRaises(ImportError) as caught:
                self.new_loop(named="uvloop")
        self.assertIn("uvloop is not installed", str(caught.exception))

    def test_the_one_that_runs(self) -> None:
        async def ask() -> object:
            return new_loop()

        loop = asyncio.new_event_loop()
        self.assertIsNone(loop.run_until_complete(ask()))
        loop.close()
