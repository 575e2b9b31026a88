"""Programs that are watched: short ones, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from threading import Event, Timer
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.study import process
from nbtwisted.study.process import MOST_OUTPUT, Watched, _Output, watch
from nbtwisted.study.run import Sample
from tests.study.small_study import is_running

LONG = 30.0
"""Seconds: a program that is not ended has a test fail."""


class ProcessCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def watch(
        self, program: str, *, seconds: float = LONG, stopped: Event | None = None
    ) -> Watched:
        (self.folder / "program.py").write_text(program, encoding="utf-8")
        return watch(
            # Without what takes an interpreter long to start.
            [sys.executable, "-S", "-E", "program.py"],
            seconds=seconds,
            environment={**os.environ, "A_VARIABLE": "日本"},
            folder=self.folder,
            stopped=stopped,
        )

    def waiting(self, has_come: Callable[[str, str], bool]) -> None:
        """Have no deadline looked at before this is true of stdout and stderr."""
        read = _Output.read
        give_up = time.monotonic() + LONG

        def read_until(output: _Output, seconds: float) -> None:
            read(output, seconds)
            while not has_come(*output.texts()) and time.monotonic() < give_up:
                read(output, seconds)

        self.patch(_Output, "read", read_until)

    def waiting_for_lines(self, number: int) -> None:
        """Have no deadline looked at before the program has printed so many."""
        self.waiting(lambda stdout, _: stdout.count("\n") >= number)

    def seeing(self, is_seen: Callable[[Sample], bool]) -> None:
        """Have the first look last until this is true; then there is a file `seen`."""
        sample = process._sample
        give_up = time.monotonic() + LONG

        def sample_until(session: int, at: float) -> list[Sample]:
            found = sample(session, at)
            while not any(map(is_seen, found)) and time.monotonic() < give_up:
                found = sample(session, at)
            self.patch(process, "_sample", sample)
            (self.folder / "seen").touch()
            return found

        self.patch(process, "_sample", sample_until)

    def pids(self, watched: Watched) -> list[int]:
        """The processes whose numbers the program printed."""
        return [int(line) for line in watched.stdout.split()]

    def assert_gone(self, pid: int) -> None:
        self.assertFalse(is_running(pid), f"process {pid} is there")


class EndingTests(ProcessCase):
    def test_one_that_ends_well(self) -> None:
        before = time.time()
        watched = self.watch(
            "import os, sys\n"
            "print(os.environ['A_VARIABLE'], os.getcwd())\n"
            "print('bad', file=sys.stderr)\n"
            "print(sys.stdin.read(), end='')\n"
        )
        self.assertEqual(watched.ending.exit_code, 0, watched)
        self.assertEqual(watched.stdout, f"日本 {self.folder}\n")
        self.assertEqual(watched.stderr, "bad\n")
        self.assertGreater(watched.ending.user + watched.ending.system, 0.001)
        self.assertGreater(watched.ending.memory, 3_000_000)
        self.assertTrue(before <= watched.began <= time.time())
        self.assertLess(watched.ending.seconds, 10)

    def test_exit_codes(self) -> None:
        for code in (1, 127, 255):
            watched = self.watch(f"raise SystemExit({code})")
            self.assertEqual(watched.ending.exit_code, code)

    def test_signals(self) -> None:
        for name, number in (("SIGTERM", 15), ("SIGKILL", 9), ("SIGSEGV", 11)):
            watched = self.watch(
                f"import os, signal\nos.kill(os.getpid(), signal.{name})"
            )
            self.assertEqual(watched.ending.exit_code, -number)
            # The shell that guards it does not speak.
            self.assertEqual(watched.stderr, "")

    def test_a_folder_that_is_not_there(self) -> None:
        with self.assertRaises(FileNotFoundError):
            watch(["true"], seconds=1, environment={}, folder=self.folder / "no")

    def test_a_program_that_is_not_there(self) -> None:
        watched = watch(
            ["/not/there"], seconds=LONG, environment={}, folder=self.folder
        )
        self.assertEqual(watched.ending.exit_code, 127)


class NothingIsLeftTests(ProcessCase):
    def test_a_deadline_ends_all(self) -> None:
        self.waiting_for_lines(2)
        watched = self.watch(
            "import os, signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "os.fork()\n"
            "print(os.getpid(), flush=True)\n"
            "while True: time.sleep(60)\n",
            seconds=0.3,
        )
        self.assertIsNone(watched.ending.exit_code)
        self.assertTrue(0.3 <= watched.ending.seconds < 5, watched)
        self.assertEqual(len(self.pids(watched)), 2)
        for pid in self.pids(watched):
            self.assert_gone(pid)

    def test_a_deadline_keeps_what_was_used(self) -> None:
        self.seeing(lambda sample: sample.user + sample.system > 0.02)
        # Nobody waits for the child.
        watched = self.watch(
            "import os, time\nif os.fork(): time.sleep(60)\nwhile True: pass",
            seconds=0.6,
        )
        self.assertIsNone(watched.ending.exit_code)
        if watched.samples:
            last = watched.samples[-1]
            used = watched.ending.user + watched.ending.system
            self.assertGreater(used, 0.02)
            self.assertGreaterEqual(used, last.user + last.system)

    def test_children_that_a_program_leaves_are_ended(self) -> None:
        watched = self.watch(
            "import os, time\n"
            "told, tells = os.pipe()\n"
            "if os.fork() == 0:\n"
            "    print(os.getpid(), flush=True)\n"
            "    os.close(tells)\n"
            "    time.sleep(60)\n"
            "os.close(tells)\n"
            "os.read(told, 1)\n"
        )
        self.assertEqual(watched.ending.exit_code, 0)
        # It held the pipe, and is not waited for.
        self.assertLess(watched.ending.seconds, 10)
        [child] = self.pids(watched)
        self.assert_gone(child)

    def test_a_child_that_left_the_session_is_ended(self) -> None:
        watched = self.watch(
            "import os\n"
            # Closed in the child when another program takes its place.
            "told, tells = os.pipe()\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    print(os.getpid(), flush=True)\n"
            "    os.execvp('sleep', ['sleep', '60'])\n"
            "os.close(tells)\n"
            "os.read(told, 1)\n"
        )
        [child] = self.pids(watched)
        self.assert_gone(child)

    def test_one_that_kills_its_parent(self) -> None:
        for how in (
            "os.kill(os.getppid(), 9)",
            "os.killpg(os.getpgid(os.getppid()), 15)",
        ):
            watched = self.watch(
                "import os, time\n"
                "print(os.getpid(), flush=True)\n"
                f"{how}\n"
                "while True: time.sleep(60)\n"
            )
            self.assertIn(watched.ending.exit_code, (-9, -15))
            for pid in self.pids(watched):
                self.assert_gone(pid)

    def test_one_that_is_stopped_by_another_thread(self) -> None:
        self.waiting_for_lines(1)
        stopped = Event()
        timer = Timer(0.2, stopped.set)
        timer.start()
        self.addCleanup(timer.join)
        watched = self.watch(
            "import os\nprint(os.getpid(), flush=True)\nwhile True: pass\n",
            stopped=stopped,
        )
        self.assertIsNone(watched.ending.exit_code)
        self.assertLess(watched.ending.seconds, 10)
        [pid] = self.pids(watched)
        self.assert_gone(pid)

    def test_an_interruption_ends_it(self) -> None:
        found: list[int] = []

        def interrupted(session: int, _: float) -> list[object]:
            found.append(session)
            raise KeyboardInterrupt

        self.patch(process, "_sample", interrupted)
        with self.assertRaises(KeyboardInterrupt):
            self.watch("while True: pass")
        os.waitpid(found[0], 0)
        self.assert_gone(found[0])

    def test_an_interruption_before_it_is_known_to_have_begun_ends_it(self) -> None:
        begun: list[subprocess.Popen[bytes]] = []

        class Interrupted(subprocess.Popen[bytes]):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                begun.append(self)
                raise KeyboardInterrupt

        self.patch(subprocess, "Popen", Interrupted)
        with self.assertRaises(KeyboardInterrupt):
            self.watch("while True: pass")
        with begun[0] as guard:
            try:
                self.assert_gone(guard.pid)
            finally:
                os.killpg(guard.pid, signal.SIGKILL)


class OutputTests(ProcessCase):
    def test_endless_printing_is_capped(self) -> None:
        self.waiting(lambda *texts: min(map(len, texts)) == MOST_OUTPUT)
        watched = self.watch(
            "import sys\n"
            "while True:\n"
            "    sys.stdout.write('x' * 65536)\n"
            "    sys.stderr.write('y' * 65536)\n",
            seconds=0.5,
        )
        self.assertIsNone(watched.ending.exit_code)
        self.assertEqual(watched.stdout, "x" * MOST_OUTPUT)
        self.assertEqual(watched.stderr, "y" * MOST_OUTPUT)

    def test_what_is_no_utf_8(self) -> None:
        watched = self.watch(
            "import os\nos.write(1, b'\\xff\\xe3\\x81')\nos.write(2, b'\\x80')\n"
        )
        self.assertEqual((watched.stdout, watched.stderr), ("\ufffd\ufffd", "\ufffd"))

    def test_one_that_closes_its_streams(self) -> None:
        watched = self.watch(
            "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(.1)"
        )
        self.assertEqual(watched.ending.exit_code, 0)

    def test_all_is_read_of_one_that_writes_and_ends(self) -> None:
        watched = self.watch("import os\nos.write(1, b'x' * 60_000)")
        self.assertEqual(len(watched.stdout), 60_000)

    def test_all_is_read_by_one_that_was_held_up(self) -> None:
        self.patch(_Output, "read", lambda *_: None)
        self.patch(process, "SECONDS_TO_CLOSE", -1.0)
        watched = self.watch("import os\nos.write(1, b'x' * 60_000)")
        self.assertEqual(len(watched.stdout), 60_000)


class SampleTests(ProcessCase):
    def test_what_there_is_to_see(self) -> None:
        self.seeing(
            lambda sample: (
                (sample.processes, sample.threads) == (2, 5)
                and sample.user + sample.system >= 0.05
            )
        )
        watched = self.watch(
            "import os, threading, time\n"
            "def wait():\n"
            "    while not os.path.exists('seen'): time.sleep(.01)\n"
            "files = [os.open('/dev/null', 0) for _ in range(40)]\n"
            "page = bytearray(30_000_000)\n"
            "for _ in range(3):\n"
            "    threading.Thread(target=wait).start()\n"
            "if os.fork() == 0:\n"
            "    wait()\n"
            "    os._exit(0)\n"
            "until = time.process_time() + .1\n"
            "while time.process_time() < until: pass\n"
            "os.wait()\n"
        )
        self.assertEqual(watched.ending.exit_code, 0, watched.stderr)
        samples = watched.samples
        self.assertEqual(max(sample.processes for sample in samples), 2)
        self.assertEqual(max(sample.threads for sample in samples), 5)
        most = max(sample.descriptors for sample in samples)
        self.assertTrue(80 <= most < 120, most)
        self.assertGreater(max(sample.memory for sample in samples), 35_000_000)
        # The kernel counts in ticks of 10 ms, and guesses which are the program's own.
        used = max(sample.user + sample.system for sample in samples)
        self.assertGreaterEqual(used, 0.05)
        times = [sample.at for sample in samples]
        self.assertEqual(times, sorted(times))

    @unittest.skipUnless(os.path.exists("/proc/self/schedstat"), "it tells of no turns")
    def test_how_long_others_had_the_processor(self) -> None:
        self.seeing(lambda sample: sample.held_up > 0.02)
        watched = self.watch(
            "import os\n"
            "os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
            "os.fork()\n"
            "while not os.path.exists('seen'): pass\n"
        )
        self.assertEqual(watched.ending.exit_code, 0, watched.stderr)
        held_up = [sample.held_up for sample in watched.samples]
        self.assertTrue(0.02 < max(held_up) < watched.ending.seconds, held_up)

    def test_where_there_is_no_proc(self) -> None:
        self.patch(process, "PROC", str(self.folder / "no-proc"))
        watched = self.watch(
            "import os, time\n"
            "child = os.fork()\n"
            "if child == 0: time.sleep(60)\n"
            "print(child)\n"
        )
        self.assertEqual(watched.ending.exit_code, 0)
        self.assertEqual(watched.samples, [])
        self.assertGreater(watched.ending.memory, 3_000_000)
        [child] = self.pids(watched)
        self.assert_gone(child)

    def test_a_proc_of_others_alone(self) -> None:
        # As with hidepid=2.
        (self.folder / "proc").mkdir()
        self.patch(process, "PROC", str(self.folder / "proc"))
        self.assertEqual(self.watch("").samples, [])

    def test_a_system_that_cannot_wait_for_a_process(self) -> None:
        self.patch(process, "_end_of", lambda pid: None)
        watched = self.watch("import time\ntime.sleep(.12)\nprint(1)")
        self.assertEqual((watched.ending.exit_code, watched.stdout), (0, "1\n"))
        self.assertLess(watched.ending.seconds, 5)
