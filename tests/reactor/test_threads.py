"""A write from another thread, or a signal handler, while the reactor polls.

Twisted forbids it and, on epoll, sends it at once: `addWriter` asks epoll, which ends
the poll. Many programs rely on that. Here each such use happens inside the poll itself,
so that a reactor that is not woken fails at once, and none depends on luck.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import trustme
from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.process import reapAllProcesses
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.internet.stdio import StandardIO
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python import context, log
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from nbtwisted.reactor import EagerAsyncioReactor
from nbtwisted.reactor.traced import TracedReactor
from nbtwisted.reactor.tracing.traced_reactor import Settings
from tests.reactor.connected import ReactorTestCase, Served, twisteds_asyncio


def in_a_thread(act: Callable[[], object]) -> None:
    """Do something in another thread, and wait until it is done."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


class Poller:
    """An epoll object in whose next poll something happens.

    `asked` is how long each poll would have waited, in seconds; -1 is for ever.
    """

    def __init__(self, poller: Any) -> None:
        self._poller = poller
        self.asked: list[float] = []
        self.meanwhile: Callable[[], object] | None = None
        self.unregister: Any = poller.unregister
        self.woken = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, timeout: float, most: int) -> Any:
        return self._wait(partial(self._poller.poll, maxevents=most), timeout)

    def select(self, timeout: float | None) -> Any:
        """Of a loop of asyncio's, which goes round once then."""
        is_asked = self.meanwhile is not None
        events = self._wait(self._poller.select, -1 if timeout is None else timeout)
        if is_asked:
            asyncio.get_running_loop().stop()
        return events

    def _wait(self, wait: Callable[[float], Any], timeout: float) -> Any:
        self.asked.append(timeout)
        act, self.meanwhile = self.meanwhile, None
        if act is None:
            return wait(None if timeout == -1 else timeout)  # type: ignore[arg-type]
        act()
        events = wait(0)
        self.woken = bool(events)
        return events


def put_between(reactor: Any) -> Poller:
    """Have a reactor poll by one of ours, which asks its own."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is not None:
        loop._selector = Poller(loop._selector)
        return cast(Poller, loop._selector)
    reactor._poller = Poller(reactor._poller)
    return cast(Poller, reactor._poller)


def wait_for_ever(reactor: Any) -> None:
    """Go round once, and wait for whatever comes."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is not None:
        loop.run_forever()
    else:
        reactor.doIteration(None)


@implementer(IPushProducer, IPullProducer)
class Produces:
    """Writes a piece each time that it is asked for one, and then ends."""

    def __init__(self, transport: Any, pieces: list[bytes]) -> None:
        self.transport = transport
        self.pieces = pieces

    def resumeProducing(self) -> None:
        if self.pieces:
            self.transport.write(self.pieces.pop(0))
        else:
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


def traced_reactor(test: ReactorTestCase) -> TracedReactor:
    """A traced reactor that says nothing."""
    reactor = TracedReactor(settings=Settings(report=lambda _: None))
    test.addCleanup(reactor.finish)
    return reactor


