"""`nbtwisted ps`: what it prints, how it exits, and which processes it refuses."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pwd
import signal
import subprocess
import sys
import threading
from typing import Any
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.ps import asking, command, remote
from nbtwisted.reactor.ps.errors import Gone
from nbtwisted.reactor.ps.target import Target
from tests import warm_start
from tests.reactor.asked import FILE, RUN, running

ON_OURS = """
from nbtwisted import reactor
reactor.install()
from twisted.internet import reactor
"""
ON_OUR_ASYNCIO = """
from nbtwisted.reactor.eager_asyncio import install
install()
from twisted.internet import reactor
"""
ON_TRACED = """
from nbtwisted.reactor import traced
traced.install()
from twisted.internet import reactor
"""
ON_ANOTHER = """
from twisted.internet import reactor
"""
HANGS = """
from twisted.internet import reactor
from twisted.internet.defer import Deferred

async def answer():
    await Deferred()

hangs = Deferred.fromCoroutine(answer())
"""
BESIDE_ANOTHER_LOOP = """
import nbtwisted.reactor.inspect
import asyncio, threading, warnings
from twisted.internet import asyncioreactor
asyncioreactor.install()
from twisted.internet import reactor
warnings.simplefilter("error")
threading.Thread(target=lambda: asyncio.run(asyncio.sleep(60)), daemon=True).start()
"""
WITHOUT_SIGNALS = """
import os
from nbtwisted import reactor
reactor.install()
from twisted.internet import reactor
reactor.callWhenRunning(os.write, 1, b"up\\n")
reactor.run(installSignalHandlers=False)
"""
SNAPSHOT = {"version": 1, "pid": 7, "argv": ["x\u202e", "é"], "waiting": []}


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def ps(*arguments: str, stdout: Any = None, **more: Any) -> tuple[object, str, str]:
    """The exit code, and what is on stdout and stderr."""
    out, err = stdout or io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command.main(arguments, **more)
        except SystemExit as end:
            code = end.code
    return code, out.getvalue() if stdout is None else "", err.getvalue()


class ProgramTests(SynchronousTestCase):
    """Programs that nobody has prepared, but that run on a reactor of ours."""

    def assertAnswers(self, program: str, reactor: str) -> None:
        with running(program + RUN) as process:
            code, out, err = ps("--json", str(process.pid))
            self.assertEqual((code, err), (0, ""))
            snapshot = json.loads(out)
            self.assertEqual(snapshot["pid"], process.pid)
            self.assertEqual(snapshot["reactor"], reactor)
            process.terminate()
            self.assertEqual(process.communicate(), ("over\n", ""))

    def test_eager(self) -> None:
        self.assertAnswers(ON_OURS, "EagerEPollReactor")

    def test_eager_asyncio(self) -> None:
        self.assertAnswers(ON_OUR_ASYNCIO, "EagerAsyncioReactor")

    def test_another_reactor_beside_a_second_loop(self) -> None:
        self.assertAnswers(BESIDE_ANOTHER_LOOP, "AsyncioSelectorReactor")

    def test_what_hangs_is_named_with_its_line(self) -> None:
        imports = "import nbtwisted.reactor.inspect"
        traced = "nbtwisted", "trace", FILE
        for program, words in ((imports + HANGS + RUN, ()), (HANGS + RUN, traced)):
            with running(program, *words) as process:
                code, out, err = ps(str(process.pid))
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(
                out,
                rf"coroutine __main__.answer at \S*{FILE}:6, for [^\n]*\n└── Deferred, "
                rf"for [\d.]+ m?s, never fired, made at \S*{FILE}:6 ",
            )

    def test_what_watches_for_stalls_goes_on(self) -> None:
        with running(ON_TRACED + RUN) as process:
            threads = os.listdir(f"/proc/{process.pid}/task")
            self.assertEqual(len(threads), 2)
            self.assertEqual(ps(str(process.pid))[0], 0)
            self.assertEqual(os.listdir(f"/proc/{process.pid}/task"), threads)

    def test_as_a_command(self) -> None:
        with running(ON_OURS + RUN) as process:
            done = warm_start.run(
                [sys.executable, "-m", "nbtwisted", "ps", str(process.pid)],
                timeout=30,
            )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, rf"^PID {process.pid}: ")

    @skipIf(sys.version_info >= remote.SINCE, "any program can be asked")
    def test_a_program_that_nobody_has_prepared(self) -> None:
        for program in (ON_ANOTHER + RUN, WITHOUT_SIGNALS):
            with running(program) as process:
                code, out, err = ps(str(process.pid))
                self.assertEqual((code, out), (1, ""))
                self.assertIn("started with `nbtwisted trace`, imports", err)
                self.assertEqual(len(err.splitlines()), 1)
                self.assertIsNone(process.poll())


class RefusedTests(SynchronousTestCase):
    """Processes that are not asked, and arguments that are none."""

    def setUp(self) -> None:
        self.patch(asking, "UNTIL_IT_ANSWERS", 0.3)

    def assertRefused(self, expected: str, *arguments: str, code: int = 1) -> None:
        exit_code, out, err = ps(*arguments)
        self.assertEqual((exit_code, out), (code, ""))
        self.assertIn(expected, err)
        self.assertEqual(len(err.splitlines()), 1)

    def test_arguments(self) -> None:
        for arguments, expected in (
            ([], "expected a PID"),
            (["x"], "'x': expected the number of a process"),
            (["0"], "'0': expected the number of a process"),
            (["-1"], "expected the number of a process"),
            (["9" * 5000], "expected the number of a process"),
            (["1", "2"], "unrecognized arguments: 2"),
            (["--watch"], "expected a PID"),
            (["--watch", "x"], "'x': expected the number of a process"),
            (["--watch", "x", "1"], "'x': expected seconds such as"),
            (["--watch=0", "1"], "expected seconds such as"),
            (["--json"], "expected a PID"),
        ):
            self.assertRefused(expected, *arguments, code=2)

    def test_nobody_has_the_number(self) -> None:
        with subprocess.Popen(["true"]) as process:
            process.wait()
        self.assertRefused("no process has the PID", str(process.pid))
        self.assertRefused("no process has the PID", "999999999")

    def test_a_thread(self) -> None:
        over = threading.Event()
        thread = threading.Thread(target=over.wait)
        thread.start()
        try:
            self.assertRefused("is the number of a thread", str(thread.native_id))
        finally:
            over.set()
            thread.join()

    def test_no_python(self) -> None:
        pipe = subprocess.PIPE
        with subprocess.Popen(["cat"], stdin=pipe, stdout=pipe) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            # Once it answers, it is that and not yet a fork of this process.
            process.stdin.write(b"x\n")
            process.stdin.flush()
            process.stdout.readline()
            self.assertRefused("(cat) is no Python program", str(process.pid))

    def test_another_users(self) -> None:
        self.patch(os, "geteuid", lambda: 4242)
        name = pwd.getpwuid(os.getuid()).pw_name
        self.assertRefused(f"belongs to {name}: expected a", str(os.getpid()))

    def test_one_that_is_stopped(self) -> None:
        with running(ON_OURS + RUN) as process:
            os.kill(process.pid, signal.SIGSTOP)
            self.assertRefused(f"(kill -CONT {process.pid})", str(process.pid))

    def test_one_that_has_ended_and_is_not_waited_for(self) -> None:
        with subprocess.Popen(["true"]) as process:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.assertRefused("has ended", str(process.pid))

    def test_elsewhere(self) -> None:
        self.patch(sys, "platform", "darwin")
        self.assertRefused("expected Linux", "1")


class ShownTests(SynchronousTestCase):
    """What is printed of a snapshot, which is that of a process of the tests'."""

    def setUp(self) -> None:
        self.answers: list[Any] = [SNAPSHOT]
        self.patch(command, "ask", self._ask)
        self.slept: list[float] = []

    def _ask(self, target: Target) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ps(self, *arguments: str, **more: Any) -> tuple[object, str, str]:
        pid = str(os.getpid())
        return ps(*arguments, pid, sleep=self.slept.append, **more)

    def test_json(self) -> None:
        code, out, _ = self.ps("--json")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out), SNAPSHOT)
        self.assertTrue(out.isascii())
        self.assertGreater(len(out.splitlines()), 3)

    def test_json_again_and_again_is_a_line_each(self) -> None:
        self.answers = [SNAPSHOT, SNAPSHOT, Gone("it has ended")]
        code, out, err = self.ps("--json", "--watch", "0.5")
        self.assertEqual(code, 0)
        self.assertEqual(
            [json.loads(line) for line in out.splitlines()], 2 * [SNAPSHOT]
        )
        self.assertEqual(self.slept, [0.5, 0.5])
        self.assertEqual(err, "nbtwisted ps: it has ended\n")

    def test_it_ends_before_it_was_shown(self) -> None:
        self.answers = [Gone("it has ended")]
        self.assertEqual(
            self.ps("--watch"), (1, "", "nbtwisted ps: error: it has ended\n")
        )

    def test_watched_without_a_terminal(self) -> None:
        self.answers = [SNAPSHOT, SNAPSHOT, Gone("it has ended")]
        code, out, _ = self.ps("--watch")
        self.assertEqual(code, 0)
        self.assertEqual(out.count("PID 7: x\\u202e é\n"), 2)
        self.assertNotIn("\x1b", out)
        self.assertEqual(self.slept, [command.EVERY] * 2)

    def test_watched_on_a_terminal(self) -> None:
        many = {**SNAPSHOT, "processes": [{"name": "x", "pid": 1}] * 100}
        self.answers = [many, many, Gone("it has ended")]
        screen = Screen()
        self.ps("--watch=1", stdout=screen)
        _, *screens = screen.getvalue().split("\x1b[H\x1b[J")
        self.assertEqual(len(screens), 2)
        for each in screens:
            self.assertLess(len(each.splitlines()), 25)
            self.assertIn("more lines)", each)

    def test_a_terminal_of_few_columns(self) -> None:
        self.answers = [{**SNAPSHOT, "argv": ["word"] * 30}]
        screen = Screen()
        self.ps(stdout=screen)
        self.assertLessEqual(max(map(len, screen.getvalue().splitlines())), 80)

    def test_without_a_stream(self) -> None:
        self.patch(sys, "stdout", None)
        for arguments in ([], ["--json"]):
            self.answers = [SNAPSHOT]
            pid = str(os.getpid())
            end = self.assertRaises(SystemExit, command.main, [*arguments, pid])
            self.assertEqual(end.code, 0)

    def test_a_stream_of_ascii(self) -> None:
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        self.answers = [{**SNAPSHOT, "waiting": [{"waits_for": [{}]}]}]
        code, _, err = self.ps(stdout=stream)
        self.assertEqual((code, err), (0, ""))
        text = stream.buffer.getvalue().decode()
        self.assertIn("PID 7: x\\u202e \\xe9\n", text)
        self.assertIn("`-- something", text)


class PlaceTests(SynchronousTestCase):
    def test_as_short_as_it_is_clear(self) -> None:
        here = os.getcwd()
        for file, short in (
            ("/x/lib/python3.11/site-packages/treq/api.py", "treq/api.py"),
            (f"{here}/app/main.py", "app/main.py"),
            (f"{here}x/main.py", f"{here}x/main.py"),
            ("<string>", "<string>"),
        ):
            self.assertEqual(command._place(file), short)
