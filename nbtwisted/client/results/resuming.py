"""A file of records with which a run goes on where an earlier one stopped."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.result import Result
from nbtwisted.client.results.output import body_sha256, jsonl
from nbtwisted.client.results.records import (
    EXPECTED,
    NO_REQUEST,
    CannotResume,
    RecordTable,
    describe,
    describe_request,
    identity,
    is_cut,
    read_record,
)
from nbtwisted.client.target import presentable
from nbtwisted.timeline.quantity import counted

__all__ = ["ResumedFile"]

_PIECE = 1024 * 1024
_EXPECTED_LIST = "expected the list that it was made with"


class ResumedFile:
    """The records in the file at `path`, and those that a run adds to them.

    A file that is not there is begun. With `output`, its records are copied into that
    file, which is added to in its place. Nobody else may write to either of them while
    they are open. With `fail`, a status of 400 and above is taken for a failure.

    A record is added by one call of the kernel. A process that is killed therefore cuts
    short no more than the last line, which is left out when the file is opened.

    Raises `CannotResume` before anything is changed, and `OSError` with the path of the
    file that cannot be written, here and in all that it does.
    """

    def __init__(
        self, path: str, output: str | None = None, *, fail: bool = False
    ) -> None:
        self.is_new = not os.path.exists(path)
        """Whether there was no such file."""
        self._table = RecordTable(fail=fail)
        self.path = path
        self._output = path if output is None else output
        # What a symbolic link leads to is replaced in the end, and not the link.
        self._real_path = os.path.realpath(self._output)
        folder, name = os.path.split(self._real_path)
        self._new_path = os.path.join(folder, f".{name}.new")
        with self._reading():
            self._source = source = self._open(output)
        try:
            with self._reading():
                end, is_ended = self._read()
            with self._writing():
                # Its place is taken by another in the end: it is said now if it cannot.
                os.close(self._open_new())
                os.unlink(self._new_path)
                self._fileno = os.dup(source)
                if output is not None:
                    self._copy_to(output, end)
                os.ftruncate(self._fileno, end)
        finally:
            os.close(source)
        self._source, self._end = self._fileno, end
        if not is_ended:
            self._append(b"\n")
        self.answered = self._table.answered
        """Requests that were answered before."""

    def is_answered(self, index: int, job: Job | BadJob) -> bool:
        """Whether the request at this position of the list was answered.

        Raises `CannotResume` where its record is another request's.
        """
        found = self._table.find(index)
        if found is None:
            return False
        of, is_answered = found
        # A URL is mostly written as records have it, and takes long to parse.
        if (
            is_answered
            and isinstance(job, Job)
            and of == identity(job.url, job.method, _digest(job.body))
        ):
            return True
        request = _request(job)
        if of not in (identity(*request), NO_REQUEST):
            raise self._cannot(
                f"{self._record_at(index)} at index {index}, where the list has "
                f"{describe_request(*request)}: {_EXPECTED_LIST}"
            )
        return is_answered

    def expect_length(self, length: int) -> None:
        """Raise `CannotResume` if there are records beyond that many requests."""
        if self._table.length > length:
            index = self._table.length - 1
            raise self._cannot(
                f"{self._record_at(index)} at index {index}, where the list has "
                f"{counted(length, 'request')}: {_EXPECTED_LIST}"
            )

    def write(self, index: int, result: Result) -> None:
        """Add a record of how a request ended."""
        self.put(index, jsonl(index, result))

    def put(self, index: int, record: bytes) -> None:
        """Add this record."""
        begin = self._end
        self._append(record)
        self._table.add(read_record(record), begin)

    def flush(self) -> None:
        """Nothing: it is written."""

    def put_in_order(self) -> None:
        """Leave one record of each request in the file, in the order of the list.

        Whenever the process ends meanwhile, the file is as it was, or all in order.
        """
        if self._table.is_in_order:
            return
        with self._writing():
            fileno = self._open_new()
            try:
                with (
                    open(fileno, "wb", _PIECE) as new,
                    open(self._fileno, "rb", _PIECE, closefd=False) as lines,
                ):
                    self._give_mode_to(fileno)
                    for begin in self._table.begins():
                        lines.seek(begin)
                        new.write(lines.readline())
                os.replace(self._new_path, self._real_path)
            except OSError:
                os.unlink(self._new_path)
                raise

    def close(self) -> None:
        """Let others write to the file."""
        os.close(self._fileno)

    # Reading.

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._cannot(error.strerror or str(error)) from None

    def _open(self, output: str | None) -> int:
        if output is None:
            return _open_alone(self.path, os.O_RDWR | os.O_CREAT)
        if self.is_new:
            return os.open(os.devnull, os.O_RDONLY)
        return _open_alone(self.path, os.O_RDONLY)

    def _read(self) -> tuple[int, bool]:
        """Read all records; returns their end, and whether that is a line's end."""
        add, end, line = self._table.add, 0, b"\n"
        with open(self._source, "rb", _PIECE, closefd=False) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    record = read_record(line)
                except ValueError:
                    if is_cut(line):
                        return end, True
                    raise self._cannot(f"line {number}: {EXPECTED}") from None
                try:
                    add(record, end)
                except ValueError:
                    raise self._cannot(
                        f"line {number} is of {describe(line)} at index "
                        f"{record.position}, where {self._record_at(record.position)}: "
                        "expected the records of one list"
                    ) from None
                end += len(line)
        return end, line.endswith(b"\n")

    def _record_at(self, index: int) -> str:
        """Where the record at this position of the list is, and what of."""
        begin = self._table.begin_of(index)
        with open(self._source, "rb", _PIECE, closefd=False) as lines:
            lines.seek(0)
            number, at, line = 0, 0, b""
            while at <= begin:
                line = lines.readline()
                number, at = number + 1, at + len(line)
        return f"line {number} is of {describe(line)}"

    def _cannot(self, why: str) -> CannotResume:
        return CannotResume(f"cannot resume {self.path}: {why}")

    # Writing.

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(error.errno, reason, self._output) from None

    def _open_new(self) -> int:
        """Open the file that is to take the place of this one."""
        with suppress(FileNotFoundError):
            # One of a process that was killed.
            os.unlink(self._new_path)
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        return os.open(self._new_path, how, 0o600)

    def _give_mode_to(self, fileno: int) -> None:
        status = os.fstat(self._fileno)
        with suppress(PermissionError):
            os.fchown(fileno, status.st_uid, status.st_gid)
        os.fchmod(fileno, stat.S_IMODE(status.st_mode))

    def _copy_to(self, output: str, size: int) -> None:
        """Have the records in that file, and add to it."""
        os.close(self._fileno)
        self._fileno = _open_alone(output, os.O_RDWR | os.O_CREAT)
        os.ftruncate(self._fileno, 0)
        for at in range(0, size, _PIECE):
            piece = os.pread(self._source, min(_PIECE, size - at), at)
            _write_at(self._fileno, piece, at)

    def _append(self, data: bytes) -> None:
        with self._writing():
            try:
                _write_at(self._fileno, data, self._end)
            except OSError:
                # There was room for a part of it.
                os.ftruncate(self._fileno, self._end)
                raise
        self._end += len(data)


def _open_alone(path: str, how: int) -> int:
    """Open a file to which nobody else writes."""
    while True:
        # A pipe would be waited for.
        fileno = os.open(path, how | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
        try:
            status = os.fstat(fileno)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "expected a file, and no pipe or device")
            _lock(fileno)
            # Whoever had it before may have put another in its place.
            if os.path.samestat(status, os.stat(path)):
                return fileno
        except BaseException:
            os.close(fileno)
            raise
        os.close(fileno)


def _lock(fileno: int) -> None:
    try:
        fcntl.flock(fileno, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        why = "it is being written by another process"
        raise OSError(errno.EAGAIN, why) from None
    except OSError:
        # Some file systems have no locks.
        pass


def _write_at(fileno: int, data: bytes, at: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(fileno, left, at)
        left, at = left[written:], at + written


def _request(job: Job | BadJob) -> tuple[str, str, str | None]:
    """The URL, the method and the digest of the body that its record has."""
    if isinstance(job, BadJob):
        return job.shown, "GET", None
    return presentable(job.url), job.method, _digest(job.body)


def _digest(body: bytes) -> str | None:
    return body_sha256(body) if body else None
