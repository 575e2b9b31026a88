"""Asking a program that was not prepared, with a stand-in for `sys.remote_exec`.

That is Python 3.14's. Here a program runs what a file says when a signal tells it to.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.ps import asking, remote
from nbtwisted.reactor.ps.errors import CannotLook, NotPrepared
from nbtwisted.reactor.ps.target import Target
from tests.reactor.asked import RUN, running

RUNS_WHAT_IT_IS_TOLD = """
import os, signal, sys
from twisted.internet import reactor
def run(*_):
    with open("told") as told:
        path = told.read()
    with open(path) as script:
        exec(script.read(), vars(sys.modules["__main__"]))
    is_clean = sorted(vars(sys.modules["__main__"])) == names
    # Not by print(), into which the signal may have come.
    os.write(1, f"{is_clean} {path}\\n".encode())
signal.signal(signal.SIGUSR1, run)
names = None
names = sorted(vars(sys.modules["__main__"]))
"""


class RemoteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(remote, "SINCE", (3, 0))
        self.ended = 0, b""
        self.told: list[str] = []
        self.patch(subprocess, "run", self._as_python)

    def _as_python(self, command: list[str], **options: Any) -> Any:
        """As Python would run it to tell another of a file."""
        executable, *_, pid, path = command
        self.assertEqual(executable, os.readlink(f"/proc/{pid}/exe"))
        self.told.append(path)
        code, error = self.ended
        if code == 0 and path != os.devnull:
            Path(f"/proc/{pid}/cwd/told").write_text(path)
            os.kill(int(pid), signal.SIGUSR1)
        return subprocess.CompletedProcess(command, code, b"", error)

    def error_of(self, program: str) -> str:
        with running(program) as process, Target(process.pid) as target:
            return str(self.assertRaises(CannotLook, asking.ask, target))

    def test_it_answers(self) -> None:
        with running(RUNS_WHAT_IT_IS_TOLD + RUN) as process:
            with Target(process.pid) as target:
                self.assertIsNone(target.number)
                snapshot = asking.ask(target)
            self.assertEqual(snapshot["pid"], process.pid)
            files = [file for file, _, _ in snapshot["stack"]]
            self.assertNotIn("<nbtwisted ps>", files)
            assert process.stdout is not None
            # Nothing is left behind: no name in the program, no file.
            self.assertEqual(process.stdout.readline(), f"True {self.told[0]}\n")
            self.assertFalse(os.path.exists(self.told[0]))
            # On a busy machine, it may have been asked again.
            self.assertEqual(set(self.told), {self.told[0]})

    def test_it_is_not_prepared_by_that(self) -> None:
        program = RUNS_WHAT_IT_IS_TOLD + RUN
        with running(program) as process, Target(process.pid) as target:
            asking.ask(target)
            self.assertIsNone(target.number)

    def test_a_file_that_it_has_not_come_to_is_taken_back(self) -> None:
        self.patch(asking, "UNTIL_IT_ANSWERS", 0.2)
        program = RUNS_WHAT_IT_IS_TOLD + "signal.signal(signal.SIGUSR1, lambda *_: 0)"
        self.assertIn("or wait for an event", self.error_of(program + RUN))
        self.assertEqual(self.told[-1], os.devnull)
        self.assertFalse(os.path.exists(self.told[0]))

    def test_what_the_script_raises_is_told(self) -> None:
        module = "nbtwisted.reactor.answering"
        program = f"{RUNS_WHAT_IT_IS_TOLD}\nsys.modules['{module}'] = None\n{RUN}"
        self.assertIn("no snapshot: ModuleNotFoundError: ", self.error_of(program))

    def test_a_program_without_a_module_that_is_needed(self) -> None:
        for module in ("nbtwisted.reactor.seen_threads", "nbtwisted.reactor.snapshot"):
            program = f"{RUNS_WHAT_IT_IS_TOLD}\nsys.modules['{module}'] = None\n{RUN}"
            self.assertIn(
                f"no snapshot: it has no module {module}", self.error_of(program)
            )

    def test_a_python_that_is_too_old(self) -> None:
        self.ended = 3, b""
        program = RUNS_WHAT_IT_IS_TOLD + RUN
        with running(program) as process, Target(process.pid) as target:
            self.assertRaises(NotPrepared, asking.ask, target)
            self.patch(remote, "SINCE", (4, 0))
            self.assertRaises(NotPrepared, asking.ask, target)
        self.assertEqual(len(self.told), 1)

    def test_a_python_that_may_not(self) -> None:
        self.ended = 1, b"Traceback\nPermissionError: not \x1b allowed\n"
        self.assertTrue(
            self.error_of(RUNS_WHAT_IT_IS_TOLD + RUN).endswith(
                "): PermissionError: not \\x1b allowed"
            )
        )
