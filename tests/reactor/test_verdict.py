"""`nbtwisted trace --fail-on-stall`: the exit code of a program that has blocked."""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet.testing import MemoryReactorClock

from nbtwisted.reactor.tracing import verdict
from nbtwisted.reactor.tracing.recorder import Stall
from nbtwisted.reactor.tracing.verdict import Verdict
from tests.blocking import BLOCK, LINE
from tests.guard import ClockCase
from tests.reactor.test_trace_command import TraceCase

BLOCKS = (
    BLOCK
    + """
from twisted.internet import reactor
reactor.callLater(0, block)
reactor.callLater(0.5, reactor.stop)
reactor.run()
print("over")
"""
)
# It says that it is up when it has blocked.
SERVICE = (
    BLOCK
    + """
from twisted.application.service import Application
from twisted.internet import reactor
application = Application("x")
reactor.callLater(0, block)
def up():
    reactor.told = open("up", "w")
    print("up", file=reactor.told, flush=True)
reactor.callLater(0.01, up)
"""
)


class VerdictTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        reactor: Any = MemoryReactorClock()
        reactor._exitSignal = 15
        self.reactor = reactor
        self.patch(verdict, "installed_reactor", lambda: self.reactor)
        self.verdict = Verdict(0.1)

    def test_what_counts(self) -> None:
        self.verdict.note(Stall("a", 0.09))
        self.verdict.note(Stall("busy", 0.5, preempted=0.45))
        self.assertEqual(self.verdict.count, 0)
        self.assertEqual(self.reactor.triggers, {})
        self.verdict.note(Stall("b", 0.2))
        self.assertEqual(
            self.verdict.told(), "blocked once for 100 ms or more: for 200 ms in b"
        )
        stack = ('  File "/x/shop.py", line 7, in buy\n    time.sleep(0.3)\n',)
        self.verdict.note(Stall("c", 0.3, stack))
        self.verdict.note(Stall("d", 0.25))
        self.assertEqual(
            self.verdict.told(),
            "blocked 3 times for 100 ms or more: for 300 ms in c (/x/shop.py:7)",
        )

    def test_the_signal_that_stops_it_is_forgotten(self) -> None:
        for _ in range(2):
            self.verdict.note(Stall("a", 0.2))
        ((forget, arguments, _),) = self.reactor.triggers["after"]["shutdown"]
        forget(*arguments)
        reactor: Any = self.reactor
        self.assertIsNone(reactor._exitSignal)


class CommandTests(TraceCase):
    def test_exit_codes(self) -> None:
        for limit, text, code in [
            ("50ms", BLOCKS, 99),
            ("2s", BLOCKS, 0),
            ("50ms", BLOCKS + "raise SystemExit(7)", 7),
            ("50ms", BLOCKS + "1 / 0", 1),
        ]:
            path = self.script(text)
            ran = self.run_it("--fail-on-stall", limit, path)
            self.assertEqual((ran.returncode, ran.stdout), (code, "over\n"), ran.stderr)
            said = "reactor: blocked once for 50 ms or more: for "
            self.assertEqual(said in ran.stderr, code != 0)
            if code:
                self.assertIn(f"in __main__.block ({path}:{LINE})\n", ran.stderr)

    def test_one_that_is_stopped_by_a_signal(self) -> None:
        self.script(SERVICE, "service.tac")
        os.mkfifo(self.folder / "up")
        for limit, code in [("50ms", 99), ("2s", -signal.SIGTERM)]:
            command = ("--fail-on-stall", limit, "twistd", "--pidfile=", "-noy")
            with self.start(*command, "service.tac") as process:
                with open(self.folder / "up") as up:
                    self.assertEqual(up.readline(), "up\n")
                process.send_signal(signal.SIGTERM)
                _, said = process.communicate(timeout=30)
            self.assertEqual(process.returncode, code, said)

    def test_what_is_no_limit(self) -> None:
        script = self.script("print('it ran')")
        for limit in ("50", "0ms", "", script):
            ran = self.run_it("--fail-on-stall", limit, script)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""))
            self.assertEqual(ran.stderr.count("\n"), 1)
            self.assertIn("--fail-on-stall: ", ran.stderr)
