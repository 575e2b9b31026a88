"""The access log: a line in the combined log format, and more, for each request."""

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

__all__ = ["AccessLog", "line", "quoted"]


class AccessLog:
    """A log in the file at `path`, or on stdout if that is `-`.

    A thread writes it, so a slow reader does not hold up the server. Lines that do not
    fit are lost; `tell` is called with a sentence about the first, in any thread. When
    the file was moved or removed, as logrotate does, a new one is begun.

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
            # A daemon changes its folder.
            self._path = os.path.abspath(path)
            self._descriptor = _opened(self._path)
        self._writer = BackgroundWriter(self._current, self._on_loss)

    @property
    def lost(self) -> int:
        """Lines that could not be written."""
        return self._writer.lost

    def write(self, entry: Entry) -> None:
        """Write the line of one request."""
        self.write_line(line(entry))

    def write_line(self, text: str) -> None:
        """Write a line of another kind; it has no end yet."""
        self._writer.write(text + "\n")

    def close(self) -> None:
        """Write the lines that wait, for a second at most; the rest is lost."""
        self._writer.close()

    def _on_loss(self, why: str) -> None:
        self._tell(f"the access log loses lines: cannot write {self._name}: {why}")

    def _current(self) -> int:
        """The descriptor of the file that is there now."""
        if self._path is not None and not _is_at(self._descriptor, self._path):
            # If no new one can be opened, the old one is better than nothing.
            with suppress(OSError):
                new = _opened(self._path)
                os.close(self._descriptor)
                self._descriptor = new
        return self._descriptor


def _opened(path: str) -> int:
    """A descriptor that appends to the file at `path`; raises `OSError`."""
    # Opening a FIFO only for writing waits for its reader.
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
    """The line of a request: Apache's fields, then `asked`, `held` and others.

    `asked` is the seconds that the response was to wait, `held` those that it did. If a
    proxy's upstream was asked, `upstream` is the seconds that it took.
    """
    headers = {name.lower(): value for name, value in entry.headers}
    fields = [
        # A PROXY header may hold any text.
        printable(entry.peer, longest=80),
        "- -",
        entry.time.strftime("[%d/%b/%Y:%H:%M:%S +0000]"),
        quoted(b" ".join((entry.method, entry.target, entry.version)))
        if entry.method
        else '"-"',
        str(entry.status or "-"),
        str(entry.sent),
        quoted(headers.get(b"referer", b"-")),
        quoted(headers.get(b"user-agent", b"-")),
        f"asked={_seconds(entry.asked)}",
        f"held={_seconds(entry.held)}",
        f"fault={entry.fault or '-'}",
        # One of them has two words.
        f"outcome={entry.outcome.replace(' ', '-')}",
    ]
    if entry.asking_since is not None or entry.upstream_error is not None:
        fields.append(f"upstream={_seconds(entry.upstream)}")
    if entry.upstream_error is not None:
        fields.append(f"upstream_error={quoted(entry.upstream_error.encode())}")
    return " ".join(fields)


def quoted(raw: bytes) -> str:
    """A text between quotation marks, on which no reader can stumble."""
    text = printable(raw.decode("utf-8", "backslashreplace"), longest=2000)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3f}"
