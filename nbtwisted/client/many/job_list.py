"""Jobs: given, or from a file or a pipe, read no faster than they are taken."""

from __future__ import annotations

import codecs
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.target import LONGEST_URL

__all__ = ["Given", "JobFile", "Jobs"]

_PIECE = 64 * 1024
_ENOUGH = 1000
"""Lines read ahead, above which no more is read."""


def nothing() -> None:
    """To be called where nobody is to be told."""


class Jobs(Protocol):
    """Where jobs come from."""

    on_more: Callable[[], None]
    """Called when there may be more than there was, or it has become clear that there
    is not."""

    @property
    def is_over(self) -> bool:
        """Whether all were taken, and no more will come."""

    def take(self) -> Job | BadJob | None:
        """The next one; None if there is none, or none yet."""

    def rest(self) -> Iterator[Job | BadJob]:
        """Those that are there already and were not taken."""

    def close(self) -> None:
        """Read no more."""


class Given:
    """Jobs that are there; a URL alone is a GET of it."""

    def __init__(self, jobs: Iterable[str | Job | BadJob]) -> None:
        self.on_more: Callable[[], None] = nothing
        self.is_over = False
        self._jobs = map(_job, jobs)

    def take(self) -> Job | BadJob | None:
        """As all have it."""
        job = next(self._jobs, None)
        self.is_over = job is None
        return job

    def rest(self) -> Iterator[Job | BadJob]:
        """As all have it."""
        return self._jobs

    def close(self) -> None:
        """As all have it."""


def _job(asked: str | Job | BadJob) -> Job | BadJob:
    return Job(asked) if isinstance(asked, str) else asked


@implementer(IReadDescriptor)
class JobFile:
    """The lines of the file at `path`, or of stdin if that is `-`, `times` each.

    Blank lines and those that begin with `#` are passed over, and so are a byte order
    mark and the CR of a line's end. Bytes that are not UTF-8 stay to be found fault
    with by whoever reads the URL, and so does enough of a line that is too long.

    Where the file cannot be read on, the list ends, and `error` says why.

    Raises `OSError` for a file that cannot be opened.
    """

    def __init__(self, reactor: Any, path: str, times: int = 1) -> None:
        self.error: OSError | None = None
        self.on_more: Callable[[], None] = nothing
        self._reactor = reactor
        self._fileno = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY)
        # What epoll cannot wait for is always there to be read.
        mode = os.fstat(self._fileno).st_mode
        self._is_file = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
        self._times = times
        self._turn = 0
        self._lines: deque[Job] = deque()
        self._begun = bytearray()
        self._is_first = True
        self._is_closed = False
        self._is_reading = False

    @property
    def is_over(self) -> bool:
        """As all have it."""
        return self._is_closed and not self._lines

    def take(self) -> Job | None:
        """As all have it. Reads on when there is nothing left."""
        while not self._lines and not self._is_closed:
            if not self._is_file:
                self._read_on()
                return None
            self._read()
        return self._take_turn() if self._lines else None

    def rest(self) -> Iterator[Job]:
        """As all have it."""
        while self._lines:
            yield self._take_turn()

    def _take_turn(self) -> Job:
        """The first line; the next one's turn comes when it has been had often enough.

        Not so many copies of it: that would be the longer list.
        """
        self._turn += 1
        if self._turn < self._times:
            return self._lines[0]
        self._turn = 0
        return self._lines.popleft()

    def close(self) -> None:
        """As all have it."""
        if not self._is_closed:
            self._is_closed = True
            self._pause()
            os.close(self._fileno)

    def fileno(self) -> int:
        """The reactor's way to know what to wait for."""
        return self._fileno

    def logPrefix(self) -> str:
        """The reactor's name for us in its log."""
        return "JobFile"

    def connectionLost(self, reason: Any) -> None:
        """The other end was closed, or the reactor stops."""
        for line in self._split(b""):
            self._take(line)
        self.close()
        self.on_more()

    def doRead(self) -> None:
        """Read a piece."""
        self._read()
        self.on_more()

    def _read(self) -> None:
        try:
            data = os.read(self._fileno, _PIECE)
        except BlockingIOError:
            # A pipe that somebody else has made so; there was nothing after all.
            return
        except OSError as error:
            self.error = error
            data = b""
        for line in self._split(data):
            self._take(line)
        if not data:
            self.close()
        elif len(self._lines) >= _ENOUGH:
            self._pause()

    def _split(self, data: bytes) -> Iterator[bytes]:
        *lines, begun = data.split(b"\n")
        for line in lines:
            yield bytes(self._begun + line)
            self._begun.clear()
        # Of an endless line no more is kept than shows that it is too long.
        self._begun += begun[: max(LONGEST_URL + 1 - len(self._begun), 0)]
        if not data and self._begun:
            yield bytes(self._begun)

    def _take(self, line: bytes) -> None:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(codecs.BOM_UTF8)
        url = line[: LONGEST_URL + 1].strip(b" \t\r")
        if url and not url.startswith(b"#"):
            self._lines.append(Job(url.decode("utf-8", "surrogateescape")))

    def _read_on(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            self._reactor.addReader(self)

    def _pause(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._reactor.removeReader(self)
