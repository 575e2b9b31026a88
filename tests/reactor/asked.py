"""Programs in processes of their own, for `nbtwisted ps` to look into."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import warm_start

__all__ = ["FILE", "RUN", "running"]

FILE = "asked_program.py"

RUN = """
import os
# Not by print(): a signal that comes into one must not print.
reactor.callWhenRunning(os.write, 1, b"up\\n")
reactor.run()
print("over", flush=True)
"""
"""The end of a program."""


@contextlib.contextmanager
def running(program: str, *command: str) -> Iterator[warm_start.Popen]:
    """Run a program, which says on a line of its own that it is up; ends it.

    With a `command`, what `python -m` runs: `FILE` is the program's, in its folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, FILE).write_text(program, encoding="utf-8")
        process = warm_start.Popen(
            [sys.executable, "-m", *(command or ["asked_program"])],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                if line != "up\n":
                    process.kill()
                    raise AssertionError(line + process.communicate()[1])
                yield process
            finally:
                process.kill()
