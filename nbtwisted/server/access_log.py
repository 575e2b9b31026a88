"""A line for each request that is over: the combined log format, and a little more."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

from nbtwisted.background_writer import BackgroundWriter
from nbtwisted.printable import printable
from nbtwisted.server.engine.journal import Entry

__all__ = ["AccessLog", "line"]


class AccessLog:
    """Appends to the file at `path`, or writes to stdout if that is `-`.

    It is written in the background, so that nobody who reads it slowly or never holds
    up the server; lines that do not fit are lost, and `tell` is called with a sentence
    about the first of them, in whichever thread that is. When the file was moved or
    removed, as logrotate does, a new one is begun.

    Raises `OSError` when the file cannot be opened.
    """

    def __init__(self, path: str, tell: Callable[[str], None]) -> None:
        self._name = "stdout" if path == "-" else path
        self._tell = tell
        self._path: str | None = None
        if path == "-":
            if sys.stdout is None:
                raise OSError(errno.EBADF, "standard output is closed")
            self._descriptor = sys.stdout.fileno()
        else:
            # Who goes into the background may go elsewhere, too.
            self._path = os.path.abspath(path)
            self._descriptor = _opened(self._path)
        self._writer = BackgroundWriter(self._current, self._on_loss)

    @property
    def lost(self) -> int:
        """How many lines could not be written."""
        return self._writer.lost

    def write(self, entry: Entry) -> None:
        """Write the line of one request."""
        self._writer.write(line(entry) + "\n")

    def close(self) -> None:
        """Write what there is, for a second at most; what is left then is lost."""
        self._writer.close()

    def _on_loss(self, why: str) -> None:
        self._tell(f"the access log loses lines: cannot write {self._name}: {why}")

    def _current(self) -> int:
        """The descriptor of the file that is there now."""
        if self._path is not None and not _is_at(self._descriptor, self._path):
            # While there can be none, the old one is better than nothing.
            with suppress(OSError):
                new = _opened(self._path)
                os.close(self._descriptor)
                self._descriptor = new
        return self._descriptor


def _opened(path: str) -> int:
    """A descriptor that appends to the file at `path`; raises `OSError`."""
    # To open a FIFO only for writing is to wait for its reader.
    is_fifo = os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)
    access = os.O_RDWR if is_fifo else os.O_WRONLY
    flags = access | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    return os.open(path, flags, 0o666)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def line(entry: Entry) -> str:
    """What is written of a request: for people, and for what reads Apache's logs.

    After the fields that Apache has come the seconds that the answer was to be held,
    those that it was, the fault, and what became of it.
    """
    headers = {name.lower(): value for name, value in entry.headers}
    fields = [
        # A proxy that speaks PROXY may call it what it likes.
        printable(entry.peer, longest=80),
        "- -",
        entry.time.strftime("[%d/%b/%Y:%H:%M:%S +0000]"),
        _quoted(b" ".join((entry.method, entry.target, entry.version)))
        if entry.method
        else '"-"',
        str(entry.status or "-"),
        str(entry.sent),
        _quoted(headers.get(b"referer", b"-")),
        _quoted(headers.get(b"user-agent", b"-")),
        f"asked={_seconds(entry.asked)}",
        f"held={_seconds(entry.held)}",
        f"fault={entry.fault or '-'}",
        f"outcome={entry.outcome}",
    ]
    return " ".join(fields)


def _quoted(raw: bytes) -> str:
    text = printable(raw.decode("utf-8", "backslashreplace"), longest=2000)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3f}"
