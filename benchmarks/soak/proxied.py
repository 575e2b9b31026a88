"""Proxies between clients that leave and an upstream that is killed again and again.

One is in HTTP mode, and one in TCP mode; the upstream of both is the same process, and
each request through any of them is followed to the end (`proxy_ledger`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.free_port import free_port
from benchmarks.soak.clients import together
from benchmarks.soak.figures import Row, Settings, Unexpected, say
from benchmarks.soak.mixed import FIRST, LAST, Samples
from benchmarks.soak.proxy_client import Carried, Sender
from benchmarks.soak.proxy_kinds import KINDS, PLAIN_KINDS, UPSTREAM_TIMEOUT, Kind
from benchmarks.soak.proxy_ledger import Ledger, Sent, read_written
from benchmarks.soak.scenarios import without_outcome
from benchmarks.soak.server import (
    PROJECT,
    SECONDS_TO_START,
    Server,
    leaks,
    started,
    until,
)
from benchmarks.soak.watched import TIMERS

__all__ = ["proxied", "running_proxy"]

HTTP_WORKERS, TCP_WORKERS = 40, 12
MEAN_PAUSE = 0.1
"""Seconds between the requests of a worker: in five minutes, as many as in an hour."""
SECONDS_BETWEEN_KILLS = 6.0
SECONDS_DOWN = 1.0
SECONDS_OF_A_KILL = 3.0
"""Until it is there again, and what was asked meanwhile is over."""
SECONDS_BETWEEN_LOOKS = 0.5
"""At the journal, which has the last thousand requests that are over."""
SECONDS_TO_CLEAN_UP = 5.0
MOST_GROWTH = 1.2
SLOWED = "_delay=uniform(0ms,3ms)&_slice=20000,1000,1ms&_direction=both"
"""What the proxy in TCP mode does."""


class Upstream:
    """The process that both proxies stand before, and what it writes down."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; returns when it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.soak.upstream"),
            *(str(self.port), str(self._log)),
            cwd=PROJECT,
        )

        async def listens() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            return True

        if not await until(listens, SECONDS_TO_START):
            raise Unexpected("the upstream does not start")

    async def kill(self) -> None:
        """End it at once, with all that it was doing."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def written(self) -> str:
        """The lines that it has written."""
        return self._log.read_text()


class Proxy(Server):
    """A proxy in a process of its own; operators have another port than clients."""

    upstream: Upstream

    @property
    def admin_port(self) -> int:
        """That of operators alone."""
        return self._admin_port

    def complaints(self, exit_code: int) -> list[str]:
        """As every server's; it was asked for its timers."""
        found = super().complaints(exit_code)
        return [line for line in found if not line.startswith(TIMERS)]

    async def timers(self) -> int:
        """How many calls its reactor has still to make."""
        told = len(self._timers)
        self.signal(signal.SIGUSR1)

        async def has_told() -> bool:
            return len(self._timers) > told

        if not await until(has_told, SECONDS_TO_START):
            raise Unexpected("it does not tell its timers")
        return self._timers[-1]

    @property
    def _timers(self) -> Sequence[int]:
        return [
            int(line.removeprefix(TIMERS))
            for line in self.lines
            if line.startswith(TIMERS)
        ]


@contextlib.asynccontextmanager
async def running_proxy() -> AsyncIterator[Proxy]:
    """A proxy in HTTP mode, and the upstream that it is in front of."""
    with tempfile.TemporaryDirectory() as folder:
        upstream = Upstream(free_port(), Path(folder) / "upstream")
        try:
            # A proxy warns of one that is not there.
            await upstream.start()
            url = f"http://127.0.0.1:{upstream.port}"
            more = ("--upstream-timeout", f"{UPSTREAM_TIMEOUT:g}s")
            async with _proxy_before(upstream, url, *more) as proxy:
                yield proxy
        finally:
            await upstream.kill()