class WhilePolling(ReactorTestCase):
    """What happens in a poll, on the eager reactor."""

    is_twisteds = False

    def setUp(self) -> None:
        super().setUp()
        self.poller = put_between(self.reactor)

    def while_polling(self, act: Callable[[], object], thread: bool = True) -> None:
        """Let something happen while the reactor waits for ever."""
        self.poller.meanwhile = (lambda: in_a_thread(act)) if thread else act
        wait_for_ever(self.reactor)
        self.assertTrue(self.poller.woken, "the reactor sleeps on")

    def arrives(self, client: socket.socket, expected: bytes) -> None:
        got = b""

        def read() -> bool:
            nonlocal got
            with contextlib.suppress(BlockingIOError):
                got += client.recv(1000)
            return len(got) >= len(expected)

        self.until(read)
        self.assertEqual(got, expected)

    def assertEnds(self, client: socket.socket) -> None:
        def ended() -> bool:
            with contextlib.suppress(BlockingIOError):
                return client.recv(1) == b""
            return False

        self.until(ended)

    def test_write(self) -> None:
        client, served = self.connect()
        self.while_polling(lambda: served.transport.write(b"hello"))
        self.arrives(client, b"hello")

    def test_write_sequence(self) -> None:
        client, served = self.connect()
        self.while_polling(lambda: served.transport.writeSequence([b"hel", b"lo"]))
        self.arrives(client, b"hello")

    def test_write_again(self) -> None:
        client, served = self.connect()
        for number in range(5):
            self.while_polling(lambda: served.transport.write(b"x"))
            self.arrives(client, b"x" * 1)
            self.assertEqual(self.reactor.getWriters(), [], number)

    def test_write_in_a_signal_handler(self) -> None:
        client, served = self.connect()

        def handle(*_: object) -> None:
            served.transport.write(b"hello")

        before = signal.signal(signal.SIGUSR1, handle)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.while_polling(
            lambda: signal.raise_signal(signal.SIGUSR1),
            thread=False,
        )
        self.arrives(client, b"hello")

    def test_lose_connection(self) -> None:
        client, served = self.connect()
        self.while_polling(lambda: served.transport.loseConnection())
        self.until(lambda: served.lost)
        self.assertEnds(client)

    def test_write_and_lose_connection(self) -> None:
        client, served = self.connect()

        def act() -> None:
            served.transport.write(b"bye")
            served.transport.loseConnection()

        self.while_polling(act)
        self.until(lambda: served.lost)
        self.arrives(client, b"bye")

    def test_lose_write_connection(self) -> None:
        client, served = self.connect()
        self.while_polling(lambda: served.transport.loseWriteConnection())
        self.assertEnds(client)
        self.assertIsNone(served.lost)

    def test_pull_producer(self) -> None:
        client, served = self.connect()
        producer = Produces(served.transport, [b"a", b"b", b"c"])
        self.while_polling(lambda: served.transport.registerProducer(producer, False))
        self.arrives(client, b"abc")
        self.until(lambda: served.transport.producer is None)

    def test_push_producer_that_was_paused(self) -> None:
        client, served = self.connect()
        producer = Produces(served.transport, [b"more"])

        def act() -> None:
            served.transport.registerProducer(producer, True)
            served.transport.write(b"x" * (served.transport.bufferSize + 1))

        self.while_polling(act)
        self.arrives(client, b"x" * (served.transport.bufferSize + 1) + b"more")

    def test_unregister_producer_of_one_that_closes(self) -> None:
        client, served = self.connect()
        waits = Produces(served.transport, [])
        waits.resumeProducing = lambda: None  # type: ignore[method-assign]
        served.transport.registerProducer(waits, False)
        served.transport.loseConnection()
        self.turns(2)
        self.assertIsNone(served.lost)
        self.while_polling(lambda: served.transport.unregisterProducer())
        self.until(lambda: served.lost)
        self.assertEnds(client)

    def test_abort_connection(self) -> None:
        _, served = self.connect()
        if self.is_twisteds:
            # Twisted's sleeps on: the end is a timer.
            served.transport.abortConnection()
        else:
            self.while_polling(lambda: served.transport.abortConnection())
        self.until(lambda: served.lost)

    def test_start_reading(self) -> None:
        client, served = self.connect()
        served.transport.pauseProducing()
        client.send(b"hello")
        self.turns()
        self.while_polling(lambda: served.transport.resumeProducing())
        self.until(lambda: served.received == b"hello")

    def test_stop_reading(self) -> None:
        client, served = self.connect()

        def act() -> None:
            served.transport.pauseProducing()
            client.send(b"hello")
            self.reactor.wakeUp()

        self.while_polling(act)
        self.turns(2)
        self.assertEqual(served.received, b"")

    def test_call_from_thread(self) -> None:
        client, served = self.connect()
        self.while_polling(
            lambda: self.reactor.callFromThread(served.transport.write, b"hello")
        )
        self.arrives(client, b"hello")

    def test_a_client_that_has_left(self) -> None:
        client, served = self.connect()
        transport = served.transport
        client.close()
        self.until(lambda: served.lost)

        def act() -> None:
            transport.write(b"too late")
            # As in a thread that was past the first line of `write` when it was lost.
            transport.startWriting()
            transport.startReading()
            transport.loseConnection()
            self.reactor.wakeUp()

        if not self.is_twisteds:  # which raises in startWriting()
            self.while_polling(act)
            self.turns(2)
            self.assertEqual(self.reactor.getWriters(), [])

    def test_lost_before_its_turn(self) -> None:
        client, served = self.connect()
        transport = served.transport
        client.close()
        # Data and the end are there in the same poll in which the thread writes.
        self.while_polling(lambda: transport.write(b"too late"))
        self.until(lambda: served.lost)
        self.turns(2)
        self.assertEqual(self.reactor.getWriters(), [])

    def test_udp(self) -> None:
        from twisted.internet.protocol import DatagramProtocol

        sender = DatagramProtocol()
        port = self.reactor.listenUDP(0, sender, interface="127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.bind(("127.0.0.1", 0))
            end.settimeout(5)

            def act() -> None:
                port.write(b"hello", end.getsockname())
                self.reactor.wakeUp()

            self.while_polling(act)
            self.assertEqual(end.recv(100), b"hello")
        port.stopListening()
        self.turns(2)

    def test_unix(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            served = Served()
            factory = Factory.forProtocol(lambda: served)
            factory.noisy = False
            port = self.reactor.listenUNIX(f"{folder}/s", factory)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"{folder}/s")
                client.setblocking(False)
                self.until(lambda: served.transport)
                self.while_polling(lambda: served.transport.write(b"hello"))
                self.arrives(client, b"hello")
                producer = Produces(served.transport, [b"a", b"b"])
                self.while_polling(
                    lambda: served.transport.registerProducer(producer, False)
                )
                self.arrives(client, b"ab")
            port.stopListening()
            self.until(lambda: served.lost)

    def test_pipes(self) -> None:
        class Speaks(Protocol):
            transport: Any

        speaks = Speaks()
        ours, theirs = os.pipe()
        in_read, in_write = os.pipe()
        cast(Any, StandardIO)(speaks, in_read, theirs, self.reactor)
        self.while_polling(lambda: speaks.transport.write(b"hello"))
        self.turns()
        self.assertEqual(os.read(ours, 100), b"hello")
        self.while_polling(lambda: speaks.transport.loseConnection())
        self.turns(2)
        for each in (ours, in_write):
            os.close(each)

    def test_stdin_of_a_process(self) -> None:
        ended: list[bytes] = []

        class Cat(ProcessProtocol):
            got = b""

            def outReceived(self, data: bytes) -> None:
                self.got += data

            def processEnded(self, reason: Any) -> None:
                ended.append(self.got)

        cat = Cat()
        process = self.reactor.spawnProcess(cat, "/bin/cat", ["cat"], {})
        self.while_polling(lambda: process.write(b"hello"))
        self.until(lambda: cat.got == b"hello")
        self.while_polling(lambda: process.closeStdin())

        def reaped() -> bool:
            # What Twisted does at a SIGCHLD, of which another reactor is told.
            reapAllProcesses()
            return bool(ended)

        self.until(reaped)
        self.assertEqual(ended, [b"hello"])

    def test_tls(self) -> None:
        secured = SSL.Context(SSL.TLS_SERVER_METHOD)
        trustme.CA().issue_cert("localhost").configure_cert(secured)
        contexts = ssl.ContextFactory()
        contexts.getContext = lambda: secured  # type: ignore[method-assign]
        served = Served()
        inner = Factory.forProtocol(lambda: served)
        inner.noisy = False
        port = self.reactor.listenTCP(
            0,
            TLSMemoryBIOFactory(contexts, False, inner, self.reactor),
            interface="127.0.0.1",
        )
        plain = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(plain.close)
        plain.setblocking(False)
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), plain)
        client.set_connect_state()

        def shaken() -> bool:
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
                return served.transport is not None
            return False

        self.until(shaken)
        self.turns(3)
        if self.is_twisteds:
            # Twisted's sleeps on: TLS writes by a timer.
            served.transport.write(b"hello")
        else:
            self.while_polling(lambda: served.transport.write(b"hello"))
        got: list[bytes] = []

        def read() -> bool:
            with contextlib.suppress(SSL.WantReadError):
                got.append(client.recv(100))
            return bool(got)

        self.until(read)
        self.assertEqual(got, [b"hello"])
        served.transport.abortConnection()
        port.stopListening()
        self.until(lambda: served.lost)


