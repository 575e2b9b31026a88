"""The programs of `benchmarks.bench`, measured from outside: time, CPU and memory.

A server and the program that asks it have a core each, where there are two. A server's
CPU time and memory are read from /proc; those of a program that has ended are what the
kernel says of it (getrusage).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BIN",
    "HERE",
    "PEERS",
    "PEERS_BIN",
    "Done",
    "Server",
    "cpu_of",
    "memory_of",
    "on_core",
    "run",
    "running",
]

HERE = Path(__file__).parent
PEERS = HERE / "peers"
BIN = Path(sys.executable).parent
PEERS_BIN = BIN / ".." / "peers" / "bin"


@dataclass(frozen=True)
class Server:
    """A server, and the target that it answers after three seconds."""

    name: str
    command: tuple[str, ...]
    held: str = "/?_delay=3"


@dataclass(frozen=True)
class Done:
    """What a program that has ended printed, and what it took.

    cpu: seconds of user and system time.
    wall: seconds from its start to its end.
    most_kb: KB resident at most, or those of this process, if it has more.
    """

    printed: str
    cpu: float
    wall: float
    most_kb: int


def on_core(*numbers: int) -> list[str]:
    """What begins a command that is to have a core to itself, or some cores."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return []
    return ["taskset", "-c", ",".join(str(cores[number]) for number in numbers)]


@contextmanager
def running(server: Server, port: int, cores: Sequence[int] = (0,)) -> Iterator[int]:
    """The server, listening; gives its process. Raises `OSError` if there is none."""
    with subprocess.Popen(
        [*on_core(*cores), *server.command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Where twistd finds the bare Klein app.
        cwd=HERE.parent,
        start_new_session=True,
    ) as process:
        try:
            _wait_for(port, process)
            yield process.pid
        finally:
            # Some have processes of their own; one that did not start has none.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise OSError("it does not start")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)  # noqa: TID251 - nothing here is non-blocking
            continue
        return
    raise OSError("it does not listen")


def run(command: Sequence[str], cores: Sequence[int] = (1,)) -> Done:
    """Run a program on the load's core, to its end; raises `OSError` if it fails."""
    name = Path(command[0]).name
    if shutil.which(command[0]) is None:
        raise OSError(f"{name} is not installed")
    with tempfile.TemporaryFile("w+") as printed:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*on_core(*cores), *command], stdout=printed, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        if process.returncode:
            raise OSError(f"{name} ended with {process.returncode}")
        cpu = usage.ru_utime + usage.ru_stime
        return Done(printed.read(), cpu, wall, usage.ru_maxrss)


def children_of(process: int) -> list[int]:
    """List the processes that a process started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


def memory_of(process: int) -> float:
    """KB resident, of a process and of those that it started."""
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    own = float(match[1]) if match else 0.0
    return own + sum(memory_of(child) for child in children_of(process))


def cpu_of(process: int) -> float:
    """Seconds, user and system, of a process and of those that it started."""
    # The name, in brackets, may have anything in it. See proc(5): utime, stime, and
    # the same of children that have ended.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    own = sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_of(child) for child in children_of(process))
