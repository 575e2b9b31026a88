"""Measures what a cluster costs its scheduler and its driver, with many workers.

`python -m benchmarks.cluster_cost [WORKERS …]`; nothing else should be running. The
scheduler is Dask's, the driver is that of `nbtwisted load --cluster`, and the workers
are Dask's, many in a process, whose parts send nothing: they say what those of a real
run say, as often. Prints the table of docs/cluster.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.task import LoopingCall, deferLater, react

from benchmarks.simulated_workers import RATE, SECONDS
from nbtwisted.cluster.cluster import connect
from nbtwisted.cluster.place import Place
from nbtwisted.command_line import raise_open_files
from nbtwisted.gc_tuning import collect_seldom, leave_startup_to_itself
from nbtwisted.load.figures.series import Series
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.fleet.fleet import Fleet
from nbtwisted.load.options import read_options

SIZES = (10, 100, 1000)
PROCESSES = 4
"""In which the workers are."""
LIVE_LINE = 0.25
"""Seconds between two looks at what has come so far."""


@contextlib.contextmanager
def scheduler_of(workers: int) -> Iterator[tuple[str, int]]:
    """The address of a scheduler that has so many workers, and its process."""
    command = [sys.executable, "-c", SCHEDULER]
    with contextlib.ExitStack() as stack:

        def start(command: list[str]) -> Any:
            program = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            stack.callback(program.communicate)
            stack.callback(program.kill)
            return program

        scheduler = start(command)
        address = scheduler.stdout.readline().strip()
        processes = min(PROCESSES, workers)
        started = []
        for place in range(processes):
            first, end = (workers * each // processes for each in (place, place + 1))
            command = [sys.executable, "-c", WORKERS, address]
            started.append(start([*command, str(first), str(end - first)]))
        for program in started:
            assert program.stdout.readline() == "ready\n", "the workers did not start"
        yield address, scheduler.pid


# Not by `-m`: of what is in `__main__`, Dask would send the code, and not its name.
WORKERS = "from benchmarks.simulated_workers import main; main()"

SCHEDULER = """
import asyncio, sys, dask, distributed
dask.config.set({"distributed.scheduler.http.routes": []})
async def run():
    where = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
    async with distributed.Scheduler(**where) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()
asyncio.run(run())
"""


class Meter:
    """What the scheduler and this process, which is the driver, have used so far."""

    def __init__(self, scheduler: int) -> None:
        self._processes = (str(scheduler), "self")

    def read(self) -> tuple[float, float, float]:
        """Seconds: by the clock, of the scheduler's core, and of the driver's."""
        scheduler, driver = map(_cpu, self._processes)
        return time.monotonic(), scheduler, driver

    def since(self, before: tuple[float, float, float]) -> list[float]:
        """The same, since then."""
        return [now - then for now, then in zip(self.read(), before, strict=True)]

    def memory(self) -> list[float]:
        """MB of the scheduler's, and of the driver's."""
        return [_resident(process) / 1e6 for process in self._processes]


def _cpu(process: str) -> float:
    # proc(5): the second field may have any characters.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(process: str) -> int:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


async def measure(reactor: Any, workers: int) -> list[str]:
    """The cells of a row of the table."""
    with scheduler_of(workers) as (address, scheduler):
        meter = Meter(scheduler)
        told = ["-z", f"{SECONDS}s", "-c", str(workers), "--cluster", address]
        plan = read_options([*told, "http://127.0.0.1:9/"]).plan
        reached: dict[str, Any] = {}

        async def reach() -> Any:
            cluster = await connect(reactor, Place(address))
            reached["connected"] = meter.since(before)
            return cluster

        before = meter.read()
        fleet = Fleet(reactor, reach, [], most=workers)
        try:
            await fleet.begin()
            started = meter.since(before)
            run = fleet.new_run(plan, Tally(Series()))
            done = run.start()
            live = LoopingCall(lambda: run.tally)
            live.start(LIVE_LINE)
            while run.seconds < 1:
                await _later(reactor, 0.05)
            before = meter.read()
            while run.seconds < SECONDS - 0.5:
                await _later(reactor, 0.05)
            going = meter.since(before)
            while run.seconds < SECONDS:
                await _later(reactor, 0.01)
            before = meter.read()
            await done
            live.stop()
            last = meter.since(before)
            lost = [each.lost for each in run.workers.results if each.lost]
            assert run.tally.answered == workers * SECONDS * RATE or lost, run.tally
            memory = meter.memory()
            before = meter.read()
        finally:
            await fleet.end()
        closed = meter.since(before)
    connected = reached["connected"]
    return [
        f"{workers:,}",
        f"{connected[0]:.2f} s",
        f"{started[0] - connected[0]:.1f} s ({started[2] - connected[2]:.1f} s)",
        *(f"{seconds / going[0]:.1%}" for seconds in going[1:]),
        f"{last[0]:.1f} s ({last[2]:.1f} s)",
        f"{closed[0]:.2f} s",
        *(f"{each:.0f} MB" for each in memory),
        str(len(lost)),
    ]


def _later(reactor: Any, seconds: float) -> Any:
    return deferLater(reactor, seconds, lambda: None)


TITLES = (
    *("workers", "connect", "start parts", "scheduler, live", "driver, live"),
    *("last tallies", "end", "scheduler", "driver", "lost"),
)


async def compare(reactor: Any, sizes: Sequence[int]) -> None:
    """Print the table."""
    print("| " + " | ".join(TITLES) + " |")
    print("|--" * len(TITLES) + "|", flush=True)
    for size in sizes:
        print("| " + " | ".join(await measure(reactor, size)) + " |", flush=True)


def main() -> None:
    """Raises `SystemExit`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workers", type=int, nargs="*", default=SIZES)
    args = parser.parse_args()
    raise_open_files()
    leave_startup_to_itself()
    collect_seldom()
    react(compare, [args.workers])


if __name__ == "__main__":
    main()