class WhileTwistedsPolls(WhilePolling):
    """The same on Twisted's: what is asked of ours is what that does."""

    make_reactor = EPollReactor
    is_twisteds = True


class WhileTracedPolls(WhilePolling):
    """The same on the traced one."""

    make_reactor = traced_reactor


class WhileAsyncioPolls(WhilePolling):
    """The same on the eager one of asyncio's."""

    make_reactor = EagerAsyncioReactor


class WhileTwistedsAsyncioPolls(WhilePolling):
    """The same on Twisted's."""

    make_reactor = staticmethod(twisteds_asyncio)
    is_twisteds = True


class BetweenTests(ReactorTestCase):
    """What a thread does just where it could be missed."""

    def setUp(self) -> None:
        super().setUp()
        self.poller = self.reactor._poller = Poller(self.reactor._poller)

    def test_between_the_turns_and_the_poll(self) -> None:
        _, first = self.connect()
        client, second = self.connect()
        send = first.transport.socket.send
        first.transport.socket = Socket(first.transport.socket)

        def send_while_another_writes(data: bytes) -> int:
            in_a_thread(lambda: second.transport.write(b"hello"))
            sent: int = send(data)
            return sent

        first.transport.socket.send = send_while_another_writes
        first.transport.write(b"x")
        self.reactor.doIteration(None)
        # A poll that waits would be one too many.
        self.assertEqual(self.poller.asked[-1], 0)
        self.turns()
        self.assertEqual(client.recv(100), b"hello")

    def test_a_turn_that_comes_before_the_caller_is_done(self) -> None:
        """`loseConnection` asks for a turn, and says only then what for."""
        client, served = self.connect()
        wake = self.reactor.wakeUp
        is_waking, may_go_on = threading.Event(), threading.Event()

        def wake_and_be_overtaken() -> None:
            wake()
            is_waking.set()
            may_go_on.wait(30)

        thread = threading.Thread(target=served.transport.loseConnection)
        self.addCleanup(may_go_on.set)

        def meanwhile() -> None:
            self.reactor.wakeUp = wake_and_be_overtaken
            thread.start()
            is_waking.wait(30)

        self.poller.meanwhile = meanwhile
        self.reactor.doIteration(None)
        for _ in range(3):
            # The connection has its turn, with nothing to do; and nobody may sleep
            # until the thread has said what is to be done.
            self.reactor.doIteration(None)
            self.assertEqual(self.poller.asked[-1], 0)
        may_go_on.set()
        thread.join()
        del self.reactor.wakeUp
        self.turns(2)
        self.assertIsNotNone(served.lost)
        self.assertEqual(client.recv(1), b"")

    def test_written_while_what_there_was_is_taken(self) -> None:
        """No piece is lost that comes while the pieces before it are joined."""
        client, served = self.connect()

        class Pieces(list[bytes]):
            def __getitem__(self, key: Any) -> Any:
                taken = super().__getitem__(key)
                if later:
                    self.append(later.pop(0))
                return taken

        later = [b"b", b"c"]
        served.transport._tempDataBuffer = Pieces()
        served.transport.write(b"a")
        self.turns(3)
        self.assertEqual(client.recv(100), b"abc")

    def test_written_while_epoll_is_told_that_all_is_sent(self) -> None:
        client, served = self.connect()
        served.transport.write(b"x" * 20_000_000)
        self.until(lambda: self.reactor._writes)
        stop = served.transport.stopWriting

        def stop_while_another_writes() -> None:
            del served.transport.stopWriting
            # Epoll is asked already, as far as the thread can see.
            in_a_thread(lambda: served.transport.write(b"last"))
            stop()

        served.transport.stopWriting = stop_while_another_writes
        got = bytearray()

        def read() -> bool:
            with contextlib.suppress(BlockingIOError):
                got.extend(client.recv(2**20))
            return got.endswith(b"last")

        self.until(read)
        self.assertEqual(len(got), 20_000_004)

    def test_lost_while_a_thread_stops_reading(self) -> None:
        """What epoll is told, and what is noted of it, are not torn apart."""
        client, served = self.connect()
        client.send(b"x")
        unregister = self.poller.unregister
        raised: list[BaseException] = []

        def stop_reading() -> None:
            try:
                served.transport.stopReading()
            except BaseException as error:
                raised.append(error)

        other = threading.Thread(target=stop_reading)

        def unregister_while_another_does(descriptor: int) -> None:
            self.poller.unregister = unregister
            other.start()
            # It waits for its turn, and so for us; without one it is done by then.
            other.join(0.1)
            unregister(descriptor)

        self.poller.unregister = unregister_while_another_does
        in_a_thread(served.transport.stopReading)
        other.join()
        self.assertEqual(raised, [])
        self.assertNotIn(served.transport, self.reactor.getReaders())

    def test_nobody_reads_for_one_that_is_lost(self) -> None:
        """Its number may be another's by now."""
        client, served = self.connect()
        transport = served.transport
        number = transport.fileno()
        client.close()
        self.until(lambda: served.lost)
        transport.fileno = lambda: number
        in_a_thread(transport.startReading)
        in_a_thread(transport.startWriting)
        self.assertNotIn(transport, self.reactor.getReaders())
        self.assertNotIn(transport, self.reactor.getWriters())