@contextlib.asynccontextmanager
async def _proxy_before(
    upstream: Upstream, url: str, *more: str
) -> AsyncIterator[Proxy]:
    command = (
        *(sys.executable, "-m", "benchmarks.soak.watched", "proxy", url),
        *("--listen", "tcp:0:interface=127.0.0.1", "--admin-port", "0"),
        *("--seed", "1", *more),
    )
    async with started(Proxy, command) as proxy:
        proxy.upstream = upstream
        yield proxy


@dataclass
class Run:
    """All that goes through one proxy, and the figures of that."""

    proxy: Proxy
    kinds: Mapping[str, Kind]
    ledger: Ledger
    entries: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """The journal's, of what is over, by their ids."""
    carried: list[Carried] = field(default_factory=list)
    """All connections that were made."""
    refused: int = 0
    """Those that were not, for the proxy reset them at once."""
    samples: Samples | None = None
    descriptors: int = 0
    timers: int = 0
    _since: int = 0

    async def work(self, worker: int, numbers: Sequence[int], deadline: float) -> None:
        """Send requests with pauses until then, with numbers that no other has."""
        random = Random(worker)
        sender = Sender(self.proxy.port, worker)
        counter = iter(numbers)
        while (now := time.monotonic()) < deadline:
            pause = min(random.expovariate(1 / MEAN_PAUSE), deadline - now)
            await asyncio.sleep(pause)
            name = random.choice([*self.kinds])
            await self.send(sender, name, next(counter))
        self.leave(sender)

    def leave(self, sender: Sender) -> None:
        """Have a worker leave, and take over what it made."""
        sender.close()
        self.carried += sender.carried
        self.refused += sender.refused

    async def send(self, sender: Sender, name: str, number: int) -> None:
        """Send one request, and note how it ends."""
        kind = self.kinds[name]
        sent = self.ledger.sent[number] = Sent(name, kind, time.monotonic())
        try:
            sent.reply = await sender.send(kind, number)
        except (Unexpected, OSError, ValueError) as error:
            sent.problem = repr(error)
        sent.ended = time.monotonic()

    async def look_at_journal(self) -> None:
        """Take over what is over since the last look."""
        found = await self.proxy.journal(
            "requests" if self.ledger.is_http else "links", self._since
        )
        there = []
        for entry in found:
            if entry["took"] is None:
                there.append(entry["id"])
            else:
                self.entries[entry["id"]] = entry
        last = max((each["id"] for each in found), default=self._since)
        self._since = min(there, default=last + 1) - 1

    async def follow_journal(self) -> None:
        """Go on with that until cancelled."""
        while True:
            await self.look_at_journal()
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    async def rest(self) -> None:
        """See what there is of descriptors and timers when nothing goes on."""
        self.descriptors = await self.proxy.descriptors_at_rest()
        self.timers = await self.proxy.timers()

    async def leaks(self) -> int:
        """How much there is of them, and of memory, more than at rest."""
        assert self.samples is not None
        usual = self.samples.between(*FIRST)
        held = await leaks(self.proxy, self.descriptors, MOST_GROWTH * usual)
        more_timers = 0

        async def has_no_more_timers() -> bool:
            nonlocal more_timers
            more_timers = await self.proxy.timers() - self.timers
            return more_timers <= 0

        await until(has_no_more_timers, SECONDS_TO_CLEAN_UP)
        if held or more_timers > 0 or self.samples.is_growing:
            say(f"  leaked: {held} held, {more_timers} timers, {self.memory}")
        return held + max(more_timers, 0) + self.samples.is_growing

    @property
    def memory(self) -> str:
        """How it was at first, and at last."""
        assert self.samples is not None
        first, last = (self.samples.between(*part) for part in (FIRST, LAST))
        return f"{first:.1f} MB first, {last:.1f} last"


