"""Serves the same on several reactors, by turns; prints the ratios.

`python -m benchmarks.reactors`, or `make reactors`: on Twisted's epoll reactor and the
eager one, or on others by `--reactors`; all work, or some by `--work`. Two names are
for uvloop, where it is installed: `uvloop` is Twisted's asyncio reactor on it, and
`eager-uvloop` the eager one. With `--calls`, system calls are counted instead, by
strace.

Each figure is what the server has done in a second of its processor's time, as the
kernel counts that, and the median of its rounds. Server and load have a core each,
where there are two.
The load is wrk's, which has to be there; what is streamed is read by a plain socket,
and datagrams are echoed to one.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import twisted
from nbtwisted.command_line import raise_open_files

SERVER = Path(__file__).parent / "reactor_server.py"
STREAMED = 2**30
DATAGRAMS = 30_000


class Server:
    """A server that is measured.

    port  where it listens
    """

    def __init__(self, pid: int, port: int) -> None:
        self.port = port
        self._ran = Path(f"/proc/{pid}/schedstat")
        self._before = 0.0

    def begin(self) -> None:
        """What it does from now on counts."""
        self._before = self._seconds()

    def rate(self, done: float) -> float:
        """What it has done in a second of its processor's time, since it began."""
        return done / (self._seconds() - self._before)

    def _seconds(self) -> float:
        return int(self._ran.read_text().split()[0]) / 1e9


Measure = Callable[[Server, float], float]