class Socket:
    """A socket whose methods can be replaced."""

    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain
        self.send: Any = plain.send

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


class ContextTests(ReactorTestCase):
    """The log context that a job takes into its thread."""

    def test_it_stays_as_it_was(self) -> None:
        taken: list[Any] = []
        clients = []
        expected = []
        for _ in range(3):
            client, served = self.connect()
            clients.append(client)
            expected.append(served.transport.logstr)

            def take() -> None:
                # What deferToThread does.
                taken.append(context.theContextTracker.currentContext().contexts[-1])

            served.on_data = take
        for client in clients:
            client.send(b"x")
        self.until(lambda: len(taken) == 3)
        systems = [
            context.call(each, lambda: context.get(log.ILogContext)["system"])
            for each in taken
        ]
        self.assertEqual(sorted(systems), sorted(expected))
        self.assertEqual([type(each) for each in taken], [dict] * 3)

    def test_nobody_else_sees_what_is_changed_in_it(self) -> None:
        seen: list[object] = []

        def act() -> None:
            seen.append(context.get(log.ILogContext).get("mine"))
            context.get(log.ILogContext)["mine"] = 1

        for number in range(1, 3):
            client, served = self.connect()
            served.on_data = act
            client.send(b"x")
            self.until(lambda: len(seen) == number)  # noqa: B023
        self.assertEqual(seen, [None, None])

    def test_jobs_in_threads(self) -> None:
        systems: list[tuple[str, str]] = []
        clients = []

        def job(expected: str) -> None:
            systems.append((expected, context.get(log.ILogContext)["system"]))

        pool = ThreadPool(1, 1)
        pool.start()
        self.addCleanup(pool.stop)
        for _ in range(20):
            client, served = self.connect()
            clients.append(client)
            served.on_data = partial(pool.callInThread, job, served.transport.logstr)
        for client in clients:
            client.send(b"x")
        self.until(lambda: len(systems) == 20)
        for expected, found in systems:
            self.assertEqual(found, expected)


class TracedContextTests(ContextTests):
    """The same on the traced one."""

    make_reactor = traced_reactor
