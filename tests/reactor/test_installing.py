"""Programs that install a reactor themselves, where one of ours is there already."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import twisted.internet
from twisted.application.reactors import installReactor
from twisted.internet import (
    asyncioreactor,
    default,
    epollreactor,
    main,
    pollreactor,
    selectreactor,
)
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.python.reflect import qual
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor import EagerEPollReactor, eager, eager_asyncio, traced
from nbtwisted.reactor.thread_check import VARIABLE
from nbtwisted.reactor.tracing import traced_reactor

GLOBAL = "twisted.internet.reactor"


class InstallingTests(SynchronousTestCase):
    """As in a process of its own: no reactor is installed at first."""

    def setUp(self) -> None:
        self.enter(patch.dict(sys.modules))
        self.enter(patch.object(main, "installReactor", main.installReactor))
        self.enter(patch.object(twisted.internet, "reactor", create=True))
        sys.modules.pop(GLOBAL, None)
        self.patch(traced_reactor, "to_stderr", lambda process, text: None)

    def enter(self, patching: Any) -> None:
        patching.__enter__()
        self.addCleanup(patching.__exit__, None, None, None)

    def install(self, ours: Any) -> Any:
        """Install one of ours; it is taken apart after the test."""
        ours.install()
        reactor = sys.modules[GLOBAL]
        self.addCleanup(self._take_apart, reactor)
        return reactor

    def _take_apart(self, reactor: Any) -> None:
        for waker in reactor._internalReaders:
            waker.connectionLost(None)
        reactor._poller.close()
        if isinstance(reactor, traced.TracedReactor):
            reactor.finish()

    def test_uses_by_other_threads_as_the_environment_has_it(self) -> None:
        for ours, value, is_watched, is_strict in (
            (eager, "", False, False),
            (eager, "1", True, False),
            (eager, "strict", True, True),
            (traced, "", True, False),
            (traced, "strict", True, True),
            (traced, "0", False, False),
        ):
            sys.modules.pop(GLOBAL, None)
            with patch.dict(os.environ, {VARIABLE: value}):
                reactor = self.install(ours)
            self.assertEqual("callLater" in vars(reactor), is_watched)
            self.assertEqual("listenTCP" in vars(reactor), is_strict)

    def test_epoll_is_what_they_are(self) -> None:
        for ours in (eager, traced):
            sys.modules.pop(GLOBAL, None)
            reactor = self.install(ours)
            before = len(os.listdir("/proc/self/fd"))
            epollreactor.install()
            default.install()
            installReactor("epoll")
            installReactor("default")
            self.assertIs(sys.modules[GLOBAL], reactor)
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_by_the_name_of_its_class(self) -> None:
        """How Autobahn's install_reactor() asks, and Twisted's own tests."""
        for ours in (eager, traced):
            sys.modules.pop(GLOBAL, None)
            reactor = self.install(ours)
            name = qual(sys.modules[GLOBAL].__class__)
            self.assertEqual(name.split(".")[-1], "EPollReactor")
            # What twistd logs says what it is.
            self.assertIn(qual(type(reactor)), name)
            self.assertIsInstance(reactor, EagerEPollReactor)
            self.assertIn(type(reactor).__name__, repr(reactor))
            # Twisted's tests of reactors put another's into the global one for a while.
            reactor.__class__, before = epollreactor.EPollReactor, reactor.__class__
            self.assertIs(type(reactor), epollreactor.EPollReactor)
            reactor.__class__ = before
            self.assertIsInstance(reactor, EagerEPollReactor)

    def test_another_cannot_be_had(self) -> None:
        self.install(eager)
        for other in (pollreactor, selectreactor):
            with self.assertRaises(ReactorAlreadyInstalledError) as caught:
                other.install()
            self.assertRegex(
                str(caught.exception),
                r"asks for (Poll|Select)Reactor, but runs on EagerEPollReactor; have "
                r"it install none, or Twisted's EPollReactor, or run it without",
            )

    def test_ours_again(self) -> None:
        reactor = self.install(eager)
        eager.install()
        self.assertIs(sys.modules[GLOBAL], reactor)
        with self.assertRaises(ReactorAlreadyInstalledError) as caught:
            traced.install()
        self.assertIn("EagerEPollReactor was there first", str(caught.exception))

    def test_the_eager_one_under_the_traced(self) -> None:
        reactor = self.install(traced)
        eager.install()
        installReactor("eager")
        self.assertIs(sys.modules[GLOBAL], reactor)

    def test_asyncios_for_the_same_loop(self) -> None:
        loop, another = asyncio.new_event_loop(), asyncio.new_event_loop()
        self.addCleanup(loop.close)
        self.addCleanup(another.close)
        eager_asyncio.install(loop)
        reactor: Any = sys.modules[GLOBAL]
        for waker in reactor._internalReaders:
            self.addCleanup(waker.connectionLost, None)
            self.addCleanup(reactor.removeReader, waker)
        asyncioreactor.install(loop)
        self.assertIs(sys.modules[GLOBAL], reactor)
        # What runs on another would never run.
        tried: list[Any] = []
        with self.assertRaises(ReactorAlreadyInstalledError):
            tried.append(asyncioreactor.AsyncioSelectorReactor(another))
            main.installReactor(tried[0])
        for waker in tried[0]._internalReaders:
            tried[0].removeReader(waker)
            waker.connectionLost(None)

    def test_after_twisteds(self) -> None:
        epollreactor.install()
        self.addCleanup(self._take_apart, sys.modules[GLOBAL])
        with self.assertRaises(ReactorAlreadyInstalledError) as caught:
            eager.install()
        self.assertIn("EPollReactor was there first", str(caught.exception))
        # Twisted's own refuses as ever.
        with self.assertRaises(ReactorAlreadyInstalledError):
            pollreactor.install()

    def test_another_when_ours_was_taken_out(self) -> None:
        """Scrapy's documentation has people do so."""
        self.install(eager)
        del sys.modules[GLOBAL]
        epollreactor.install()
        self.addCleanup(self._take_apart, sys.modules[GLOBAL])
        self.assertIs(type(sys.modules[GLOBAL]), epollreactor.EPollReactor)


class CommandTests(SynchronousTestCase):
    def test_trace_says_it_in_one_line(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder, "script.py")
            script.write_text(
                "from twisted.internet import selectreactor\nselectreactor.install()"
            )
            ran = subprocess.run(
                [sys.executable, "-m", "nbtwisted", "trace", str(script)],
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
        self.assertEqual(ran.returncode, 1)
        self.assertNotIn("Traceback", ran.stderr)
        self.assertIn(
            "nbtwisted trace: error: SelectReactor cannot be traced: expected a "
            "reactor of Twisted's for epoll, poll or asyncio, or one of nbtwisted's",
            ran.stderr,
        )
