"""Calls counted by the program itself, where there is no strace."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TALK = """
import socket, sys, threading, time

here, there = socket.socketpair()
listening = socket.create_server(("127.0.0.1", 0))


def talk():
    with socket.create_connection(listening.getsockname()) as connection:
        connection.sendall(b"a")
        connection.recv(10)


thread = threading.Thread(target=talk)
thread.start()
accepted, _ = listening.accept()
accepted.recv(10)
accepted.send(b"b")
accepted.close()
thread.join()
time.sleep(0)
time.sleep(0)
print(sys.argv, __name__, sys.path[0], sep="|")
"""


class RecorderTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.record = self.folder / "calls"

    def record_run(self, program: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "a.py").write_text(program, encoding="utf-8")
        return subprocess.run(
            [
                *(sys.executable, "-m", "nbtwisted.study.recorder"),
                *(str(self.record), f"{self.folder}/a.py", "8000", "--x"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def test_calls_of_all_threads(self) -> None:
        ran = self.record_run(TALK)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(
            ran.stdout,
            f"['{self.folder}/a.py', '8000', '--x']|__main__|{self.folder}\n",
        )
        counts = json.loads(self.record.read_text())
        expected = {
            "connect": 1,
            "listen": 1,
            "bind": 1,
            "accept4": 1,
            "sendto": 2,
            "recvfrom": 2,
            "clock_nanosleep": 2,
        }
        self.assertEqual({name: counts[name] for name in expected}, expected)

    def test_a_program_that_raises_has_a_record(self) -> None:
        ran = self.record_run("import time\ntime.sleep(0)\nraise OSError('no')\n")
        self.assertEqual(ran.returncode, 1)
        self.assertTrue(ran.stderr.endswith("OSError: no\n"), ran.stderr)
        self.assertEqual(json.loads(self.record.read_text()), {"clock_nanosleep": 1})

    def test_one_that_exits(self) -> None:
        ran = self.record_run("import sys\nsys.exit(7)\n")
        self.assertEqual((ran.returncode, ran.stderr), (7, ""))
        self.assertEqual(json.loads(self.record.read_text()), {})

    def test_one_that_is_no_program(self) -> None:
        ran = self.record_run("def f(:\n")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("SyntaxError", ran.stderr)
