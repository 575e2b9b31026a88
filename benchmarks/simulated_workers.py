"""Workers of a Dask cluster, many in a process, whose parts send nothing.

They say what the parts of a load test say, as often. `benchmarks/cluster_cost.py` has
them, in processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred

from nbtwisted.cluster import part_host
from nbtwisted.cluster.driver import DriverListener, answer_ping, hello
from nbtwisted.cluster.frame import FrameReader, write_frame
from nbtwisted.command_line import raise_open_files
from nbtwisted.load.figures.series import Interval, Series
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.fleet.part import LoadPart

__all__ = ["RATE", "SECONDS", "SimulatedHost", "main"]

SECONDS = 12
"""That a run takes."""
RATE = 100
"""Responses a second that a part says it has had."""


def some_responses() -> Tally:
    """Those that a part has had when it is over."""
    chance = random.Random(1)
    series = Series()
    tally = Tally(series)
    for second in range(1, SECONDS + 1):
        for _ in range(RATE):
            tally.latencies.add(chance.lognormvariate(-3, 0.5))
            tally.service.add(chance.lognormvariate(-3, 0.5))
            tally.responses[200, 19] += 1
        tally.fold()
        tally.latencies.tell()
        tally.service.tell()
        series.cut(second, tally.statuses, {})
    series.close(SECONDS, tally.statuses, {})
    return tally


class PretendedRun:
    """In the place of a `Run`: it sends nothing, and has had those responses."""

    cpu_share = 0.5
    tally = some_responses()

    def __init__(self) -> None:
        self.seconds = 0.0
        self.methods = Counter(GET=SECONDS * RATE)
        self._is_over: Deferred[None] = Deferred()

    def start(self, _: float) -> Deferred[None]:
        """Be over in time."""
        self.seconds = float(SECONDS)
        asyncio.get_running_loop().call_later(SECONDS, self._is_over.callback, None)
        return self._is_over

    def news(self) -> list[Interval]:
        """As of some that are over, and one under way."""
        assert self.tally.series is not None
        return self.tally.series.intervals[:3]


class Timer:
    """A call that asyncio will make, as Twisted has them."""

    def __init__(
        self, seconds: float, call: Callable[..., None], *given: object
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_later(seconds, call, *given)

    def active(self) -> bool:
        """Whether it is yet to be made."""
        return not self._handle.cancelled() and self._handle.when() > self._loop.time()

    def cancel(self) -> None:
        """Do not make it."""
        self._handle.cancel()


class Timers:
    """All of a reactor that a part needs."""

    callLater = Timer


class SimulatedHost:
    """In the place of a `PartHost`: its part is not a process, but in this one."""

    def __init__(self) -> None:
        self.listener: DriverListener | None = None
        self.is_full = False
        self._reader = FrameReader()
        self._said: list[bytes] = []
        self._has_said = asyncio.Event()

    async def begin(self, _: Sequence[str]) -> None:
        """Start the part, which says hello."""
        self.send(hello())
        pretended: Any = PretendedRun
        LoadPart(Timers(), self, new_run=lambda _plan, _tally: pretended())

    async def write(self, data: bytes) -> None:
        """Pass on what the driver says."""
        assert self.listener is not None
        for frame in self._reader.feed(data):
            pong = answer_ping(frame)
            if pong is not None:
                self.send(pong)
            else:
                self.listener.frame_received(frame)

    async def read(self, data: bytes = b"") -> tuple[bytes, str | None]:
        """What it has said, if anything yet."""
        await self.write(data)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._has_said.wait(), part_host.PATIENCE)
        self._has_said.clear()
        said, self._said = b"".join(self._said), []
        return said, None

    async def still_there(self) -> None:
        """The driver is busy."""

    async def end(self) -> None:
        """There is no process."""

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """As a part says it."""
        self._said.append(write_frame(head, payload))
        self._has_said.set()


async def be_workers(address: str, first: int, number: int) -> None:
    """Be so many workers, until stdin is closed."""
    import dask
    import distributed

    part_host.PartHost = SimulatedHost  # type: ignore[assignment,misc]
    dask.config.set(
        {
            # What workers look at in their process, which is not what is measured here.
            "distributed.admin.system-monitor.interval": "1h",
            "distributed.admin.system-monitor.gil.enabled": False,
            "distributed.worker.profile.enabled": False,
            "distributed.worker.http.routes": [],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            distributed.Worker(
                address,
                name=str(first + place),
                nthreads=1,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                host="127.0.0.1",
                local_directory=folder,
            )
            for place in range(number)
        ]
        for worker in workers:
            await worker
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Be workers: the arguments are a scheduler's address, a first name, a number."""
    raise_open_files()
    address, first, number = sys.argv[1:]
    asyncio.run(be_workers(address, int(first), int(number)))
