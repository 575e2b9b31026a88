"""A program in a process of its own, watched until it ends."""

from __future__ import annotations

import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from nbtwisted.study.run import Ending, Sample

__all__ = ["Watched", "watch"]

SECONDS_BETWEEN_SAMPLES = 0.05
"""A look at all processes takes 3 ms."""

MOST_OUTPUT = 1_000_000
"""Bytes of stdout, and of stderr, that are kept: a loop may print without end."""

SECONDS_TO_CLOSE = 0.2
"""For what was written to be read, when the program has ended: a process that it left
behind may hold the pipe."""

PROC = "/proc"
"""What Linux tells of processes; macOS has none."""

# The program's parent is this shell, not us: a program may kill its parent. It says how
# the program ended by its own exit code, and nothing on stderr.
_GUARD = (
    "/bin/sh",
    "-c",
    'exec 3>&2 2>/dev/null; (exec "$@" 2>&3 3>&-); exit $?',
    "sh",
)

_MARK = "NBTWISTED_STUDY_RUN"
"""The variable by which the processes of one run are known, wherever they went."""

_MOST_ROUNDS = 50
"""Of killing: a process may start another meanwhile."""

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Linux has it in KiB, and macOS in bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Watched:
    """What there was to see of a process."""

    began: float
    """Unix time."""
    ending: Ending
    stdout: str
    stderr: str
    samples: Sequence[Sample]


def watch(
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str],
    folder: Path,
    stopped: Event | None = None,
) -> Watched:
    """Run a command in `folder` until it ends, or for so many seconds.

    When it has ended, or has been killed, so are the processes that it started. Another
    thread may have it killed by the event. Raises `OSError` if the folder is not there.
    """
    mark = f"{_MARK}={secrets.token_hex(8)}"
    samples: list[Sample] = []
    began, start = time.time(), time.monotonic()
    process = None
    try:
        process = subprocess.Popen(
            [*_GUARD, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, _MARK: mark.partition("=")[2]},
            cwd=folder,
            bufsize=0,
            # A session of its own: all that it starts can be found, and ended.
            start_new_session=True,
        )
        with _Output(process) as output:
            ended = None
            while ended is None:
                samples += _sample(process.pid, time.monotonic() - start)
                output.read(SECONDS_BETWEEN_SAMPLES)
                is_stopped = stopped is not None and stopped.is_set()
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    ended = _exit_code(status)
                elif is_stopped or time.monotonic() - start > seconds:
                    break
            took = time.monotonic() - start
            if ended is None:
                _end(process.pid, mark)
                _, _, usage = os.wait4(process.pid, 0)
            output.read_rest(SECONDS_TO_CLOSE)
    finally:
        # Ctrl-C may come when it has been started, and before we are told of it.
        _end(None if process is None else process.pid, mark)
        if process is not None:
            # It is waited for: Popen would look for it once more.
            process.returncode = 0
    # Nobody has waited for what was killed along with its guard: the samples tell.
    seen = [Sample(0.0, usage.ru_utime, usage.ru_stime, 0, 0, 0, 0)]
    seen += samples if ended is None else []
    ending = Ending(
        ended,
        took,
        max(sample.user for sample in seen),
        max(sample.system for sample in seen),
        usage.ru_maxrss * _RSS_UNIT,
    )
    stdout, stderr = output.texts()
    return Watched(began, ending, stdout, stderr, samples)


