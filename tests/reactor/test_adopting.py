"""A reactor that is there becomes a traced one, whichever it is."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from twisted.internet import asyncioreactor, epollreactor, pollreactor, selectreactor
from twisted.internet.protocol import Factory, Protocol
from twisted.python import log
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor import EagerAsyncioReactor, EagerEPollReactor
from nbtwisted.reactor.adopting import CannotTrace, adopt, traced
from nbtwisted.reactor.thread_check import OtherThreads
from nbtwisted.reactor.traced import TracedReactor
from nbtwisted.reactor.traced_asyncio import TracedAsyncioReactor
from nbtwisted.reactor.tracing.recorder import Stall
from nbtwisted.reactor.tracing.traced_reactor import Settings, Tracing
from tests import warm_start

KINDS = (
    epollreactor.EPollReactor,
    pollreactor.PollReactor,
    EagerEPollReactor,
    asyncioreactor.AsyncioSelectorReactor,
    EagerAsyncioReactor,
)


def make(kind: Any) -> Any:
    if issubclass(kind, asyncioreactor.AsyncioSelectorReactor):
        # Twisted 24.11 takes the one of the thread, which need not be there.
        return kind(asyncio.new_event_loop())
    return kind()


def take_apart(reactor: Any) -> None:
    for waker in list(reactor._internalReaders):
        reactor.removeReader(waker)
        waker.connectionLost(None)
    if hasattr(reactor, "_asyncioEventloop"):
        reactor._asyncioEventloop.close()
        asyncio.set_event_loop(None)
    elif hasattr(reactor._poller, "close"):
        reactor._poller.close()


class Echo(Protocol):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


def blocks(reactor: Any) -> None:
    """Takes the processor until the watchdog has seen it, and for 30 ms."""
    began = time.monotonic()
    while time.monotonic() < began + 10:
        call = reactor.recorder.current
        if call.stack and time.monotonic() > began + 0.03:
            return


class AdoptingTests(SynchronousTestCase):
    def adopted(self, kind: Any, **settings: Any) -> Any:
        reactor = make(kind)
        self.addCleanup(take_apart, reactor)
        self.said: list[str] = []
        adopt(reactor, Settings(report=self.said.append, **settings))
        self.addCleanup(reactor.finish)
        return reactor

    def test_the_class_of_each(self) -> None:
        self.assertIs(traced(EagerEPollReactor), TracedReactor)
        self.assertIs(traced(EagerAsyncioReactor), TracedAsyncioReactor)
        for kind in KINDS:
            self.assertIs(traced(kind), traced(kind))
            self.assertIs(traced(traced(kind)), traced(kind))
            self.assertTrue(issubclass(traced(kind), kind))
        with self.assertRaises(CannotTrace) as caught:
            traced(selectreactor.SelectReactor)
        self.assertIn("expected a reactor of Twisted's for", str(caught.exception))

    def test_it_stays_the_same_object_and_goes_by_its_name(self) -> None:
        for kind in KINDS:
            reactor = self.adopted(kind)
            self.assertIsInstance(reactor, kind)
            self.assertIsInstance(reactor, Tracing)
            twisteds = "EPollReactor" if "EPoll" in kind.__name__ else kind.__name__
            twisteds = twisteds.replace("EagerAsyncio", "AsyncioSelector")
            self.assertEqual(reactor.__class__.__name__, twisteds)
            recorder = reactor.recorder
            adopt(reactor, Settings())
            self.assertIs(reactor.recorder, recorder)

    def test_uses_by_other_threads_are_reported(self) -> None:
        for kind in KINDS:
            # Of a stall, which a busy machine may make of this, it would say more.
            reactor = self.adopted(kind, stall=60, summary=False)

            def uses() -> None:
                reactor.callLater(0, reactor.stop)  # noqa: B023
                # From a thread, Twisted's reactor does not notice that.
                reactor.wakeUp()  # noqa: B023

            def starts_a_thread() -> None:
                thread = threading.Thread(target=uses)
                thread.start()
                thread.join()

            reactor.callLater(0, starts_a_thread)
            reactor.run(installSignalHandlers=False)
            (report,) = self.said
            self.assertIn("reactor.callLater was called in the thread", report)
            self.assertIn("in starts_a_thread", report.partition("meanwhile:")[2])

    def test_unless_told_otherwise(self) -> None:
        for kind in KINDS:
            reactor = self.adopted(kind, other_threads=OtherThreads.UNSEEN)
            self.assertNotIn("callLater", vars(reactor))
            reactor = self.adopted(kind, other_threads=OtherThreads.REFUSED)
            self.assertIn("listenTCP", vars(reactor))

    def test_what_was_there_before_is_traced_too(self) -> None:
        for kind in KINDS:
            reactor = make(kind)
            self.addCleanup(take_apart, reactor)
            reactor.callLater(0, blocks, reactor)
            # It has gone from the new ones to the pending ones.
            reactor.timeout()
            stalls: list[Stall] = []
            adopt(
                reactor,
                Settings(
                    stall=0.02,
                    report=lambda _: None,
                    on_stall=stalls.append,
                    summary=False,
                ),
            )
            reactor.callLater(0.1, reactor.stop)
            reactor.run(installSignalHandlers=False)
            # A machine that is busy may see to others.
            (stall,) = (stall for stall in stalls if stall.name == f"{__name__}.blocks")
            self.assertGreaterEqual(stall.seconds, 0.02)
            self.assertIn("in blocks", stall.stack[-1], kind)

    def test_events_go_by_their_protocol(self) -> None:
        for kind in KINDS:
            reactor = self.adopted(kind, summary=False)

            class Once(Echo):
                def dataReceived(self, data: bytes) -> None:
                    super().dataReceived(data)
                    assert self.transport is not None
                    self.transport.loseConnection()

                def connectionLost(self, reason: Any = None) -> None:
                    reactor.stop()  # noqa: B023

            factory = Factory.forProtocol(Once)
            factory.noisy = False
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            client = socket.create_connection(("127.0.0.1", port.getHost().port))
            self.addCleanup(client.close)
            client.sendall(b"x")
            called: list[str] = []
            if hasattr(reactor, "_asyncioEventloop"):
                # As the reactor has its events called.
                by_logger = log.callWithLogger, port, called.append
                reactor._asyncioEventloop.call_soon(*by_logger, "x")
            reactor.run(installSignalHandlers=False)
            self.assertEqual(called, ["x"] * hasattr(reactor, "_asyncioEventloop"))
            sums = reactor.recorder.sums
            self.assertGreaterEqual(sums["Once.dataReceived"].count, 1, kind)
            self.assertGreaterEqual(sums["Port.doRead"].count, 1, kind)
            self.assertEqual(sums["Once sends"].count, 1, kind)

    def test_steps_of_tasks_and_handles(self) -> None:
        for kind in (asyncioreactor.AsyncioSelectorReactor, EagerAsyncioReactor):
            stalls: list[Stall] = []
            reactor = self.adopted(kind, stall=0.02, on_stall=stalls.append)
            loop = reactor._asyncioEventloop

            async def blocks_later() -> None:
                await asyncio.sleep(0.01)
                blocks(reactor)  # noqa: B023

            loop.call_soon(blocks, reactor)
            task = loop.create_task(blocks_later())
            task.add_done_callback(lambda _, reactor=reactor: reactor.stop())
            reactor.run(installSignalHandlers=False)
            names = {stall.name for stall in stalls}
            self.assertLessEqual(
                {
                    f"{__name__}.blocks",
                    f"Task -> {__name__}.{blocks_later.__qualname__}",
                },
                names,
            )
            self.assertGreater(reactor.recorder.waited, 0)


INSTALLS = """
import sys
from twisted.application.reactors import installReactor
from twisted.internet import asyncioreactor, epollreactor
installReactor(sys.argv[1])
from twisted.internet import reactor
# As Scrapy does it.
kinds = asyncioreactor.AsyncioSelectorReactor, epollreactor.EPollReactor
print(type(reactor) in kinds, isinstance(reactor, kinds), reactor.seconds.__module__)
reactor.callLater(0.01, reactor.stop)
reactor.run()
"""


class CommandTests(SynchronousTestCase):
    def test_trace_takes_the_reactor_that_is_asked_for(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "script.py")
            script.write_text(INSTALLS)
            # It is not taken unasked: what asyncio does on it is not seen.
            Path(folder, "uvloop.py").write_text("def new_event_loop(): 1 / 0")
            for name, is_twisteds in [
                ("epoll", True),
                ("default", True),
                ("asyncio", True),
                ("eager", False),
                ("eager-asyncio", False),
                ("traced", False),
            ]:
                command = [sys.executable, "-m", "nbtwisted", "trace"]
                ran = warm_start.run(
                    [*command, str(script), name],
                    cwd=folder,
                    timeout=30,
                    env={**os.environ, "NBTWISTED_CLOCK": "steady"},
                )
                self.assertEqual(ran.returncode, 0, ran.stderr)
                told = f"{is_twisteds} True nbtwisted.steady_clock\n"
                self.assertEqual(ran.stdout, told, name)
                self.assertIn("turns: waiting", ran.stderr)

    def test_a_clock_that_is_none(self) -> None:
        ran = warm_start.run(
            [sys.executable, "-m", "nbtwisted", "trace", "-m", "this"],
            timeout=30,
            env={**os.environ, "NBTWISTED_CLOCK": "sundial"},
        )
        self.assertEqual(
            (ran.returncode, ran.stdout, ran.stderr),
            (
                2,
                "",
                "nbtwisted trace: error: NBTWISTED_CLOCK='sundial': expected steady "
                "or wall (see nbtwisted trace --help)\n",
            ),
        )
