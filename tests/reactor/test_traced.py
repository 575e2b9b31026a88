"""The traced reactor, and programs on it as people run them."""

from __future__ import annotations

import copy
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import weakref
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.traced import TracedReactor
from tests.reactor.connected import ReactorTestCase
from tests.server.running import BY_MODULE, RunningServer

BLOCKS = """
import sys
import time
from twisted.internet import reactor
from twisted.internet.task import deferLater

def block():
    time.sleep(0.2)

def answer():
    return "later"

reactor.callLater(0, block)
deferLater(reactor, 0.3, answer)
reactor.callLater(0.35, reactor.callFromThread, reactor.stop)
reactor.run()
print("ran", sys.argv[1:])
"""
FOR_EVER = """
from twisted.internet import reactor
reactor.callWhenRunning(print, "up", flush=True)
reactor.run()
"""
FORKS = """
import atexit
import os
from twisted.internet import reactor
def fork():
    if os.fork() == 0:
        atexit._run_exitfuncs()
        os._exit(0)
    os.wait()
    reactor.stop()
reactor.callWhenRunning(fork)
reactor.run()
"""


def function() -> None:
    """Something to call."""


class LookingTests(ReactorTestCase):
    """Whoever looks at a traced program sees what it is without."""

    reactor: TracedReactor

    def make_reactor(self) -> TracedReactor:
        self.said: list[str] = []
        return TracedReactor(report=self.said.append)

    def count(self, name: str) -> int:
        entry = self.reactor.recorder.sums.get(name)
        return 0 if entry is None else entry.count

    def test_a_delayed_call_before_during_and_after(self) -> None:
        seen: list[object] = []

        def called(argument: str) -> None:
            seen.extend([argument, call.func, call.called, call.active(), repr(call)])

        call = self.reactor.callLater(0, called, "x")
        for _ in range(2):
            self.assertIs(call.func, called)
            self.assertIsInstance(call, DelayedCall)
            self.assertEqual((call.called, call.active()), (0, True))
            self.assertEqual(self.reactor.getDelayedCalls(), [call])
            self.assertIn(f"{called.__qualname__}('x')", repr(call))
            self.assertIs(copy.copy(call).func, called)
            # It is taken over from where it was put.
            self.reactor.timeout()
        self.turns()
        said = repr(call)
        self.assertEqual(seen[:4], ["x", called, 1, False])
        self.assertIn("called=1 cancelled=0", said)
        self.assertIs(call.func, called)
        self.assertEqual(self.count(f"{__name__}.{called.__qualname__}"), 1)

    def test_one_that_is_cancelled(self) -> None:
        for turns in range(2):
            call = self.reactor.callLater(100, function)
            self.turns(turns)
            call.cancel()
            self.assertIn("called=0 cancelled=1", repr(call))
            self.assertFalse(hasattr(call, "func"))
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_where_it_was_made_is_where_it_was_called_for(self) -> None:
        self.patch(DelayedCall, "debug", True)
        call = self.reactor.callLater(100, function)
        assert call.creator is not None
        self.assertIn("test_where_it_was_made", call.creator[-1])
        call.cancel()

    def test_a_call_from_a_thread(self) -> None:
        self.reactor.callFromThread(function)
        self.assertEqual(self.reactor.threadCallQueue, [(function, (), {})])
        # Who looks makes no calls.
        self.assertEqual(list(self.reactor.threadCallQueue), [(function, (), {})])
        self.assertEqual(self.count(f"{__name__}.function"), 0)
        self.turns()
        self.assertEqual(self.count(f"{__name__}.function"), 1)
        self.assertRaises(AssertionError, self.reactor.callFromThread, None)

    def test_objects_that_have_every_attribute(self) -> None:
        mocks = [Mock(), Mock()]
        self.reactor.callLater(0, mocks[0], 1)
        self.reactor.callFromThread(mocks[1], 2)
        self.turns(2)
        mocks[0].assert_called_once_with(1)
        mocks[1].assert_called_once_with(2)
        self.assertEqual(self.count("unittest.mock.Mock"), 2)

    def test_deferreds_without_a_warning(self) -> None:
        fired: Deferred[str] = Deferred()
        fired.addCallback(str)
        self.reactor.callFromThread(fired.callback, "x")
        later = deferLater(self.reactor, 0, function)
        self.turns(3)
        self.assertEqual(self.successResultOf(fired), "x")
        self.successResultOf(later)
        self.assertEqual(self.count(f"deferLater -> {__name__}.function"), 1)
        self.assertEqual(self.flushWarnings(), [])

    def test_no_frame_of_ours_between_the_reactor_and_a_function(self) -> None:
        stacks: list[list[str]] = []

        def remember() -> None:
            stacks.append([frame.filename for frame in traceback.extract_stack()])

        self.reactor.callLater(0, remember)
        self.reactor.callFromThread(remember)
        self.turns(2)
        for stack in stacks:
            self.assertTrue(stack[-2].endswith("twisted/internet/base.py"), stack[-2])
        self.assertEqual(len(stacks), 2)

    def test_each_call_has_its_own_time(self) -> None:
        now = [0.0]
        self.reactor.recorder.now = lambda: now[0]

        def takes(seconds: float) -> None:
            now[0] += seconds

        def fails() -> None:
            takes(4)
            raise ZeroDivisionError

        def turns() -> None:
            self.reactor.callLater(0, takes, 16)
            self.turns(2)
            takes(8)

        self.reactor.callFromThread(fails)
        self.reactor.callFromThread(takes, 1)
        self.reactor.callLater(0, fails)
        self.reactor.callLater(0, turns)
        self.turns()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertIsNone(self.reactor.recorder.current)
        sums = {
            name.rpartition(".")[2]: (entry.count, entry.seconds)
            for name, entry in self.reactor.recorder.sums.items()
            # The waker's.
            if not name.endswith("doRead")
        }
        self.assertEqual(sums, {"fails": (2, 8), "turns": (1, 24), "takes": (2, 17)})
        self.assertEqual(self.reactor.recorder.worked, 33)

    def test_the_shutdown_is_not_the_last_calls_time(self) -> None:
        now = [0.0]
        self.reactor.recorder.now = lambda: now[0]

        def shut_down() -> None:
            now[0] += 5

        self.reactor.addSystemEventTrigger("before", "shutdown", shut_down)
        self.reactor.callWhenRunning(self.reactor.callLater, 0, self.reactor.stop)
        self.reactor.run(installSignalHandlers=False)
        sums = self.reactor.recorder.sums
        self.assertEqual(
            sums[f"{TracedReactor.__module__}.TracedReactor.stop"].seconds, 0
        )
        self.assertEqual(sums["system event shutdown"].seconds, 5)

    def test_descriptors_that_have_every_attribute_or_none(self) -> None:
        reads, writes = os.pipe()
        self.addCleanup(os.close, reads)
        self.addCleanup(os.close, writes)
        os.write(writes, b"x")

        class Descriptor:
            def __getattr__(self, name: str) -> Any:
                raise ZeroDivisionError(name)

            def fileno(self) -> int:
                return reads

            def doRead(self) -> None:
                read.append(os.read(reads, 1))

            def logPrefix(self) -> str:
                return "-"

        read: list[bytes] = []
        descriptor = Descriptor()
        self.reactor.addReader(descriptor)
        self.until(lambda: read)
        self.reactor.removeReader(descriptor)
        self.assertEqual(read, [b"x"])
        self.assertEqual(self.count("Descriptor.doRead"), 1)

    def test_what_was_called_is_let_go(self) -> None:
        class Called:
            def __call__(self) -> None:
                """Something to call."""

        called = Called()
        looked_at = weakref.ref(called)
        self.reactor.callLater(0, called)
        self.reactor.callFromThread(called)
        del called
        self.turns(2)
        gc.collect()
        self.assertIsNone(looked_at())

    def test_a_stderr_that_cannot_be_written(self) -> None:
        for stream in (None, Mock(write=Mock(side_effect=OSError)), object()):
            self.patch(sys, "stderr", stream)
            self.run_on(TracedReactor(stall=1e-9))
            self.reactor.callLater(0, function)
            self.turns(2)
            self.assertGreater(self.reactor.recorder.stalls, 0)
            self.reactor.finish()


class TraceTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = str(self.folder / "trace.json")

    def script(self, text: str) -> str:
        path = self.folder / "script.py"
        path.write_text(text)
        return str(path)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "nbtwisted", "trace", *arguments]

    def run_it(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def test_what_blocks_and_for_how_long(self) -> None:
        script = self.script(BLOCKS)
        ran = self.run_it("--out", self.out, "--stall-ms", "50", script, "--out", "x")
        self.assertEqual((ran.returncode, ran.stdout), (0, "ran ['--out', 'x']\n"))
        said = ran.stderr
        self.assertRegex(said, r"stalled for \d+ ms so far, in __main__\.block:")
        self.assertIn(f'File "{script}", line 8, in block', said)
        self.assertRegex(said, r"a stall of 2\d\d ms has ended: __main__\.block")
        self.assertEqual(said.count("so far"), 1)
        self.assertRegex(said, r"turns: waiting \d+%, working \d+%, stalled \d+% \(1 ")
        self.assertIn("deferLater -> __main__.answer", said)
        events = json.loads(Path(self.out).read_text())["traceEvents"]
        names = {event["name"] for event in events}
        self.assertLessEqual({"poll", "__main__.block"}, names)
        (blocked,) = (each for each in events if each["name"] == "__main__.block")
        self.assertGreaterEqual(blocked["dur"], 200_000)

    def test_a_module(self) -> None:
        self.script(BLOCKS)
        ran = self.run_it("-m", "script", "a")
        self.assertEqual((ran.returncode, ran.stdout), (0, "ran ['a']\n"))
        self.assertIn("so far, in __main__.block", ran.stderr)

    def test_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen(
                self.command("--out", self.out, "--", self.script(FOR_EVER)),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stdout is not None
                self.assertEqual(process.stdout.readline(), "up\n")
                process.send_signal(number)
                _, said = process.communicate(timeout=10)
            self.assertIn("turns: waiting", said)
            json.loads(Path(self.out).read_text())

    def test_programs_that_end_in_other_ways(self) -> None:
        for text, code, words in [
            ("raise SystemExit(7)", 7, "turns: waiting"),
            ("1 / 0", 1, "ZeroDivisionError"),
            (FORKS, 0, "turns: waiting"),
            ("from twisted.internet import reactor as r; r.stop()", 1, "NotRunning"),
        ]:
            ran = self.run_it(self.script(text))
            self.assertEqual(ran.returncode, code, ran.stderr)
            self.assertIn(words, ran.stderr)
            self.assertEqual(ran.stderr.count("turns: waiting"), 1)

    def test_bad_input(self) -> None:
        script = self.script("print('it ran')")
        for arguments, code, words in [
            ([], 2, "expected a script, or -m and a module"),
            (["-m"], 2, "expected a script, or -m and a module"),
            (["nowhere.py"], 2, "expected a script that is there"),
            (["--out", "/nowhere/x", script], 23, "cannot write /nowhere/x: No such"),
            (["--stall-ms", "0", script], 2, "expected milliseconds above 0"),
            (["--stall-ms", "-5", script], 2, "expected milliseconds above 0"),
            (["--stall-ms", "x", script], 2, "expected milliseconds above 0"),
            (["--what", script], 2, "--what"),
        ]:
            ran = self.run_it(*arguments)
            self.assertEqual(ran.returncode, code, ran.stderr)
            self.assertIn(words, ran.stderr)
            self.assertEqual((ran.stdout, ran.stderr.count("\n")), ("", 1))


class ServerTests(SynchronousTestCase):
    def test_figures_of_a_server_that_runs_on_it(self) -> None:
        with RunningServer([*BY_MODULE, "--reactor", "traced"]) as server:
            server.ask(b"GET /delay/10ms HTTP/1.0\r\n\r\n")
            answer = server.ask(b"GET /__admin/reactor HTTP/1.0\r\n\r\n")
        figures = json.loads(answer.partition(b"\r\n\r\n")[2])
        self.assertGreater(figures["turns"], 1)
        self.assertTrue(figures["callbacks"])

    def test_of_one_that_does_not(self) -> None:
        with RunningServer() as server:
            answer = server.ask(b"GET /__admin/reactor HTTP/1.0\r\n\r\n")
        self.assertIn(b"404", answer.split(b"\r\n")[0])
        self.assertIn(b"--reactor traced", answer)
