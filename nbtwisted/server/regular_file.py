"""Reads regular files, and refuses what only looks like one."""

from __future__ import annotations

import os
import stat

__all__ = ["read_regular_file"]


def read_regular_file(path: str | os.PathLike[str], largest: int) -> bytes:
    """The content of a file of at most `largest` bytes.

    Raises `ValueError` with what was expected.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("a regular file, and no pipe or device")
            if found.st_size > largest:
                raise ValueError(f"a file of at most {largest} bytes")
            return file.read()
    except OSError as error:
        raise ValueError(f"a file that can be read ({error.strerror})") from None


def _open_at_once(path: str, flags: int) -> int:
    # To open a named pipe would wait for its writer.
    return os.open(path, flags | os.O_NONBLOCK)
