"""A command that starts warm is what it would be in a new interpreter."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import signal
import subprocess
import sys
import tempfile
import textwrap
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import warm_start

TELLS = """
import atexit, json, os, signal, sys, time
streams = [sys.stdin, sys.stdout, sys.stderr]
print(json.dumps({
    "arguments": sys.argv[1:],
    "environment": {**os.environ, "_": None},
    "folder": [os.getcwd(), sys.path[0]],
    "streams": [
        (s.name, s.mode, s.encoding, s.errors, s.newlines, s.isatty(),
         s.line_buffering, s.write_through, os.fstat(s.fileno()).st_mode)
        for s in streams
    ],
    "read": sys.stdin.read() if not os.isatty(0) else None,
    "signals": [str(signal.getsignal(n)) for n in range(1, 32)],
    "files": sorted(os.listdir("/proc/self/fd")),
    "name": (__name__, __file__, __spec__.name),
    "zone": time.tzname,
    "reactor": "twisted.internet.reactor" in sys.modules,
}))
atexit.register(print, "the end")
"""
ENDS = {
    "nothing": ("", 0),
    "code": ("import sys; sys.exit(5)", 5),
    "words": ("import sys; sys.exit('no')", 1),
    "error": ("1 / 0", 1),
    "signal": ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
    "interrupt": ("raise KeyboardInterrupt", -signal.SIGINT),
    "thread": (
        "import sys, threading\n"
        "threading.Timer(0.1, print, ['later'], {'file': sys.stderr}).start()",
        0,
    ),
    "daemon": (
        "from threading import Event, Thread\n"
        "Thread(target=Event().wait, daemon=True).start()",
        0,
    ),
    "atexit": ("import atexit; atexit.register(lambda: 1 / 0)", 0),
    "cycle": (
        "import os\nclass A:\n    def __del__(self, end=os.write): end(2, b'gone')\n"
        "kept = [A()]\nkept.append(kept)",
        0,
    ),
    "file": ("import sys; kept = open('/dev/stderr', 'w'); kept.write('a')", 0),
    "full": ("import sys; sys.stdout = open('/dev/full', 'w'); print('a')", 120),
}


class WarmStartTests(SynchronousTestCase):
    maxDiff = None

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        self.module("tells", TELLS)

    def module(self, name: str, text: str) -> None:
        pathlib.Path(self.folder, f"{name}.py").write_text(text, encoding="utf-8")

    def both(self, *arguments: str, **options: Any) -> list[Any]:
        """How it ended and what it printed, started anew and started warm."""
        command = [sys.executable, "-m", *arguments]
        # Not the environment as C has it, to which readline adds.
        options = {"cwd": self.folder, "timeout": 30, "env": os.environ, **options}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        anew = subprocess.run(command, text=True, check=False, **{**pipes, **options})
        warm = warm_start.run(command, **options)
        return [(ran.returncode, ran.stdout, ran.stderr) for ran in (anew, warm)]

    def test_is_a_new_interpreter(self) -> None:
        environment = {**os.environ, "A": "é\udcff", "TZ": "Asia/Tokyo"}
        for options in (
            {"input": "a\r\né\n"},
            {"stdin": subprocess.DEVNULL, "env": environment},
            {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT},
        ):
            anew, warm = self.both("tells", "a", "-b", "é", **options)
            self.assertEqual((warm[0], warm[2]), (anew[0], anew[2]))
            first, second = (json.loads(ran[1].splitlines()[0]) for ran in (anew, warm))
            self.assertEqual(first, second)
            self.assertEqual(warm[1].splitlines()[1:], ["the end"])

    def test_on_a_terminal(self) -> None:
        told = []
        starts: list[Any] = [subprocess.Popen, warm_start.Popen]
        for start in starts:
            ours, theirs = pty.openpty()
            with start(
                [sys.executable, "-m", "tells"],
                cwd=self.folder,
                env=os.environ,
                **dict.fromkeys(["stdin", "stdout", "stderr"], theirs),
            ) as process:
                os.close(theirs)
                with open(ours, "rb") as terminal:
                    told.append(json.loads(terminal.readline()))
                process.kill()
        self.assertEqual(told[0], told[1])

    def test_how_it_ends(self) -> None:
        for name, (text, code) in ENDS.items():
            self.module(f"ends_by_{name}", text)
            anew, warm = self.both(f"ends_by_{name}")
            self.assertEqual(anew[:2], (code, ""))
            self.assertEqual(warm[:2], (code, ""))
            # The tracebacks differ above the module, and not below.
            self.assertEqual(warm[2].splitlines()[-1:], anew[2].splitlines()[-1:])

    def test_signals_reach_it(self) -> None:
        self.module("waits", "import signal\nprint(flush=True)\nsignal.pause()")
        for number in (signal.SIGINT, signal.SIGTERM):
            with warm_start.Popen(
                [sys.executable, "-m", "waits"],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                self.assertIsNone(process.poll())
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(0.01)
                process.send_signal(number)
            self.assertEqual(process.returncode, -number)

    def test_does_not_outlive_a_suite_that_dies(self) -> None:
        self.module(
            "waits", "import signal\nprint('waits', flush=True)\nsignal.pause()"
        )
        dies = """
            import os, sys
            from tests import warm_start
            warm_start.Popen([sys.executable, "-m", "waits"])
            os._exit(0)
        """
        # It has this one's stdout, too, which ends when both have.
        died = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(dies)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])},
            stdout=subprocess.PIPE,
            check=True,
            timeout=30,
        )
        # It may have come to an end at any moment.
        self.assertTrue(b"waits\n".startswith(died.stdout), died.stdout)

    def test_too_slow(self) -> None:
        self.module("waits", "import signal\nsignal.pause()")
        with self.assertRaises(subprocess.TimeoutExpired):
            waits = [sys.executable, "-m", "waits"]
            warm_start.run(waits, cwd=self.folder, timeout=0.1)

    def test_what_only_a_new_interpreter_can_do_is_left_to_one(self) -> None:
        environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
        anew, warm = self.both("tells", input="", env=environment)
        self.assertIn('"latin-1"', warm[1])
        self.assertEqual(anew[1], warm[1])
        self.assertEqual(warm_start.run(["true"], timeout=10).returncode, 0)
