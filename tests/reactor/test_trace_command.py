"""`nbtwisted trace`: what it says and writes, however the program ends."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.trace.command import main
from tests import warm_start

FORKS_ONCE = """
import os
from twisted.internet import reactor

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    # It is watched again from the next turn on.
    reactor.callLater(0, block)
"""
BLOCKS = """
import sys
import time
from twisted.internet import reactor
from twisted.internet.task import deferLater

def block():
    # Where the machine is busy, the thread that watches is back late.
    time.sleep(0.8)

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
print("over", flush=True)
"""
# A program for twistd.
SERVICE = """
from twisted.application.service import Application
from twisted.internet import reactor
application = Application("x")
def up():
    # It stays open for as long as the process is there.
    reactor.told = open("up", "w")
    print("up", file=reactor.told, flush=True)
reactor.callWhenRunning(up)
"""
AT_ONCE = """
from twisted.internet import reactor
reactor.callWhenRunning(reactor.stop)
reactor.run()
"""
BY_ASYNCIO = """
import asyncio
asyncio.run(asyncio.sleep(0.01))
"""
FORKS = """
import atexit, multiprocessing, os
from twisted.internet import reactor
def fork():
    if os.fork() == 0:
        atexit._run_exitfuncs()
        os._exit(0)
    os.wait()
    child = multiprocessing.get_context("fork").Process(target=print)
    child.start()
    child.join()
    reactor.callLater(0, reactor.stop)
reactor.callWhenRunning(fork)
reactor.run()
"""
WORKERS = """
import os
from twisted.internet import reactor
workers = [os.fork() for _ in range(1)]
reactor.callWhenRunning(reactor.stop)
if workers[0]:
    os.wait()
reactor.run()
"""
DAEMON = """
import os
from twisted.internet import reactor
if os.fork() == 0:
    os.setsid()
    reactor.callWhenRunning(reactor.stop)
    reactor.run()
    raise SystemExit
os.wait()
"""
IN_A_THREAD = """
from threading import Thread
from twisted.internet import reactor
reactor.callWhenRunning(reactor.callLater, 0.05, reactor.stop)
Thread(target=reactor.run, kwargs={"installSignalHandlers": False}).start()
"""
IS_LEFT_RUNNING = """
from threading import Event, Thread
from twisted.internet import reactor
up = Event()
reactor.callWhenRunning(up.set)
Thread(target=reactor.run, args=(False,), daemon=True).start()
up.wait()
"""
CRASHES_AND_GOES_ON = """
from twisted.internet import reactor
for _ in range(3):
    reactor.callWhenRunning(reactor.callLater, 0, reactor.crash)
    reactor.run()
"""
ITERATES = """
from twisted.internet import reactor
for _ in range(3):
    reactor.iterate()
"""
STOPS_AND_IS_KILLED = (
    AT_ONCE
    + """
import os
os.kill(os.getpid(), 9)
"""
)
IS_REPLACED = """
import os, sys
from twisted.internet import reactor
reactor.callWhenRunning(os.execv, sys.executable, [sys.executable, "-c", "print(1)"])
reactor.run()
"""
# A disk that fills: each span is some 150 bytes.
FILLS = """
import resource
from twisted.internet import reactor
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
left = 2000
def turn():
    global left
    left -= 1
    reactor.callLater(0, turn) if left else reactor.stop()
