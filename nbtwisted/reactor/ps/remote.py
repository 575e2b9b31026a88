"""Asks a program that was not prepared, by `sys.remote_exec` of Python 3.14.

Only a Python of the same version may do so, so the program's own interpreter is started
for it. The program runs a script then, in its main thread, as soon as it runs Python
code: at its next event, or when a signal comes that it has a handler for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

import nbtwisted
from nbtwisted.printable import printable
from nbtwisted.reactor.answering import REMOTE, Packet, address_of
from nbtwisted.reactor.ps.errors import CannotLook, NotPrepared
from nbtwisted.reactor.ps.target import Target

__all__ = ["Remote"]

SINCE = (3, 14)

TIMEOUT = 10
"""Seconds for a Python to start, and to tell another of a file."""

_TOO_OLD = 3

_EXECUTE = f"""
import sys
if not hasattr(sys, "remote_exec"):
    sys.exit({_TOO_OLD})
try:
    sys.remote_exec(int(sys.argv[1]), sys.argv[2])
except Exception as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""

_SCRIPT = """
import os, socket, sys
try:
    # Its own modules come first. What is looked for here is loaded by a copy of it.
    sys.path.append({folder!r})
    try:
        from nbtwisted.reactor.answering import answer
        answer()
    finally:
        sys.path.remove({folder!r})
except Exception as error:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.setblocking(False)
            link.connect({address!r})
            why = f"{{type(error).__name__}}: {{error}}"
            link.send({failed!r} + why[:200].encode())
    except Exception:
        pass
"""


class Remote:
    """The way to ask a process by its interpreter. Use it as a context.

    Raises `NotPrepared` if its Python is older than 3.14.
    """

    def __init__(self, target: Target) -> None:
        if target.version is not None and target.version < SINCE:
            raise NotPrepared(target)
        self._target = target
        # Whether it has been told of the script, and may not have come to it.
        self._is_told = False
        folder = str(Path(nbtwisted.__file__).resolve().parents[1])
        text = _SCRIPT.format(
            folder=folder,
            address=address_of(target.inner_pid),
            failed=Packet.FAILED.value,
        )
        # It runs in the `__main__` of the program, which is to keep no name of it.
        text = (
            f"exec(compile({text!r}, {REMOTE!r}, 'exec'), {{'__name__': {REMOTE!r}}})"
        )
        descriptor, self._path = tempfile.mkstemp(".py", "nbtwisted-ps-")
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # The program may be another user's.
        os.chmod(self._path, 0o644)

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self._is_told:
            # It complains of a script that is not there when it comes to it.
            with contextlib.suppress(CannotLook):
                self._tell(os.devnull)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def ask(self) -> None:
        """Have the process run the script.

        Raises `NotPrepared` if its Python is older than 3.14, and `CannotLook`.
        """
        self._tell(self._path)
        self._is_told = True
        if self._target.catches(signal.SIGCHLD):
            # It looks whether a child of its own has ended, and finds none.
            self._target.send(signal.SIGCHLD)

    def _tell(self, path: str) -> None:
        target = self._target
        try:
            done = subprocess.run(
                [
                    *(self._interpreter(), "-I", "-S", "-c", _EXECUTE),
                    *(str(target.pid), path),
                ],
                check=False,
                capture_output=True,
                timeout=TIMEOUT,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotLook(f"{target}: its Python does not start: {error}") from None
        if done.returncode == _TOO_OLD:
            raise NotPrepared(target)
        if done.returncode != 0:
            why = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise CannotLook(f"{target}: {printable(why, longest=200)}")

    def _interpreter(self) -> str:
        if self._target.is_interpreter:
            return self._target.executable
        # Python is a part of another program, as with uWSGI.
        if self._target.version == sys.version_info[:2]:
            return sys.executable
        raise NotPrepared(self._target)
