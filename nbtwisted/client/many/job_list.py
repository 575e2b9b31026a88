"""Jobs: given, or from a file or a pipe, read no faster than they are taken."""

from __future__ import annotations

import codecs
import enum
import os
import select
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many.har_jobs import har_jobs, is_har
from nbtwisted.client.many.job_lines import Line, LineReader, read_line
from nbtwisted.json_items import UnreadableItems

__all__ = ["Given", "JobFile", "Jobs", "UnreadableList", "read_jobs"]

_PIECE = 64 * 1024
_ENOUGH_LINES = 1000
_ENOUGH_BYTES = 1024 * 1024
"""Read ahead, above either of which no more is read."""


def nothing() -> None:
    """To be called where nobody is to be told."""


class UnreadableList(Exception):
    """A list cannot be read, or not to its end; the text says why."""


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


class _State(enum.Enum):
    """What a file turned out to be, and how far it is read.

    | state | what happens | where that leads |
    |---|---|---|
    | UNKNOWN | it begins as lines do | LINES |
    | | it begins as a HAR does, in a regular file | ARCHIVE |
    | | it begins as a HAR does, in a pipe | COPYING |
    | LINES | it ends | CLOSED |
    | COPYING | it ends | ARCHIVE |
    | ARCHIVE | the last entry was read | CLOSED |

    That it cannot be read on, and `close`, lead from UNKNOWN, LINES, COPYING and
    ARCHIVE to CLOSED.
    """

    UNKNOWN = enum.auto()
    LINES = enum.auto()
    COPYING = enum.auto()
    ARCHIVE = enum.auto()
    CLOSED = enum.auto()
    """Lines that were read before may be left."""


