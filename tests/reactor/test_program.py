"""A program that `nbtwisted trace` runs finds what it would find under `python`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from socket import AF_UNIX

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.trace.program import Program
from tests import warm_start
from tests.reactor.test_trace_command import NEVER_RAN

TELLS = """
'''What it is.'''
import sys
for name in "__name__ __doc__ __file__ __package__ __cached__ __builtins__".split():
    print(name, globals()[name])
print(__annotations__, type(__loader__), getattr(__spec__, "name", None))
print(sys.argv, sys.path[0], sys.modules["__main__"].__dict__ is globals())
"""
PICKLES = """
import multiprocessing, pickle
class Kept: pass
def make(_): return Kept()
if __name__ == "__main__":
    print(type(pickle.loads(pickle.dumps(Kept()))) is Kept)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(type(pool.map(make, [1])[0]) is Kept)
"""
LATER = """
import atexit, threading
atexit.register(lambda: print("at the end", NAME))
NAME = "still there"
def afterwards():
    threading.main_thread().join()
    print("in a thread", NAME)
threading.Thread(target=afterwards).start()
"""
HOOK = """
import sys
def show(kind, error, traceback):
    print(kind, error, traceback.tb_lineno, traceback is error.__traceback__)
sys.excepthook = show
1 / 0
"""


class CommandTests(SynchronousTestCase):
    def test_one_that_cannot_be_read(self) -> None:
        with tempfile.TemporaryDirectory() as folder, socket.socket(AF_UNIX) as it:
            self.patch(os, "environ", {"PATH": folder})
            # Not by root either.
            it.bind(f"{folder}/command")
            os.chmod(f"{folder}/command", 0o755)
            with self.assertRaisesRegex(ValueError, "^'command': No such device"):
                Program(["command"])


class ProgramTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def compare(self, *programs: str) -> None:
        """Run each by both, and expect the same of both."""
        for program in programs:
            arguments = [*program.split(), "-m", "x"]
            python = subprocess.run(
                [sys.executable, *arguments],
                capture_output=True,
                text=True,
                cwd=self.folder,
                timeout=30,
                check=False,
            )
            traced = warm_start.run(
                [sys.executable, "-m", "nbtwisted", "trace", *arguments],
                cwd=self.folder,
                timeout=30,
            )
            self.assertEqual(traced.stdout, python.stdout)
            self.assertEqual(traced.stderr, python.stderr + NEVER_RAN)
            self.assertEqual(traced.returncode, python.returncode)

    def test_scripts_folders_zip_files_and_modules(self) -> None:
        self.write("script.py", TELLS)
        self.write("folder/__main__.py", TELLS)
        self.write("package/__init__.py", "")
        self.write("package/__main__.py", TELLS)
        (self.folder / "elsewhere").mkdir()
        (self.folder / "elsewhere" / "link.py").symlink_to("../script.py")
        with zipfile.ZipFile(self.folder / "program.zip", "w") as file:
            file.writestr("__main__.py", TELLS)
        self.compare(
            *("script.py", "elsewhere/link.py", "folder", "program.zip"),
            *("-m script", "-mscript", "-m package", "-m package.__main__"),
        )

    def test_errors(self) -> None:
        self.write("fails.py", "def divide(): 1 / 0\ndivide()\n")
        self.write("syntax.py", "x = (\n")
        self.write("imports.py", "import syntax\n")
        self.write("chained.py", "try: {}[1]\nexcept KeyError: raise ValueError(2)\n")
        self.write("says.py", "raise SystemExit('why')\n")
        self.write("number.py", "raise SystemExit(7)\n")
        self.write("interrupted.py", "raise KeyboardInterrupt\n")
        self.write("hook.py", HOOK)
        self.write("empty/nothing.txt", "")
        self.compare(
            *("fails.py", "syntax.py", "imports.py", "chained.py", "says.py"),
            *("number.py", "interrupted.py", "hook.py", "empty", "-m fails"),
            *("-m syntax", "-m says", "-m empty", "-m missing", "-m fails.missing"),
        )

    def test_what_stays_after_the_end(self) -> None:
        self.write("later.py", LATER)
        self.write("pickles.py", PICKLES)
        self.compare("later.py", "pickles.py")
