"""Serves the same on two reactors, by turns; prints the ratios.

`python -m benchmarks.reactors`, or `make reactors`: on Twisted's epoll reactor and the
eager one, or on others by `--reactors`; all work, or some by `--work`. With `--calls`,
system calls are counted instead, by strace. Server
and load have a core each, where there are two. The load is wrk's, which has to be
there; what is streamed is read by a plain socket, and datagrams are echoed to one. Each
figure is the median of its rounds.
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
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import twisted
from nbtwisted.command_line import raise_open_files

SERVER = Path(__file__).parent / "reactor_server.py"
STREAMED = 2**30
DATAGRAMS = 30_000

Measure = Callable[[int, float], float]


def by_wrk(port: int, seconds: float, connections: int = 50) -> float:
    """Requests a second over 50 connections."""
    load = ["wrk", "-t1", f"-c{connections}", f"-d{max(seconds, 1):.0f}"]
    ran = subprocess.run(
        [*on_core(1), *load, f"http://127.0.0.1:{port}/"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)
    assert found is not None, ran.stdout
    assert "Non-2xx" not in ran.stdout, ran.stdout
    return float(found[1])


def by_wrk_beside_idle(port: int, seconds: float) -> float:
    """The same over 100 connections, while 10,000 others are open and say nothing."""
    idle: list[socket.socket] = []
    try:
        for _ in range(10_000):
            idle.append(socket.create_connection(("127.0.0.1", port)))
        return by_wrk(port, seconds, connections=100)
    finally:
        for each in idle:
            each.close()


def by_reading(port: int, seconds: float, secured: bool = False) -> float:
    """MiB a second of a stream of 1 GiB."""
    plain = socket.create_connection(("127.0.0.1", port))
    reading: socket.socket = plain
    if secured:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        reading = context.wrap_socket(plain)
    buffer = bytearray(2**20)
    began = time.perf_counter()
    left = STREAMED
    with reading:
        while left > 0:
            got = reading.recv_into(buffer)
            assert got, f"{left} bytes are missing"
            left -= got
    return STREAMED / 2**20 / (time.perf_counter() - began)


def by_reading_tls(port: int, seconds: float) -> float:
    """The same in TLS."""
    return by_reading(port, seconds, secured=True)


def by_datagrams(port: int, seconds: float) -> float:
    """Datagrams that come back in a second, 20 under way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.connect(("127.0.0.1", port))
        end.settimeout(5)
        for _ in range(20):
            end.send(b"x" * 100)
        began = time.perf_counter()
        for _ in range(DATAGRAMS):
            end.recv(200)
            end.send(b"x" * 100)
        return DATAGRAMS / (time.perf_counter() - began)


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
            return by(int(server.stdout.readline()), seconds)
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
            seconds = max(told.seconds, 1)
            rates: list[float] = []
            found = calls(kind, reactor, lambda port: rates.append(by(port, seconds)))  # noqa: B023
            # What starting and stopping take is not for the requests.
            found.subtract(calls(kind, reactor, lambda port: None))
            requests = sum(rates) * seconds
            each = {name: number / requests for name, number in found.items()}
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
    parser.add_argument("--reactors", nargs=2, default=("epoll", "eager"))
    kinds = sorted({kind for kind, _ in WORK.values()})
    parser.add_argument("--work", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--calls", action="store_true", help="count system calls")
    told = parser.parse_args()
    if told.calls:
        print_calls(told)
        return
    first, second = told.reactors
    if shutil.which("wrk") is None:
        sys.exit("reactors: expected wrk on the PATH (Debian has it)")
    raise_open_files()
    print(f"Python {sys.version.split()[0]}, Twisted {twisted.__version__}", end=", ")
    print(f"medians of {told.rounds}")
    print()
    print(f"| work | {first} | {second} | ratio |")
    print("|---|---|---|---|")
    for name, (kind, by) in WORK.items():
        if kind not in told.work:
            continue
        figures: dict[str, list[float]] = {first: [], second: []}
        for _ in range(told.rounds):
            for reactor in told.reactors:
                figures[reactor].append(measure(kind, reactor, by, told.seconds))
        one, other = (statistics.median(figures[each]) for each in told.reactors)
        print(f"| {name} | {one:,.0f} | {other:,.0f} | {other / one:.2f} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
