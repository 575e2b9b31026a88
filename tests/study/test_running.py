"""Programs beside a real delay server."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study import calls, running
from nbtwisted.study.checks import (
    answers,
    together,
)
from nbtwisted.study.run import Run
from nbtwisted.study.running import Runner
from nbtwisted.study.task import Task

TWO_AT_ONCE = """
import socket, sys

def send(target):
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    connection.sendall(f"GET {target} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n".encode())
    return connection

# One waits for as long as the program runs.
waiting = send("/?_fault=stall")
for target in ("/?_delay=200ms", "/?_fault=reset&_delay=50ms"):
    connection = send(target)
    try:
        print(connection.recv(4096).decode().splitlines()[0])
    except OSError as error:
        print(type(error).__name__)
print(sys.argv[2:])
"""


class RunnerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.runner = Runner()
        self.addCleanup(self.runner.__exit__)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.program = Path(folder.name, "program.py")

    def run_program(self, program: str, task: Task) -> Run:
        self.program.write_text(program)
        return self.runner.run(self.program, task)

    def test_what_the_server_saw(self) -> None:
        run = self.run_program(
            TWO_AT_ONCE, Task(arguments=("a", "b"), traced=False, seconds=20)
        )
        self.assertEqual((run.exit_code, run.stderr), (0, ""))
        self.assertEqual(
            run.stdout, "HTTP/1.1 200 OK\nConnectionResetError\n['a', 'b']\n"
        )
        _, first, second = run.requests
        self.assertEqual((first.number, first.target), (2, "/?_delay=200ms"))
        self.assertEqual(
            (first.status, first.outcome, first.sent), (200, "answered", 21)
        )
        self.assertEqual((second.fault, second.outcome), ("reset", "broken"))
        assert first.ended is not None
        assert first.held is not None
        # On one axis with the program: it came after its beginning, and it ended then.
        self.assertTrue(0 < first.came < first.ended <= run.seconds + 0.05, run)
        self.assertTrue(0.2 <= first.held <= first.ended - first.came + 0.001, first)
        self.assertEqual(run.together, 2)
        self.assertIsNone(run.calls)
        self.assertTrue(run.server_lives)

    def test_without_strace_and_on_one_processor(self) -> None:
        calls.has_strace.cache_clear()
        self.addCleanup(calls.has_strace.cache_clear)
        # The path that the environment has, for finding strace.
        before = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        os.environ["PATH"] = "/not/there"
        self.patch(running, "usable_cores", lambda: 1)
        begin, end = (f"open('notes', 'a').write({word!r})\n" for word in "be")
        run = self.run_program(begin + TWO_AT_ONCE + end, Task(seconds=20))
        self.assertEqual((run.exit_code, run.stderr), (0, ""))
        # The counted copy had ended when the program began.
        notes = self.program.with_name("notes").read_text()
        self.assertEqual(notes, "bebe")
        assert run.calls is not None
        self.assertEqual(run.calls["connect"].count, 3)
        self.assertIsNone(run.calls["connect"].errors)
        # The requests of the copy are not the program's.
        self.assertEqual(len(run.requests), 3)

    def test_a_server_that_the_program_ends(self) -> None:
        servers = self.runner._servers._process.pid
        task = Task(answers(5), traced=False, seconds=20)
        run = self.run_program(f"import os\nos.kill({servers}, 9)\n", task)
        self.assertFalse(run.server_lives)
        finding = task.judge(run)
        assert finding is not None
        self.assertEqual(finding.seen.en, "it does not answer any more")
        # The next program has a new one.
        again = self.run_program(TWO_AT_ONCE, Task(traced=False, seconds=20))
        self.assertEqual(len(again.requests), 3)
        self.assertTrue(together(2)(again).is_good)  # type: ignore[union-attr]

    def test_an_interruption_ends_the_counted_copy(self) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        self.patch(running, "_observed", interrupted)
        began = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            self.run_program("while True: pass", Task(seconds=50))
        self.assertLess(time.monotonic() - began, 20)
