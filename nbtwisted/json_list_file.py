"""A JSON file with one long list in it, written while its items come."""

from __future__ import annotations

import json
from typing import IO

__all__ = ["JSONListFile"]


class JSONListFile:
    """A file complete at any time but for its end, which `close` writes.

    `head` is the JSON before the first item, up to and with the list's bracket, and
    `tail` the rest. `written` is how many characters its items have.

    Raises `OSError` when the file cannot be written, here and in all that it does.
    """

    def __init__(self, path: str, head: str, tail: str) -> None:
        self.written = 0
        self._file: IO[str] = open(path, "w", encoding="utf-8")  # noqa: SIM115
        self._tail = tail
        self._file.write(head)

    def put(self, item: object) -> None:
        """Write one item."""
        line = json.dumps(item)
        self._file.write((",\n" if self.written else "\n") + line)
        self.written += len(line)

    def close(self) -> None:
        """Complete the file."""
        with self._file as file:
            file.write(self._tail)