class _Output:
    """What a process writes, as far as it is kept."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._kept = {process.stdout: b"", process.stderr: b""}
        self._open = set(self._kept)
        self._selector = selectors.DefaultSelector()
        for pipe in self._kept:
            self._selector.register(pipe, selectors.EVENT_READ)
        self._end = _end_of(process.pid)
        if self._end is not None:
            self._selector.register(self._end, selectors.EVENT_READ)

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for pipe in self._kept:
            pipe.close()
        if self._end is not None:
            os.close(self._end)

    def read(self, seconds: float) -> None:
        """Read what comes within so many seconds, or until the process ends."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if any(key.fd == self._end for key in self._take(left)):
                return

    def read_rest(self, seconds: float) -> None:
        """Read until both pipes are closed, but no longer than that."""
        if self._end is not None:
            self._selector.unregister(self._end)
        until = time.monotonic() + seconds
        is_late = False
        # The last look is made when it is late: whoever was held up meanwhile takes by
        # it all that a pipe holds.
        while self._open and not is_late:
            left = until - time.monotonic()
            is_late = left <= 0
            self._take(max(left, 0))

    def _take(self, seconds: float) -> list[selectors.SelectorKey]:
        ready = [key for key, _ in self._selector.select(seconds)]
        for key in ready:
            pipe = key.fileobj
            if pipe in self._open:
                some = os.read(key.fd, 65536)
                if not some:
                    self._selector.unregister(pipe)
                    self._open.remove(pipe)
                kept = self._kept[pipe]
                self._kept[pipe] = kept + some[: MOST_OUTPUT - len(kept)]
        return ready

    def texts(self) -> tuple[str, str]:
        """Stdout and stderr."""
        stdout, stderr = self._kept.values()
        return stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace")


def _end_of(process: int) -> int | None:
    """A descriptor that is ready when a process ends; None where there is none."""
    with suppress(AttributeError, OSError):
        return os.pidfd_open(process)
    return None


def _exit_code(status: int) -> int:
    """Negative for a signal, also for one that the guard tells of."""
    code = os.waitstatus_to_exitcode(status)
    with suppress(ValueError):
        return -signal.Signals(code - 128)
    return code


def _end(leader: int | None, mark: str) -> None:
    """Kill a process group, and the processes that have left it."""
    if leader is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    for _ in range(_MOST_ROUNDS):
        marked = _processes_with(mark)
        for process in marked:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not marked:
            return


def _processes_with(mark: str) -> list[int]:
    """Those that have a variable of that value; none where there is no `/proc`."""
    found = []
    for process in _pids():
        # It may have ended meanwhile, or be somebody else's.
        with suppress(OSError), open(f"{PROC}/{process}/environ", "rb") as file:
            if mark.encode() in file.read().split(b"\0"):
                found.append(int(process))
    return found


def _sample(session: int, at: float) -> list[Sample]:
    """The processes of a session now, besides its leader, which guards them.

    Nothing where no `/proc` tells of them.
    """
    user = system = memory = threads = processes = descriptors = held_up = 0
    for stat in _stats():
        # pid (name) state ppid pgrp session …: proc(5) counts these from 1.
        pid, rest = stat.split(" ", 1)[0], stat.rpartition(")")[2].split()
        if int(rest[3]) != session or int(pid) == session:
            continue
        # With those of the children that it has waited for.
        user += int(rest[11]) + int(rest[13])
        system += int(rest[12]) + int(rest[14])
        threads += int(rest[17])
        memory += int(rest[21])
        processes += 1
        with suppress(OSError):
            descriptors += len(os.listdir(f"{PROC}/{pid}/fd"))
        # Of its main thread: nanoseconds on a processor, and before it got one.
        with suppress(OSError), open(f"{PROC}/{pid}/schedstat") as file:
            held_up = max(held_up, int(file.read().split()[1]))
    if not processes:
        return []
    return [
        Sample(
            round(at, 4),
            round(user * _TICK, 3),
            round(system * _TICK, 3),
            memory * _PAGE,
            threads,
            processes,
            descriptors,
            round(held_up / 1e9, 3),
        )
    ]


def _stats() -> list[str]:
    """The `stat` of each process; none where there is no `/proc`."""
    stats = []
    for pid in _pids():
        # It may have ended meanwhile.
        with suppress(OSError), open(f"{PROC}/{pid}/stat") as file:
            stats.append(file.read())
    return stats


def _pids() -> list[str]:
    with suppress(FileNotFoundError, PermissionError):
        return list(filter(str.isdigit, os.listdir(PROC)))
    return []
