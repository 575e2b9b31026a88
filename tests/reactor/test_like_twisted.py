"""The same on our reactors as on Twisted's: how sending fails, and who sends.

Each scenario is run on all three of a kind, on a connection of its own. What the client
got, what the protocol was told and what was logged must be the same.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import tempfile
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from twisted.internet import abstract, error, main, tcp, unix
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPullProducer,
    IPushProducer,
)
from twisted.python import context, log
from zope.interface import implementer

from nbtwisted.reactor import EagerAsyncioReactor, EagerEPollReactor
from nbtwisted.reactor.traced import TracedReactor
from nbtwisted.reactor.traced_asyncio import TracedAsyncioReactor
from nbtwisted.reactor.tracing.traced_reactor import Settings
from tests.reactor.connected import ReactorTestCase, Served, one_turn, twisteds_asyncio
from tests.undelivered import undelivered

BIG = b"x" * 5_000_000


class Run:
    """One scenario on one reactor."""

    def __init__(self, test: LikeTwistedTests, client: socket.socket, served: Served):
        self.test = test
        self.client = client
        self.served = served
        self.transport = served.transport
        self.reactor = test.reactor
        self.notes: list[Any] = []

    def note(self, *what: Any) -> None:
        """Keep something to compare."""
        self.notes.append(what)


Scenario = Callable[[Run], object]


@implementer(IPushProducer, IPullProducer)
class Producer:
    """Does one thing of a list each time that it is asked for more."""

    def __init__(self, run: Run, *steps: Callable[[], object]) -> None:
        self.run = run
        self.steps = list(steps)

    def resumeProducing(self) -> None:
        self.run.note("resume")
        if self.steps:
            self.steps.pop(0)()
        else:
            self.run.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self.run.note("pause")

    def stopProducing(self) -> None:
        self.run.note("stop")


class Socket:
    """A connection's socket, of which something can be replaced."""

    def __init__(self, plain: socket.socket, **replaced: Any) -> None:
        self._plain = plain
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


def fails(raised: BaseException) -> Callable[..., Any]:
    """A function that raises this."""

    def fail(*_: object) -> Any:
        raise raised

    return fail


def is_in_transit(transport: Any) -> bool:
    """Whether the kernel has yet to bring what was sent, or the end, to the client."""
    connection = getattr(transport, "socket", None)
    return connection is None or undelivered(connection) > 0


