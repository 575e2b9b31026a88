"""What somebody who watches the live page costs the server; prints one table.

`python -m benchmarks.live_page`, or `make live-cost`. Server and load have a core each,
where there are two. The viewer is a plain socket that reads what comes, on the load's
core: a browser would take more of it. Rounds with a viewer and without take turns, and
each figure is the median of its rounds. The load is wrk's, which has to be there, and
at a fixed rate that of `nbtwisted load`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench_programs import on_core
from nbtwisted.command_line import raise_open_files

RATE = 5_000
HELD = 10_000


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """A server on a core of its own: its process, and its port."""
    listen = ("--listen", "tcp:0:interface=127.0.0.1")
    with subprocess.Popen(
        [*on_core(0), sys.executable, "-m", "nbtwisted.server", *listen],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r":(\d+)/", process.stderr.readline())
            assert found is not None
            yield process.pid, int(found[1])
        finally:
            process.kill()


@contextmanager
def watching(port: int, viewers: int) -> Iterator[list[int]]:
    """So many viewers, who read all that comes; gives the bytes that they got."""
    got = [0] * viewers
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in got]

    def read(number: int) -> None:
        # This thread's.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
        while data := sockets[number].recv(65536):
            got[number] += len(data)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(viewers)]
    for each, thread in zip(sockets, threads, strict=True):
        each.sendall(b"GET /__admin/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        thread.start()
    try:
        yield got
    finally:
        for each, thread in zip(sockets, threads, strict=True):
            each.shutdown(socket.SHUT_RDWR)
            thread.join()
            each.close()


def cpu_seconds(process: int) -> float:
    """What its main thread has computed for."""
    # In nanoseconds; what `stat` has is in hundredths of a second.
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def by_wrk(process: int, port: int, seconds: int) -> tuple[float, float]:
    """Answers a second over 50 connections, and seconds of computing for each."""
    before = cpu_seconds(process)
    load = ["wrk", "-t1", "-c50", f"-d{seconds}"]
    ran = subprocess.run(
        [*on_core(1), *load, f"http://127.0.0.1:{port}/?_delay=0"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"(\d+) requests in [\s\S]*Requests/sec:\s+([\d.]+)", ran.stdout)
    assert found is not None, ran.stdout
    assert "Non-2xx" not in ran.stdout, ran.stdout
    return float(found[2]), (cpu_seconds(process) - before) / int(found[1])


def by_rate(process: int, port: int, seconds: int) -> tuple[float, float]:
    """The same at a fixed rate."""
    before = cpu_seconds(process)
    subprocess.run(
        [
            *(*on_core(1), sys.executable, "-m", "nbtwisted.load"),
            *("-z", f"{seconds}s", "-q", str(RATE), "--no-progress"),
            f"http://127.0.0.1:{port}/?_delay=0",
        ],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return RATE, (cpu_seconds(process) - before) / (RATE * seconds)


@contextmanager
def holding(port: int) -> Iterator[None]:
    """Ten thousand requests that wait."""
    held = []
    try:
        for number in range(HELD):
            # One address has 28,000 ports, which earlier rounds may have used up.
            source = (f"127.0.0.{2 + number % 4}", 0)
            each = socket.create_connection(("127.0.0.1", port), source_address=source)
            each.sendall(b"GET /delay/290s HTTP/1.1\r\nHost: test\r\n\r\n")
            held.append(each)
        yield
    finally:
        for each in held:
            each.close()


Measure = Callable[[int, int, int], tuple[float, float]]


def compare(
    name: str, by: Measure, process: int, port: int, told: argparse.Namespace
) -> None:
    """Prints the rows of one kind of load."""
    rates: tuple[list[float], list[float]] = ([], [])
    computed: tuple[list[float], list[float]] = ([], [])
    for number in range(told.rounds):
        # What comes first in a round is not to have an advantage from that.
        for viewers in (0, 1) if number % 2 else (1, 0):
            with watching(port, viewers):
                rate, each = by(process, port, told.seconds)
            rates[viewers].append(rate)
            computed[viewers].append(each * 1e6)
    without, watched = map(statistics.median, rates)
    if without != RATE:
        print(f"| {name}: answers a second | {without:,.0f} | {watched:,.0f}", end=" ")
        print(f"| {1 - watched / without:.1%} |")
    without, watched = map(statistics.median, computed)
    print(f"| {name}: µs of the server for an answer | {without:.2f} ", end="")
    print(f"| {watched:.2f} | {watched / without - 1:.1%} |")
    sys.stdout.flush()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    told = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("live_page: expected wrk on the PATH (Debian has it)")
    raise_open_files()
    print(f"Python {sys.version.split()[0]}, medians of {told.rounds}\n")
    print("| load | without a viewer | with one | it costs |")
    print("|---|---|---|---|")
    with serving() as server:
        compare("as many as it answers", by_wrk, *server, told)
        compare(f"{RATE:,} a second", by_rate, *server, told)
        with holding(server[1]):
            name = f"{RATE:,} a second, {HELD:,} held"
            compare(name, by_rate, *server, told)


if __name__ == "__main__":
    main()
