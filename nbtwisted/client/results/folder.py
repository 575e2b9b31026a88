"""A folder with a file for each response."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["ResultFolder"]


class ResultFolder:
    """Writes files into the folder at `path`, which is made if need be.

    Nothing outside it is written to, whatever others have put into it: a name that is a
    symbolic link, a pipe or a device, or that a file elsewhere has as well, is refused.

    Raises `OSError`, here and in all that it does.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        os.makedirs(path, exist_ok=True)
        # What cannot be written is said before anything is sent.
        with tempfile.TemporaryFile(dir=path):
            pass
        # It stays this folder, whatever its path leads to later.
        self._fileno = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in place of one that was there."""
        self._write(name, (data,))

    def replace(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file of which nobody finds a part, in place of one that was there."""
        new = f".{name}.new"
        self._write(new, pieces)
        with self._naming(name):
            os.replace(new, name, src_dir_fd=self._fileno, dst_dir_fd=self._fileno)

    def read(self, name: str) -> bytes | None:
        """What is in a file; None if it is not there."""
        try:
            with self._naming(name), open(self._open(name, os.O_RDONLY), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self._naming(name):
            os.unlink(name, dir_fd=self._fileno)

    def _write(self, name: str, pieces: Iterable[bytes]) -> None:
        flags = os.O_WRONLY | os.O_CREAT
        with self._naming(name), open(self._open(name, flags), "wb") as file:
            file.truncate()
            file.writelines(pieces)

    def _open(self, name: str, flags: int) -> int:
        # A pipe that nobody reads would be waited for.
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK
        fileno = os.open(name, flags, 0o666, dir_fd=self._fileno)
        status = os.fstat(fileno)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            os.close(fileno)
            raise OSError(errno.EEXIST, "expected a file that is here alone")
        return fileno

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno == errno.ELOOP:
                reason = "it is a symbolic link"
            path = os.path.join(self._path, name)
            raise OSError(error.errno, reason, path) from None