class LikeTwistedTests(ReactorTestCase):
    """By TCP."""

    unix = False
    kinds: tuple[Any, Any, Any] = (EPollReactor, EagerEPollReactor, TracedReactor)
    """Twisted's, and two of ours."""

    says_whose = True
    """Whether Twisted's log of an error says whose event it was."""

    def compare(self, scenario: Scenario, serve: type[Served] = Served) -> list[Any]:
        """Run it on each reactor; returns what came of it, which must be the same."""
        twisteds, eager, traces = self.kinds
        on_twisteds = self.run_scenario(twisteds(), scenario, serve)
        on_eager = self.run_scenario(eager(), scenario, serve)
        self.assertEqual(on_eager, on_twisteds)
        traced = traces(settings=Settings(report=lambda _: None))
        self.addCleanup(traced.finish)
        self.assertEqual(self.run_scenario(traced, scenario, serve), on_twisteds)
        return on_twisteds

    def run_scenario(
        self, reactor: Any, scenario: Scenario, serve: type[Served]
    ) -> list[Any]:
        self.run_on(reactor)
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket" if self.unix else None
            client, served = self.connect(path, serve)
            run = Run(self, client, served)
            logged: list[Any] = []

            def observe(event: dict[str, Any]) -> None:
                if event.get("isError"):
                    failure = event["failure"]
                    # The path has a name at random in it.
                    system = event["system"].replace(str(path), "path")
                    system = system if self.says_whose else "-"
                    logged.append((failure.type, str(failure.value), system))

            log.addObserver(observe)
            try:
                scenario(run)
                got = self.settle(client, run.transport)
            finally:
                log.removeObserver(observe)
                self.flushLoggedErrors()
        lost = served.lost and (served.lost.type, str(served.lost.value))
        writers = reactor.getWriters()
        return [got, served.received, lost, logged, run.notes, len(writers)]

    def settle(self, client: socket.socket, transport: Any) -> tuple[int, bytes, str]:
        """Let all happen that is under way; how much the client got, and its end."""
        got = bytearray()
        end = "open" if client.fileno() >= 0 else "reset"
        quiet = 0
        while quiet < 20:
            # The kernel may take a moment, which is waited for when it was quiet.
            one_turn(self.reactor, 0 if quiet < 10 else 0.001)
            quiet += 1
            if end != "open":
                continue
            try:
                data = client.recv(2**20)
            except BlockingIOError:
                if is_in_transit(transport):
                    quiet = 0
                continue
            except ConnectionResetError:
                end = "reset"
                continue
            quiet = 0
            got += data
            if not data:
                end = "closed"
        return len(got), bytes(got[-20:]), end

    # A producer that raises.

    def test_a_push_producer_raises(self) -> None:
        def scenario(run: Run) -> None:
            producer = Producer(run, fails(ValueError("broken")))
            run.transport.registerProducer(producer, True)
            run.transport.write(BIG)

        ended = self.compare(scenario)
        self.assertEqual(ended[0][2], "closed")
        self.assertEqual(ended[2], (ValueError, "broken"))

    def test_a_pull_producer_raises(self) -> None:
        def scenario(run: Run) -> None:
            producer = Producer(
                run,
                lambda: run.transport.write(b"first"),
                lambda: run.transport.write(b"second"),
                fails(ValueError("broken")),
            )
            run.transport.registerProducer(producer, False)

        ended = self.compare(scenario)
        self.assertEqual(ended[2], (ValueError, "broken"))
        self.assertEqual(ended[4], [("resume",)] * 3 + [("stop",)])

    def test_a_producer_exits(self) -> None:
        def scenario(run: Run) -> None:
            producer = Producer(run, lambda: run.transport.write(b"1"), fails(exiting))
            run.transport.registerProducer(producer, False)

        for exiting in (SystemExit(3), KeyboardInterrupt("x"), GeneratorExit()):
            self.assertEqual(self.compare(scenario)[2][0], type(exiting))

    def test_a_producer_raises_and_the_other_end_has_spoken(self) -> None:
        def scenario(run: Run) -> None:
            producer = Producer(
                run, lambda: run.transport.write(b"1"), fails(ValueError("broken"))
            )
            run.transport.registerProducer(producer, False)
            run.client.send(b"last words")

        self.assertEqual(self.compare(scenario)[1], b"last words")

    def test_a_producer_raises_when_it_is_told_to_stop(self) -> None:
        def scenario(run: Run) -> None:
            def stop() -> None:
                del producer.stopProducing
                raise KeyError("stop")

            producer = Producer(run, fails(ValueError("broken")))
            producer.stopProducing = stop  # type: ignore[method-assign]
            run.transport.registerProducer(producer, True)
            run.transport.write(BIG)

        self.compare(scenario)

    def test_a_protocol_raises_when_its_connection_is_lost(self) -> None:
        class Fails(Served):
            def connectionLost(self, reason: Any = None) -> None:
                super().connectionLost(reason)
                raise ValueError("broken")

        def scenario(run: Run) -> None:
            run.transport.write(b"bye")
            run.transport.loseConnection()

        self.assertEqual(len(self.compare(scenario, Fails)[3]), 1)

    def test_a_protocol_raises_when_it_is_half_closed(self) -> None:
        @implementer(IHalfCloseableProtocol)
        class Fails(Served):
            def writeConnectionLost(self) -> None:
                raise ValueError("broken")

            def readConnectionLost(self) -> None:
                pass

        def scenario(run: Run) -> None:
            run.transport.write(b"bye")
            run.transport.loseWriteConnection()

        self.assertEqual(self.compare(scenario, Fails)[2], (ValueError, "broken"))

    # A send that fails.

    def test_a_send_raises_what_is_no_oserror(self) -> None:
        for raised in (
            ValueError("broken"),
            MemoryError("full"),
            TypeError("odd"),
            KeyboardInterrupt("x"),
        ):

            def scenario(run: Run, raised: BaseException = raised) -> None:
                run.transport.socket = Socket(run.transport.socket, send=fails(raised))
                run.transport.write(b"hello")

            self.assertEqual(self.compare(scenario)[2][0], type(raised))

    def test_a_send_raises_what_is_no_oserror_once(self) -> None:
        def scenario(run: Run) -> None:
            plain = run.transport.socket

            def send(data: bytes) -> int:
                run.transport.socket = plain
                raise ValueError("once")

            run.transport.socket = Socket(plain, send=send)
            run.transport.write(b"hello")

        self.assertEqual(self.compare(scenario)[2], (ValueError, "once"))

    def test_a_send_fails_after_the_other_end_has_spoken(self) -> None:
        def scenario(run: Run) -> None:
            send = fails(ValueError("broken"))
            run.transport.socket = Socket(run.transport.socket, send=send)
            run.client.send(b"last words")
            run.transport.write(b"hello")

        self.assertEqual(self.compare(scenario)[1], b"last words")

    def test_a_send_fails(self) -> None:
        for number in (errno.EPIPE, errno.ECONNRESET, errno.EBADF, errno.EIO):

            def scenario(run: Run, number: int = number) -> None:
                send = fails(OSError(number, os.strerror(number)))
                run.transport.socket = Socket(run.transport.socket, send=send)
                run.transport.write(b"hello")

            self.assertEqual(self.compare(scenario)[2][0], error.ConnectionLost)

    def test_a_send_fails_because_the_other_end_has_reset(self) -> None:
        def scenario(run: Run) -> None:
            linger = struct.pack("ii", 1, 0)
            run.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            run.client.close()
            # Who reads after this send is told of an orderly end.
            run.transport.write(b"hello")

        ended = self.compare(scenario)
        # There is no reset over UNIX sockets.
        expected = error.ConnectionDone if self.unix else error.ConnectionLost
        self.assertEqual(ended[2][0], expected)

    def test_a_send_fails_and_the_connection_is_aborted(self) -> None:
        def scenario(run: Run) -> None:
            send = fails(ValueError("broken"))
            run.transport.socket = Socket(run.transport.socket, send=send)
            run.transport.write(b"hello")
            run.transport.abortConnection()

        self.assertEqual(self.compare(scenario)[2][0], error.ConnectionAborted)

    def test_there_is_no_room_for_a_while(self) -> None:
        def scenario(run: Run) -> None:
            plain = run.transport.socket
            times = 3

            def send(data: bytes) -> int:
                nonlocal times
                times -= 1
                if times >= 0:
                    raise OSError(errno.ENOBUFS, "no room")
                sent: int = plain.send(data[:2])
                return sent

            run.transport.socket = Socket(plain, send=send)
            run.transport.write(b"hello")
            run.transport.loseConnection()

        self.assertEqual(self.compare(scenario)[0], (5, b"hello", "closed"))

    # What is written.

    def test_what_cannot_be_joined(self) -> None:
        def scenario(run: Run) -> None:
            run.transport._tempDataBuffer.append(1)
            run.transport.startWriting()

        self.assertEqual(self.compare(scenario)[2][0], TypeError)

    # Who sends.

    def test_an_instance_has_its_own_write_some_data(self) -> None:
        def scenario(run: Run) -> None:
            plain = run.transport.writeSomeData
            total = [0]

            def progress(data: Any) -> Any:
                sent = plain(data)
                total[0] += sent
                return sent

            run.transport.writeSomeData = progress
            run.transport.write(BIG)
            run.transport.write(b"end")
            run.transport.loseConnection()
            run.note(total)

        self.assertEqual(self.compare(scenario)[4], [([len(BIG) + 3],)])

    def test_its_own_write_some_data_fails(self) -> None:
        outcomes: list[Callable[..., Any]] = [
            lambda data: main.CONNECTION_LOST,
            lambda data: ValueError("returned"),
            lambda data: main.CONNECTION_DONE,
            lambda data: -1,
            fails(ValueError("raised")),
        ]
        for outcome in outcomes:

            def scenario(run: Run, outcome: Any = outcome) -> None:
                run.transport.writeSomeData = outcome
                run.client.send(b"last words")
                run.transport.write(b"hello")

            self.assertIsNotNone(self.compare(scenario)[2])

    def test_an_instance_has_its_own_do_write(self) -> None:
        def scenario(run: Run) -> None:
            plain = run.transport.doWrite

            def do_write() -> Any:
                run.note("doWrite", len(run.transport._tempDataBuffer))
                return plain()

            run.transport.doWrite = do_write
            run.transport.write(b"hello")
            run.transport.loseConnection()

        ended = self.compare(scenario)
        self.assertEqual(ended[0], (5, b"hello", "closed"))
        self.assertEqual(ended[4], [("doWrite", 1)])

    def test_its_own_do_write_keeps_a_buffer(self) -> None:
        def scenario(run: Run) -> None:
            pieces = [b"a", b"b", b"c"]

            def do_write() -> None:
                run.transport.socket.send(pieces.pop(0))
                if not pieces:
                    run.transport.stopWriting()

            run.transport.doWrite = do_write
            run.transport.startWriting()

        self.assertEqual(self.compare(scenario)[0], (3, b"abc", "open"))

    def test_its_own_do_write_fails(self) -> None:
        outcomes: list[Callable[..., Any]] = [
            lambda: main.CONNECTION_LOST,
            lambda: main.CONNECTION_DONE,
            lambda: ValueError("returned"),
            fails(ValueError("raised")),
        ]
        for outcome in outcomes:

            def scenario(run: Run, outcome: Any = outcome) -> None:
                run.transport.doWrite = outcome
                run.transport.write(b"hello")

            self.assertIsNotNone(self.compare(scenario)[2])

    def test_a_class_is_patched(self) -> None:
        for kind, name in (
            (abstract.FileDescriptor, "doWrite"),
            (tcp.Connection, "writeSomeData"),
            (tcp.Server, "doWrite"),
            (tcp.Server, "writeSomeData"),
            (unix.Server, "doWrite"),
            (unix.Server, "writeSomeData"),
        ):

            def scenario(run: Run, kind: type = kind, name: str = name) -> None:
                plain = getattr(kind, name)

                def patched(transport: Any, *data: Any) -> Any:
                    if transport is run.transport:
                        run.note(name)
                    return plain(transport, *data)

                # What has been seen of the class before must not be remembered.
                run.transport.write(b"hello ")
                run.test.until(lambda: not run.reactor.getWriters())
                with patch.object(kind, name, patched):
                    run.transport.write(b"world")
                    run.transport.loseConnection()
                    run.test.until(lambda: run.served.lost)

            ended = self.compare(scenario)
            is_ours = self.unix or kind is not unix.Server
            self.assertEqual(ended[4], [(name,)] * is_ours)
            self.assertEqual(ended[0], (11, b"hello world", "closed"))

    def test_a_class_of_its_own(self) -> None:
        class Slow(unix.Server if self.unix else tcp.Server):  # type: ignore[misc]
            def writeSomeData(self, data: Any) -> Any:
                return super().writeSomeData(data[:2])

            def logPrefix(self) -> str:
                return "slow"

        def scenario(run: Run) -> None:
            run.transport.__class__ = Slow
            producer = Producer(run, fails(ValueError("broken")))
            run.transport.registerProducer(producer, True)
            run.transport.write(b"y" * (run.transport.bufferSize + 1))

        ended = self.compare(scenario)
        self.assertEqual(ended[3], [(ValueError, "broken", "slow")])

    # Which log lines say whose they are.

    def test_the_system_of_log_lines(self) -> None:
        def scenario(run: Run) -> None:
            def system() -> None:
                run.note(context.get(log.ILogContext)["system"].partition(",")[0])

            run.transport.registerProducer(Producer(run, system, system), False)
            run.served.on_data = system
            self.turns(3)
            run.client.send(b"x")

        self.compare(scenario)

    def test_a_log_prefix_that_raises(self) -> None:
        def scenario(run: Run) -> None:
            run.transport.logPrefix = fails(ValueError("prefix"))
            run.client.send(b"x")
            self.turns(2)
            run.transport.write(b"y")
            run.transport.loseConnection()

        ended = self.compare(scenario)
        self.assertEqual((ended[0], ended[1]), ((1, b"y", "closed"), b"x"))

    # Producers that do as they should.

    def test_a_pull_producer_is_asked_as_often(self) -> None:
        def scenario(run: Run) -> None:
            pieces = [b"a", b"b" * 300_000, b"c"]
            steps = [lambda piece=piece: run.transport.write(piece) for piece in pieces]
            run.transport.registerProducer(Producer(run, *steps), False)

        ended = self.compare(scenario)
        self.assertEqual(ended[0][0], 300_002)
        self.assertEqual(ended[4], [("resume",)] * 4)

    def test_a_push_producer_is_asked_as_often(self) -> None:
        def scenario(run: Run) -> None:
            step = run.transport.bufferSize + 1

            def write() -> None:
                run.transport.write(b"x" * step)

            run.transport.registerProducer(Producer(run, write, write), True)
            write()
            run.transport.loseConnection()

        ended = self.compare(scenario)
        self.assertEqual(
            ended[4], [("pause",), ("resume",)] * 2 + [("pause",), ("resume",)]
        )


