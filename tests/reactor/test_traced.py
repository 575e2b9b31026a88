"""Programs on the traced reactor, as people run them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

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
