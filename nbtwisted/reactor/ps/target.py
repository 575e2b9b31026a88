"""A process as /proc shows it: whether it is a Python program that can be asked.

Nothing is sent to it to find that out. A `Target` holds its process by a descriptor:
the number may be another's by the time that something is sent.
"""

from __future__ import annotations

import errno
import os
import pwd
import re
import signal
import sys
from select import POLLIN, poll
from types import TracebackType

from nbtwisted.printable import printable
from nbtwisted.reactor.answering import MARKER
from nbtwisted.reactor.ps.errors import CannotLook, Gone

__all__ = ["Target"]

_MARKED = re.compile(rf" /memfd:{MARKER}(\d+) \(deleted\)$", re.M)
_LIBRARY = re.compile(r"/libpython3[^/\n]*$", re.M)
_VERSION = re.compile(r"python(\d)\.(\d+)")
_INTERPRETER = re.compile(r"(?:python|pypy)[0-9.]*[a-z]*")
_LONGEST_COMMAND = 100


class Target:
    """The process of a PID. Use it as a context, or close it.

    pid         its number here
    inner_pid   its number as the process itself has it: another in a container
    command     its command line, fit for a message
    executable  the path of what it runs
    is_interpreter  whether that is Python itself, and not what has Python in it
    version     of its Python, as (3, 14), as far as file names tell
    users       the users as whom it may answer

    Raises `CannotLook` if it is no Python program, or if this user may not ask it.
    """

    def __init__(self, pid: int) -> None:
        if not sys.platform.startswith("linux"):
            raise CannotLook("this platform has no /proc: expected Linux")
        self.pid = pid
        self.command = ""
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            raise CannotLook(f"no process has the PID {pid}") from None
        except OverflowError:
            raise CannotLook(f"no process has the PID {pid}") from None
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                raise CannotLook(
                    f"{pid} is the number of a thread: expected that of a process"
                ) from None
            raise CannotLook(f"PID {pid}: {error.strerror}") from None
        try:
            self._look()
        except (FileNotFoundError, ProcessLookupError):
            self.close()
            raise self.gone() from None
        except BaseException:
            self.close()
            raise

    def _look(self) -> None:
        status = self._status()
        self.command = self._command_line() or status["Name"]
        self.inner_pid = int(status.get("NSpid", str(self.pid)).split()[-1])
        real, effective, *_ = (int(user) for user in status["Uid"].split())
        self.users = {real, effective}
        self._expect_our_user(effective)
        state = status["State"][0]
        if state in "ZX":
            raise self.gone()
        if state in "Tt":
            raise CannotLook(
                f"{self} is stopped: expected it to run (kill -CONT {self.pid})"
            )
        try:
            self.executable = os.readlink(self._file("exe"))
            maps = self._maps()
        except PermissionError:
            who = "root of this machine" if os.geteuid() == 0 else "root"
            raise CannotLook(
                f"{self} does not show its memory map: expected to be {who}"
            ) from None
        except FileNotFoundError:
            # The kernel's own have none.
            self.executable = maps = ""
        name = os.path.basename(self.executable).removesuffix(" (deleted)")
        library = _LIBRARY.search(maps)
        self.is_interpreter = _INTERPRETER.fullmatch(name) is not None
        if not (self.is_interpreter or library):
            raise CannotLook(f"{self} is no Python program: expected one")
        found = _VERSION.search(library[0] if library else name)
        self.version = None if found is None else (int(found[1]), int(found[2]))
        if self._namespace(str(self.pid)) != self._namespace("self"):
            raise CannotLook(
                f"{self} is in a container: expected `nbtwisted ps` to run there, too"
            )

    def __str__(self) -> str:
        return f"PID {self.pid} ({self.command})" if self.command else f"PID {self.pid}"

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def fileno(self) -> int:
        """A descriptor that can be read from once the process has ended."""
        return self._descriptor

    def gone(self) -> Gone:
        """The error that says that it has ended."""
        return Gone(f"{self} has ended")

    @property
    def number(self) -> int | None:
        """Of the signal that it answers, as of now; None if it answers none.

        A process that becomes another program by `exec` answers none from then on, and
        would die of it.
        """
        try:
            marks = _MARKED.findall(self._maps())
            if marks and self.catches(int(marks[-1])):
                return int(marks[-1])
        except OSError:
            # It has ended.
            pass
        return None

    def catches(self, number: int) -> bool:
        """Whether it has a handler for a signal."""
        return self._has("SigCgt", number)

    def expect_alive(self) -> None:
        """Raise `Gone` if it has ended."""
        ended = poll()
        ended.register(self, POLLIN)
        if ended.poll(0):
            raise self.gone()

    def send(self, number: int) -> None:
        """Send it a signal.

        Raises `Gone` if it has ended, and `CannotLook` if the signal cannot be sent.
        """
        try:
            signal.pidfd_send_signal(self._descriptor, number)
        except ProcessLookupError:
            raise self.gone() from None
        except OSError as error:
            raise CannotLook(
                f"{self}: cannot send it a signal: {error.strerror}"
            ) from None

    def why_silent(self) -> str:
        """What it does instead of an answer, for a message."""
        try:
            status = self._status()
        except OSError:
            return "it has ended"
        if status["State"][0] in "Tt":
            return f"it is stopped (kill -CONT {self.pid})"
        number = self.number
        if number is not None and self._has("SigBlk", number):
            return "its main thread blocks the signal"
        # Without a signal, it must come to Python code by itself.
        or_so = " or wait for an event" if number is None else ""
        return (
            f"its main thread runs no Python code; it may be in a C extension{or_so}, "
            f"state {status['State']}"
        )

    def _status(self) -> dict[str, str]:
        with open(self._file("status"), encoding="utf-8", errors="replace") as file:
            lines = (line.partition(":") for line in file)
            return {name: value.strip() for name, _, value in lines}

    def _maps(self) -> str:
        with open(self._file("maps"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def _has(self, signals: str, number: int) -> bool:
        return bool(int(self._status()[signals], 16) >> (number - 1) & 1)

    def _command_line(self) -> str:
        with open(self._file("cmdline"), "rb") as file:
            words = file.read(4 * _LONGEST_COMMAND).split(b"\0")
        text = b" ".join(words).decode(errors="replace").strip()
        return printable(text, longest=_LONGEST_COMMAND)

    def _expect_our_user(self, user: int) -> None:
        if os.geteuid() in (0, user):
            return
        try:
            name = pwd.getpwuid(user).pw_name
        except KeyError:
            name = str(user)
        raise CannotLook(
            f"{self} belongs to {printable(name, longest=40)}: expected a process of "
            "your own, or to be root"
        )

    def _namespace(self, process: str) -> str:
        try:
            return os.readlink(f"/proc/{process}/ns/net")
        except PermissionError:
            return os.readlink("/proc/self/ns/net")

    def _file(self, name: str) -> str:
        return f"/proc/{self.pid}/{name}"