@implementer(IReadDescriptor)
class JobFile:
    """The jobs in the file at `path`, or in stdin if that is `-`, `times` each.

    They are lines as `read_line` has them, or a HAR, as the beginning of the file says.
    A HAR that comes through a pipe is copied to a temporary file before it is read.

    Where the list cannot be read on, it ends, and `error` says why. Without a
    `reactor`, `take` waits for what comes through a pipe.

    Raises `UnreadableList` for a file that cannot be opened.
    """

    def __init__(
        self,
        reactor: Any,
        path: str,
        times: int = 1,
        template: JobTemplate | None = None,
    ) -> None:
        self.error: UnreadableList | None = None
        self.on_more: Callable[[], None] = nothing
        self._reactor = reactor
        self._times = times
        self._template = template or JobTemplate()
        is_stdin = path == "-"
        try:
            self._file: IO[bytes] = open(  # noqa: SIM115
                0 if is_stdin else path, "rb", buffering=0, closefd=not is_stdin
            )
        except OSError as error:
            raise UnreadableList(error.strerror) from None
        self._fileno = self._file.fileno()
        # What epoll cannot wait for is always there to be read.
        self._is_regular = stat.S_ISREG(os.fstat(self._fileno).st_mode)
        self._state = _State.UNKNOWN
        self._is_reading = False
        self._begin = b""
        self._line_reader = LineReader()
        self._lines: deque[Line] = deque()
        self._size = 0
        self._copy: IO[bytes] | None = None
        self._entries: Iterator[tuple[int, Job | BadJob]] = iter(())
        self._number = 0
        self._latest: Job | BadJob | None = None
        self._again = 0

    @property
    def is_over(self) -> bool:
        """As all have it."""
        return self._state is _State.CLOSED and not (self._lines or self._again)

    def take(self) -> Job | BadJob | None:
        """As all have it. Reads on when there is nothing left."""
        while (job := self._take_turn()) is None and not self._is_read:
            if self._reactor is not None and not self._is_regular:
                self._read_on()
                break
            self._read()
        return job

    def rest(self) -> Iterator[Job | BadJob]:
        """As all have it. A HAR is there when its end was read."""
        while (job := self._take_turn()) is not None:
            yield job

    @property
    def place(self) -> str:
        """Where the job was that was taken last, as in `line 7`."""
        kind = "entry" if self._state is _State.ARCHIVE else "line"
        return f"{kind} {self._number}"

    def close(self) -> None:
        """As all have it."""
        self._pause()
        self._state = _State.CLOSED
        self._file.close()
        if self._copy is not None:
            self._copy.close()

    def fileno(self) -> int:
        """The reactor's way to know what to wait for."""
        return self._fileno

    def logPrefix(self) -> str:
        """The reactor's name for us in its log."""
        return "JobFile"

    def connectionLost(self, reason: Any) -> None:
        """The other end was closed, or the reactor stops."""
        self._feed(b"")
        self.on_more()

    def doRead(self) -> None:
        """Read a piece."""
        self._read()
        self.on_more()

    # What was read, one job after another.

    @property
    def _is_read(self) -> bool:
        """Whether no more pieces are to be read."""
        return self._state in (_State.ARCHIVE, _State.CLOSED)

    def _take_turn(self) -> Job | BadJob | None:
        """The next of those that are there, which may be the same again.

        Not so many copies of it: that would be the longer list.
        """
        if self._again:
            self._again -= 1
            return self._latest
        self._latest = self._take_next()
        if self._latest is not None:
            self._again = self._times - 1
        return self._latest

    def _take_next(self) -> Job | BadJob | None:
        if self._lines:
            line = self._lines.popleft()
            self._size -= len(line.content)
            self._number = line.number
            return read_line(line, self._template)
        if self._state is not _State.ARCHIVE:
            return None
        try:
            self._number, job = next(self._entries, (0, None))
        except (OSError, UnreadableItems) as error:
            self._fail(error)
            return None
        if job is None:
            self.close()
        return job

    # What is read, piece by piece.

    def _read(self) -> None:
        try:
            data: bytes | None = self._file.read(_PIECE)
        except OSError as error:
            self._fail(error)
            return
        if data is not None:
            self._feed(data)
        # A pipe that somebody else has made so; there was nothing after all.
        elif self._reactor is None:
            select.select([self._fileno], [], [])

    def _feed(self, data: bytes) -> None:
        """Take a piece; one without bytes is the end."""
        try:
            if data:
                self._put(data)
            else:
                self._end()
        # There is no room for the copy.
        except OSError as error:
            self._fail(error)

    def _put(self, data: bytes) -> None:
        if self._state is _State.UNKNOWN:
            data = self._begin + data
            known = is_har(data)
            if known is None:
                self._begin = data
                return
            if known and self._is_regular:
                self._file.seek(-len(data), os.SEEK_CUR)
                self._open_archive()
                return
            if known:
                from tempfile import TemporaryFile  # 8 ms

                self._copy = TemporaryFile()  # noqa: SIM115
                self._state = _State.COPYING
            else:
                data = data.removeprefix(codecs.BOM_UTF8)
                self._state = _State.LINES
        if self._copy is not None:
            self._copy.write(data)
        else:
            self._keep(self._line_reader.feed(data))

    def _end(self) -> None:
        if self._state is _State.UNKNOWN:
            self._state = _State.LINES
            begin = self._begin.removeprefix(codecs.BOM_UTF8)
            self._keep(self._line_reader.feed(begin))
        if self._state is _State.LINES:
            self._keep(self._line_reader.end())
            self.close()
        elif self._copy is not None:
            self._pause()
            self._file.close()
            self._file, self._copy = self._copy, None
            self._file.seek(0)
            self._open_archive()

    def _open_archive(self) -> None:
        self._state = _State.ARCHIVE
        self._entries = har_jobs(self._file, self._template)

    def _keep(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._lines.append(line)
            self._size += len(line.content)
        if len(self._lines) >= _ENOUGH_LINES or self._size >= _ENOUGH_BYTES:
            self._pause()

    def _fail(self, error: OSError | UnreadableItems) -> None:
        why = error.strerror if isinstance(error, OSError) else None
        self.error = UnreadableList(why or str(error))
        self.close()

    def _read_on(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            self._reactor.addReader(self)

    def _pause(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._reactor.removeReader(self)


def read_jobs(
    path: str, template: JobTemplate | None = None
) -> Iterator[tuple[str, Job | BadJob]]:
    """All jobs of a list, as `JobFile` reads them, each behind its `place`.

    Raises `UnreadableList`, also where it breaks off.
    """
    jobs = JobFile(None, path, template=template)
    try:
        while (job := jobs.take()) is not None:
            yield jobs.place, job
    finally:
        jobs.close()
    if jobs.error is not None:
        raise jobs.error