async def proxied(server: Server, settings: Settings, row: Row) -> None:
    """Requests of all kinds through both proxies, for a long time."""
    assert isinstance(server, Proxy)
    upstream = server.upstream
    tcp_upstream = f"tcp://127.0.0.1:{upstream.port}"
    async with _proxy_before(upstream, tcp_upstream, "--default", SLOWED) as tcp:
        down: list[tuple[float, float]] = []
        runs = [
            Run(server, KINDS, Ledger(down=down)),
            Run(tcp, PLAIN_KINDS, Ledger(is_http=False, down=down)),
        ]
        try:
            await _go_on(upstream, runs, down, settings.seconds)
        finally:
            row.done = sum(len(run.ledger.sent) for run in runs)
            row.unit = "requests"
        row.leaked = sum([await run.leaks() for run in runs])
        await _judge(upstream, runs)
        row.lost = sum(run.ledger.losses.total() for run in runs)
        tcp.terminate()
        complaints = tcp.complaints(await tcp.wait())
    for complaint in complaints:
        say(f"  complaint: {complaint}")
    row.complaints += len(complaints)
    row.note = (
        f"{row.done / settings.seconds:.0f} a second, upstream killed {len(down)} "
        f"times; HTTP: {runs[0].ledger}; {runs[0].memory}; "
        f"TCP: {runs[1].ledger}; {runs[1].memory}"
    )


async def _go_on(
    upstream: Upstream,
    runs: Sequence[Run],
    down: list[tuple[float, float]],
    seconds: float,
) -> None:
    http, tcp = runs
    # What is kept for the first of each kind is not leaked.
    number = 0
    for run in runs:
        for name in run.kinds:
            sender = Sender(run.proxy.port, 0)
            await run.send(sender, name, number := number + 1)
            run.leave(sender)
    # Nothing goes on then, and no connection is kept to be used again.
    await upstream.kill()
    for run in runs:
        await run.rest()
    await upstream.start()
    deadline = time.monotonic() + seconds
    workers = [
        (http if worker < HTTP_WORKERS else tcp).work(
            worker, range((worker + 1) * 1_000_000, (worker + 2) * 1_000_000), deadline
        )
        for worker in range(HTTP_WORKERS + TCP_WORKERS)
    ]

    async def kill_again_and_again() -> None:
        while time.monotonic() + SECONDS_BETWEEN_KILLS + SECONDS_OF_A_KILL < deadline:
            await asyncio.sleep(SECONDS_BETWEEN_KILLS)
            away = time.monotonic()
            await upstream.kill()
            # Whatever ends meanwhile may end by that.
            down.append((away, float("inf")))
            await asyncio.sleep(SECONDS_DOWN)
            await upstream.start()
            down[-1] = (away, time.monotonic())

    samples = []
    for run in runs:
        run.samples = Samples(seconds)
        samples.append(run.samples.take(run.proxy, lambda: len(http.ledger.sent)))
    following = [asyncio.ensure_future(run.follow_journal()) for run in runs]
    try:
        await together(*samples, *workers, kill_again_and_again())
    finally:
        for each in following:
            each.cancel()
    await upstream.kill()


async def _judge(upstream: Upstream, runs: Sequence[Run]) -> None:
    http, tcp = runs
    written = read_written(upstream.written())
    for run in runs:
        await run.look_at_journal()
        run.ledger.judge_endings()
        others = tcp if run is http else http
        its_own = {n: w for n, w in written.items() if n not in others.ledger.sent}
        run.ledger.judge_upstream(its_own)
    for _ in range(without_outcome(await http.proxy.stats())):
        http.ledger.lose(0, "it has no outcome in the totals")
    http.ledger.judge_journal(
        {
            int(number[1]): entry
            for entry in http.entries.values()
            if (number := re.search(r"n=(\d+)$", entry["target"]))
        }
    )
    tcp.ledger.judge_links(tcp.carried, tcp.refused, tcp.entries.values())