class LikeTwistedsAsyncioTests(LikeTwistedTests):
    """On asyncio's loop."""

    kinds: tuple[Any, Any, Any] = (
        twisteds_asyncio,
        EagerAsyncioReactor,
        TracedAsyncioReactor,
    )
    says_whose = False

    def test_a_class_of_its_own(self) -> None:
        ours = self.kinds[1:]
        self.kinds, self.says_whose = (ours[0], *ours), True
        super().test_a_class_of_its_own()

    def test_a_producer_exits(self) -> None:
        self._like_epoll()
        super().test_a_producer_exits()

    def test_a_send_raises_what_is_no_oserror(self) -> None:
        self._like_epoll()
        super().test_a_send_raises_what_is_no_oserror()

    def _like_epoll(self) -> None:
        """Where Twisted's asyncio reactor leaves a connection as it is."""
        self.kinds = (EPollReactor, *self.kinds[1:])


class LikeTwistedOverUnixTests(LikeTwistedTests):
    """By UNIX sockets, which may send descriptors besides."""

    unix = True

    def test_descriptors_are_sent(self) -> None:
        def scenario(run: Run) -> None:
            with tempfile.TemporaryFile() as file:
                for _ in range(3):
                    run.transport.sendFileDescriptor(file.fileno())
                run.transport.write(b"hello")
                run.test.turns(3)
            data, descriptors, _, _ = socket.recv_fds(run.client, 100, 10)
            # The kernel gives them one at a time.
            run.note(data, len(descriptors))
            for each in descriptors:
                os.close(each)

        self.compare(scenario)

    def test_more_descriptors_than_bytes(self) -> None:
        def scenario(run: Run) -> None:
            run.transport.sendFileDescriptor(0)
            run.transport.sendFileDescriptor(0)
            run.transport.write(b"x")

        self.assertEqual(self.compare(scenario)[2][0], error.FileDescriptorOverrun)

    def test_a_pull_producer_is_registered_once(self) -> None:
        def scenario(run: Run) -> None:
            pieces = [b"a", b"b", b"c"]
            steps = [lambda piece=piece: run.transport.write(piece) for piece in pieces]
            run.transport.registerProducer(Producer(run, *steps), False)
            for _ in range(6):
                self.turns()
                # The socket has room: epoll is asked about nothing.
                run.note(set(run.reactor._writes))

        ended = self.run_scenario(EagerEPollReactor(), scenario, Served)
        self.assertEqual(ended[0], (3, b"abc", "open"))
        asked = [note for note in ended[4] if note != ("resume",)]
        self.assertEqual(asked, [(set(),)] * 6)
