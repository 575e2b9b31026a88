"""A line for each request that is over: the combined log format, and a little more."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TextIO

from nbtwisted.command_line import abandon
from nbtwisted.printable import printable
from nbtwisted.server.journal import Entry

__all__ = ["AccessLog", "line"]


class AccessLog:
    """Appends to the file at `path`, or writes to stdout if that is `-`.

    Raises `OSError` when the file cannot be opened. When it cannot be written any more,
    the server goes on without it.
    """

    def __init__(self, path: str) -> None:
        self._file: TextIO = (
            sys.stdout
            if path == "-"
            else open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        )

    def write(self, entry: Entry) -> None:
        """Write the line of one request."""
        try:
            print(line(entry), file=self._file, flush=True)
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                abandon(self._file)


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