def wrk(port: int, seconds: float, connections: int) -> int:
    """The number of requests that are answered in this time."""
    load = ["wrk", "-t1", f"-c{connections}", f"-d{max(seconds, 1):.0f}"]
    ran = subprocess.run(
        [*on_core(1), *load, f"http://127.0.0.1:{port}/"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"(\d+) requests in", ran.stdout)
    assert found is not None, ran.stdout
    assert "Non-2xx" not in ran.stdout, ran.stdout
    return int(found[1])


def by_wrk(server: Server, seconds: float) -> float:
    """Requests over 50 connections."""
    # What is done the first time only, as imports are.
    wrk(server.port, 1, 50)
    server.begin()
    return server.rate(wrk(server.port, seconds, 50))


def by_wrk_beside_idle(server: Server, seconds: float) -> float:
    """The same over 100 connections, while 10,000 others are open and say nothing."""
    idle: list[socket.socket] = []
    try:
        for _ in range(10_000):
            idle.append(socket.create_connection(("127.0.0.1", server.port)))
        wrk(server.port, 1, 100)
        server.begin()
        return server.rate(wrk(server.port, seconds, 100))
    finally:
        for each in idle:
            each.close()


def by_reading(server: Server, seconds: float, secured: bool = False) -> float:
    """MiB of a stream of 1 GiB."""
    plain = socket.create_connection(("127.0.0.1", server.port))
    reading: socket.socket = plain
    server.begin()
    if secured:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        reading = context.wrap_socket(plain)
    buffer = bytearray(2**20)
    left = STREAMED
    with reading:
        while left > 0:
            got = reading.recv_into(buffer)
            assert got, f"{left} bytes are missing"
            left -= got
    return server.rate(STREAMED / 2**20)


def by_reading_tls(server: Server, seconds: float) -> float:
    """The same in TLS."""
    return by_reading(server, seconds, secured=True)


def by_datagrams(server: Server, seconds: float) -> float:
    """Datagrams that come back, 20 under way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.connect(("127.0.0.1", server.port))
        end.settimeout(5)
        server.begin()
        for _ in range(20):
            end.send(b"x" * 100)
        for _ in range(DATAGRAMS):
            end.recv(200)
            end.send(b"x" * 100)
        return server.rate(DATAGRAMS)


WORK: dict[str, tuple[str, Measure]] = {
    "a Protocol, keep-alive HTTP": ("raw", by_wrk),
    "twisted.web, a plain resource": ("web", by_wrk),
    "a Klein route": ("klein", by_wrk),
    "100 active among 10,000 idle": ("raw", by_wrk_beside_idle),
    "1 GiB through a producer": ("stream", by_reading),
    "1 GiB through a producer, TLS": ("tls", by_reading_tls),
    "UDP echo": ("udp", by_datagrams),
}


def on_core(number: int) -> list[str]:
    """What begins a command that is to have a core to itself."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[number])] if len(cores) > 1 else []


def measure(kind: str, reactor: str, by: Measure, seconds: float) -> float:
    """One figure of one server, which is started for it."""
    with subprocess.Popen(
        [*on_core(0), sys.executable, str(SERVER), reactor, kind],
        stdout=subprocess.PIPE,
        # Where the traced reactor says what it has to say.
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            return by(Server(server.pid, int(server.stdout.readline())), seconds)
        finally:
            server.send_signal(signal.SIGTERM)


def calls(kind: str, reactor: str, load: Callable[[int], None]) -> Counter[str]:
    """System calls that strace counts, by their names; `load` is given the port."""
    with tempfile.NamedTemporaryFile("r") as counted:
        counting = ["strace", "-f", "-c", "-o", counted.name]
        with subprocess.Popen(
            [*on_core(0), *counting, sys.executable, str(SERVER), reactor, kind],
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            try:
                assert server.stdout is not None
                load(int(server.stdout.readline()))
            finally:
                # strace itself would only let go of it.
                children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
                for child in children.read_text().split():
                    os.kill(int(child), signal.SIGTERM)
        rows = [line.split() for line in counted.read().splitlines()]
    return Counter(
        {
            row[-1]: int(row[3])
            for row in rows
            if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"
        }
    )


def print_calls(told: argparse.Namespace) -> None:
    """Prints the table of system calls, for what wrk loads."""
    print("| work | reactor | system calls for each request |")
    print("|---|---|---|")
    for name, (kind, by) in WORK.items():
        if by is not by_wrk or kind not in told.work:
            continue
        for reactor in told.reactors:
            counts: list[int] = []
            found = calls(
                kind,
                reactor,
                lambda port: counts.append(wrk(port, told.seconds, 50)),  # noqa: B023
            )
            # What starting and stopping take is not for the requests.
            found.subtract(calls(kind, reactor, lambda port: None))
            each = {name: number / sum(counts) for name, number in found.items()}
            shown = ", ".join(
                f"{name} {number:.2f}"
                for name, number in sorted(each.items(), key=lambda item: -item[1])
                if number >= 0.005
            )
            print(f"| {name} | {reactor} | {sum(each.values()):.2f}: {shown} |")
            sys.stdout.flush()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--reactors", nargs="+", default=("epoll", "eager"))
    kinds = sorted({kind for kind, _ in WORK.values()})
    parser.add_argument("--work", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--calls", action="store_true", help="count system calls")
    told = parser.parse_args()
    if told.calls:
        print_calls(told)
        return
    if shutil.which("wrk") is None:
        sys.exit("reactors: expected wrk on the PATH (Debian has it)")
    raise_open_files()
    print(f"Python {sys.version.split()[0]}, Twisted {twisted.__version__}", end=", ")
    print(f"medians of {told.rounds} rounds")
    print()
    first, *others = told.reactors
    print(f"| work | {' | '.join([first, *(f'{each} | ratio' for each in others)])} |")
    print("|---" * (2 + 2 * len(others)) + "|")
    for name, (kind, by) in WORK.items():
        if kind not in told.work:
            continue
        figures: dict[str, list[float]] = {each: [] for each in told.reactors}
        for number in range(told.rounds):
            # What comes first is not always the same.
            for reactor in told.reactors[:: -1 if number % 2 else 1]:
                figures[reactor].append(measure(kind, reactor, by, told.seconds))
        usual = {each: statistics.median(figures[each]) for each in figures}
        columns = [f"{usual[first]:,.0f}"]
        for each in others:
            columns.append(f"{usual[each]:,.0f}")
            columns.append(f"{usual[each] / usual[first]:.2f}")
        print(f"| {name} | {' | '.join(columns)} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
