"""System calls, counted by strace, or by the program itself where there is none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from nbtwisted.study.run import Calls

__all__ = ["counted", "counting", "has_strace"]

SOCKETS = (
    "socket connect bind listen accept accept4 sendto recvfrom sendmsg recvmsg "
    "shutdown getsockopt socketpair"
)
WAITS = (
    "select pselect6 poll ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait "
    "clock_nanosleep futex"
)
STARTS = ("clone", "clone3", "fork", "vfork")
PROCESSES = "pipe pipe2 execve wait4 waitid"
OF_DESCRIPTORS = ("read", "write", "close")
"""They count where they are about a socket, a pipe or an epoll object."""

_NAMES = [*" ".join((SOCKETS, WAITS, PROCESSES)).split(), *STARTS, *OF_DESCRIPTORS]

_CALL = re.compile(r"(\d+) +(\w+)\((?:(\d+)<([^>]*)>?)?")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>")
_FAILED = re.compile(r" = -1 (E\w+)")


@cache
def has_strace() -> bool:
    """Whether strace is there, and may look at a process."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(
        [*_strace(Path("/dev/null")), "true"], capture_output=True, check=False
    )
    return tried.returncode == 0


def counting(program: list[str], record: Path) -> list[str]:
    """The command that runs a Python program and records its calls in a file.

    `program` is the path of the program, and its arguments.
    """
    if has_strace():
        return [*_strace(record), sys.executable, *program]
    return [sys.executable, "-m", "nbtwisted.study.recorder", str(record), *program]


def counted(record: Path) -> dict[str, Calls] | None:
    """The calls that were recorded; None if there is no record."""
    try:
        with record.open(encoding="utf-8", errors="replace") as lines:
            if has_strace():
                return _of_strace(lines)
            return {name: Calls(count) for name, count in json.load(lines).items()}
    except (OSError, ValueError):
        return None


def _strace(record: Path) -> list[str]:
    # A "?" lets a name be unknown: machines differ in their calls.
    names = ",".join(f"?{name}" for name in _NAMES)
    return [
        *("strace", "-f", "--seccomp-bpf", "-y", "-qq", "-e", "signal=none"),
        *("-e", f"trace={names}", "-o", str(record)),
    ]


def _of_strace(lines: Iterable[str]) -> dict[str, Calls]:
    counts: Counter[str] = Counter()
    errors: dict[str, Counter[str]] = {}
    is_counted: dict[str, bool] = {}
    has_threads = is_probe = False
    for line in lines:
        if made := _CALL.match(line):
            thread, name, descriptor, what = made.groups()
            has_threads |= name in STARTS
            counts_here = (
                _is_told(descriptor, what) if name in OF_DESCRIPTORS
                # Python has a lock or two before there is anybody to wait for.
                else has_threads if name == "futex"
                else True
            )  # fmt: skip
            if is_probe and name == "close":
                # Python's selectors look whether there is epoll, when imported.
                counts["epoll_create1"] -= 1
                counts_here = False
            is_probe = name == "epoll_create1"
            counts[name] += counts_here
            is_counted[thread] = counts_here
        elif resumed := _RESUMED.match(line):
            thread, name = resumed.groups()
            counts_here = is_counted.get(thread, False)
        else:
            continue
        if counts_here and (failed := _FAILED.search(line)):
            errors.setdefault(name, Counter())[failed[1]] += 1
    # The program's own start is one.
    counts["execve"] -= 1
    return {
        name: Calls(count, dict(errors.get(name, {})))
        for name, count in counts.most_common()
        if count > 0
    }


def _is_told(descriptor: str | None, what: str | None) -> bool:
    """Whether a read, a write or a close is one that a lesson may be about."""
    # What is printed goes to pipes of ours.
    if descriptor is None or what is None or descriptor in ("0", "1", "2"):
        return False
    return what.startswith(("socket:", "pipe:", "anon_inode:"))