reactor.callWhenRunning(turn)
reactor.run()
print("over")
"""
NEVER_RAN = "reactor: this process has run no reactor: there is nothing to show\n"


class TraceCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = str(self.folder / "trace.json")

    def script(self, text: str, name: str = "script.py") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "nbtwisted", "trace", *arguments]

    def run_it(
        self, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return warm_start.run(
            self.command(*arguments),
            timeout=30,
            cwd=self.folder,
            env={**os.environ, **variables},
        )

    def start(self, *arguments: str) -> warm_start.Popen:
        return warm_start.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
        )

    def events(self, path: str = "") -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = json.loads(Path(path or self.out).read_text())[
            "traceEvents"
        ]
        return read


class TraceTests(TraceCase):
    def test_what_blocks_and_for_how_long(self) -> None:
        script = self.script(BLOCKS)
        ran = self.run_it("--out", self.out, "--stall-ms", "200", script, "--out", "x")
        self.assertEqual((ran.returncode, ran.stdout), (0, "ran ['--out', 'x']\n"))
        said = ran.stderr
        self.assertRegex(said, r"stalled for \d+ ms so far, in __main__\.block:")
        self.assertIn(f'File "{script}", line 9, in block', said)
        self.assertRegex(said, r"a stall of \d+ ms has ended: __main__\.block")
        self.assertEqual(said.count("so far"), 1)
        self.assertRegex(said, r"turns: waiting \d+%, working \d+%, stalled \d+% \(1 ")
        self.assertIn("deferLater -> __main__.answer", said)
        events = self.events()
        names = {event["name"] for event in events}
        self.assertLessEqual({"poll", "__main__.block"}, names)
        (blocked,) = (each for each in events if each["name"] == "__main__.block")
        self.assertGreaterEqual(blocked["dur"], 800_000)

    def test_what_blocks_after_a_fork(self) -> None:
        later = BLOCKS.replace("callLater(0, block)", "callLater(0, fork)")
        ran = self.run_it("--stall-ms", "50", self.script(FORKS_ONCE + later))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertRegex(ran.stderr, r"stalled for \d+ ms so far, in __main__\.block:")

    def test_programs_that_end_in_other_ways(self) -> None:
        """Each with how often it was summed up, and of how many processes."""
        for text, code, summaries, processes in [
            (AT_ONCE, 0, 1, 1),
            (AT_ONCE + "raise SystemExit(7)", 7, 1, 1),
            (AT_ONCE + "1 / 0", 1, 1, 1),
            (STOPS_AND_IS_KILLED, -signal.SIGKILL, 1, 1),
            (FORKS, 0, 1, 1),
            (DAEMON, 0, 1, 1),
            (IN_A_THREAD, 0, 1, 1),
            (IS_LEFT_RUNNING, 0, 1, 1),
            (CRASHES_AND_GOES_ON, 0, 1, 1),
            (ITERATES, 0, 1, 1),
            (IS_REPLACED, 0, 0, 0),
        ]:
            ran = self.run_it("--out", self.out, self.script(text))
            self.assertEqual(ran.returncode, code, text + ran.stderr)
            said = ran.stderr.count("turns: waiting")
            self.assertEqual(said, summaries, text + ran.stderr)
            found = {event["pid"] for event in self.events()}
            self.assertEqual(len(found), processes, text + ran.stderr)
            self.assertEqual("ZeroDivisionError" in ran.stderr, code == 1)

    def test_programs_that_never_run_it(self) -> None:
        for text, code in [
            (BY_ASYNCIO, 0),
            ("from twisted.internet import reactor as r; r.stop()", 1),
            ("raise SystemExit(7)", 7),
            ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
            ("import os; os.kill(os.getpid(), 1)", -signal.SIGHUP),
            ("import os; os._exit(0)", 0),
        ]:
            ran = self.run_it("--out", self.out, self.script(text))
            self.assertEqual(ran.returncode, code, ran.stderr)
            self.assertNotIn("stalled", ran.stderr)
            if code >= 0 and "_exit" not in text:
                self.assertTrue(ran.stderr.endswith(NEVER_RAN), ran.stderr)
            self.assertEqual(self.events(), [])

    def test_forked_processes_that_all_run_it(self) -> None:
        ran = self.run_it("--out", self.out, self.script(WORKERS))
        self.assertEqual((ran.returncode, ran.stderr.count("turns")), (0, 2))
        (told,) = re.findall("the spans of this process go to (.*)\n", ran.stderr)
        files = [self.events(path) for path in (self.out, told)]
        processes = [{event["pid"] for event in events} for events in files]
        self.assertEqual([len(found) for found in processes], [1, 1])
        self.assertEqual(told, f"{self.out}.{processes[1].pop()}")

    def test_signals_while_it_runs(self) -> None:
        for number, code, says in [
            (signal.SIGINT, 0, "over\n"),
            (signal.SIGTERM, 0, "over\n"),
            (signal.SIGHUP, -signal.SIGHUP, ""),
        ]:
            with self.start("--out", self.out, "--", self.script(FOR_EVER)) as process:
                assert process.stdout is not None
                self.assertEqual(process.stdout.readline(), "up\n")
                process.send_signal(number)
                printed, said = process.communicate(timeout=30)
            self.assertEqual((process.returncode, printed), (code, says), said)
            self.assertEqual(said.count("turns: waiting"), 1, f"{number} {said}")
            self.assertTrue(self.events())

    def test_signals_that_the_program_handles_itself(self) -> None:
        # Not print(): the program may still be within that of "up".
        say = "lambda *_: os.write(1, b'hung up\\n')"
        text = f"import os, signal; signal.signal(1, {say})"
        with self.start(self.script(text + FOR_EVER)) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "up\n")
            process.send_signal(signal.SIGHUP)
            self.assertEqual(process.stdout.readline(), "hung up\n")
            process.terminate()
            process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0)

    def test_interrupted_while_it_does_something_else(self) -> None:
        # Not by a wait: a signal that comes just before one does not end it.
        text = "print('up', flush=True)\nwhile True: pass"
        with self.start(self.script(text)) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "up\n")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertIn("KeyboardInterrupt", said)

    def test_bad_input(self) -> None:
        script = self.script("print('it ran')")
        for arguments, code, words in [
            ([], 2, "expected a script, or -m and a module"),
            (["-m"], 2, "expected a script, or -m and a module"),
            (["nowhere.py"], 2, "expected a script that is there"),
            (["true"], 2, "expected a Python script"),
            (["--out", "/nowhere/x", script], 23, "cannot write /nowhere/x: No such"),
            (["--out", "/dev/full", script], 23, "cannot write /dev/full: No space"),
            (["--out", script, script], 2, "expected another file than the program's"),
            (["--out", "", script], 2, "--out"),
            (["--stall-ms", "0", script], 2, "expected milliseconds above 0"),
            (["--stall-ms", "-5", script], 2, "expected milliseconds above 0"),
            (["--stall-ms", "x", script], 2, "expected milliseconds above 0"),
            (["--what", script], 2, "--what"),
        ]:
            ran = self.run_it(*arguments)
            self.assertEqual(ran.returncode, code, ran.stderr)
            self.assertIn(words, ran.stderr)
            self.assertEqual((ran.stdout, ran.stderr.count("\n")), ("", 1))

        ran = self.run_it(script, NBTWISTED_THREAD_CHECK="x")
        self.assertEqual((ran.returncode, ran.stdout), (2, ""))
        self.assertIn("NBTWISTED_THREAD_CHECK='x': expected 1, strict", ran.stderr)

    def test_too_few_files(self) -> None:
        script = self.script("print('it ran')")
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        resource.setrlimit(resource.RLIMIT_NOFILE, (5, before[1]))
        try:
            ended = self.assertRaises(SystemExit, main, [script])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        self.assertEqual(ended.code, 2)
        self.assertIn("may open 5 files: expected at least 16", said.getvalue())

    def test_a_disk_that_fills(self) -> None:
        for end, code in [
            ("", 23),
            ("raise SystemExit", 23),
            ("raise SystemExit(7)", 7),
        ]:
            ran = self.run_it("--out", self.out, self.script(FILLS + end))
            self.assertEqual((ran.returncode, ran.stdout), (code, "over\n"), ran.stderr)
            self.assertEqual(ran.stderr.count("cannot write"), 1, ran.stderr)
            self.assertNotIn("Traceback", ran.stderr)
            self.assertIn("turns: waiting", ran.stderr)
            self.assertGreater(len(self.events()), 100)


class TwistdTests(TraceCase):
    """Under programs of Twisted's, which raise the signal that ended them again."""

    def setUp(self) -> None:
        super().setUp()
        self.script(SERVICE, "service.tac")
        os.mkfifo(self.folder / "up")

    def test_in_the_foreground(self) -> None:
        for arguments, number in [
            (["twistd", "-noy", "service.tac"], signal.SIGTERM),
            (["twistd", "-noy", "service.tac"], signal.SIGINT),
        ]:
            with self.start("--out", self.out, *arguments) as process:
                with open(self.folder / "up") as up:
                    self.assertEqual(up.readline(), "up\n")
                process.send_signal(number)
                _, said = process.communicate(timeout=30)
            self.assertEqual(process.returncode, -number)
            self.assertEqual(said.count("turns: waiting"), 1, said)
            self.assertTrue(self.events())

    def test_twist(self) -> None:
        listen = ["--listen", "tcp:0:interface=127.0.0.1"]
        with self.start("--out", self.out, "twist", "web", *listen) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if ready := re.search(r"Site starting on (\d+)", line):
                    break
            assert ready
            # It listens before its reactor runs, and answers when it does.
            with socket.create_connection(("127.0.0.1", int(ready[1]))) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                self.assertTrue(client.recv(1))
            process.terminate()
            _, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertEqual(said.count("turns: waiting"), 1, said)
        self.assertTrue(self.events())

    def test_a_daemon(self) -> None:
        traced = {**os.environ, "NBTWISTED_TRACE": self.out}
        for command, environment in [
            (self.command("--out", self.out, "twistd"), dict(os.environ)),
            (
                [str(Path(sys.executable).with_name("twistd")), "--reactor=traced"],
                traced,
            ),
        ]:
            ran = warm_start.run(
                [*command, "-y", "service.tac", "--pidfile=pid", "--logfile=log"],
                timeout=30,
                cwd=self.folder,
                env=environment,
            )
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            with open(self.folder / "up") as up:
                self.assertEqual(up.readline(), "up\n")
                process = int((self.folder / "pid").read_text())
                os.kill(process, signal.SIGTERM)
                # It ends when the daemon does.
                up.read()
            self.assertEqual({event["pid"] for event in self.events()}, {process})
            log = self.folder / "log"
            self.assertEqual(log.read_text().count("turns: waiting"), 1)
            log.unlink()

    def test_a_file_that_cannot_be(self) -> None:
        for name, value in [
            ("NBTWISTED_TRACE", "/nowhere/x"),
            ("NBTWISTED_TRACE", "/dev/full"),
            ("NBTWISTED_STALL_MS", "x"),
            ("NBTWISTED_CLOCK", "x"),
            ("NBTWISTED_THREAD_CHECK", "x"),
        ]:
            for reactor in ("traced", "eager"):
                if reactor == "eager" and name[-5:] not in ("CLOCK", "CHECK"):
                    continue
                ran = warm_start.run(
                    [sys.executable, "-m", "nbtwisted", "serve", "--reactor", reactor],
                    timeout=30,
                    env={**os.environ, name: value},
                )
                self.assertEqual((ran.returncode, ran.stdout), (2, ""), ran.stderr)
                self.assertEqual(ran.stderr.count("\n"), 1, ran.stderr)
                self.assertIn(name, ran.stderr)
