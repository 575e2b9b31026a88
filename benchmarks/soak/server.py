"""The server that is watched: a real process, and what the kernel says of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.soak.clients import ask
from benchmarks.soak.figures import Unexpected, say

COMMAND = (
    *(sys.executable, "-m", "nbtwisted.server"),
    *("--listen", "tcp:0:interface=127.0.0.1", "--seed", "1"),
)
PROJECT = Path(__file__).resolve().parents[2]
EXPECTED_LINE = re.compile(
    r"nbtwisted: (serving on|waiting up to|proxying|operators at) "
)
LISTENS = re.compile(r"(?:serving on|proxying) \w+://127\.0\.0\.1:(\d+)")
LISTENS_TO_OPERATORS = re.compile(r"operators at \w+://127\.0\.0\.1:(\d+)")

SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 15.0
SECONDS_TO_CLEAN_UP = 5.0
SECONDS_TO_HOLD = 60.0
"""In which the server has to take up all requests that it is to hold."""


class Server:
    """A server in a process of its own, and what can be seen of it from outside."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.port = 0
        self._admin_port = 0
        self.lines: list[str] = []
        self._process = process
        self._ready = asyncio.Event()
        self._listening = asyncio.ensure_future(self._listen())

    @property
    def admin_port(self) -> int:
        """The port of operators: that of clients, unless it has one of its own."""
        return self.port

    async def ready(self) -> None:
        """Return when it listens; raises `Unexpected` if it never does."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ready.wait(), SECONDS_TO_START)
        if not (self.port and self.admin_port):
            raise Unexpected(f"the server did not start: {self.lines}")

    async def stats(self) -> Mapping[str, Any]:
        """What it says of itself."""
        answer = await ask(self.admin_port, "/__admin/stats")
        figures: Mapping[str, Any] = json.loads(answer.body)
        return figures

    async def journal(self, of: str, since: int) -> Sequence[Mapping[str, Any]]:
        """The `requests` (or `links`) that came after one with this id."""
        answer = await ask(self.admin_port, f"/__admin/{of}?since={since}")
        entries: Sequence[Mapping[str, Any]] = json.loads(answer.body)[of]
        return entries

    async def in_flight(self) -> int:
        """How many requests it holds."""
        stats = await self.stats()
        return int(stats.get("in_flight", stats.get("open")))

    def descriptors(self) -> int:
        """How many files it has open."""
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def open_files(self) -> list[str]:
        """Name the files that it has open, as the kernel does."""
        folder = f"/proc/{self._process.pid}/fd"
        names = []
        for descriptor in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                names.append(os.readlink(f"{folder}/{descriptor}"))
        return names

    def resident(self) -> float:
        """MB of memory that it occupies."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        match = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)
        if match is None:
            raise Unexpected("the server has ended")
        return int(match[1]) / 1024

    async def descriptors_at_rest(self) -> int:
        """How many files it has open when it has nothing to do."""
        # The first answer may open some for good.
        await self.stats()
        seen = -1
        while seen != (seen := self.descriptors()):
            await asyncio.sleep(0.2)
        return seen

    def signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def terminate(self) -> None:
        """Tell it to stop."""
        self.signal(signal.SIGTERM)

    async def wait(self) -> int:
        """Its exit code, when it has ended; kills it if it never would."""
        try:
            await asyncio.wait_for(self._process.wait(), SECONDS_TO_STOP)
        except asyncio.TimeoutError:
            self.kill()
        code = await self._process.wait()
        await self._listening
        return code

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def complaints(self, exit_code: int) -> list[str]:
        """All that it should not have said, once it has ended."""
        complaints = [line for line in self.lines if not EXPECTED_LINE.match(line)]
        return complaints + ([f"exit code {exit_code}"] if exit_code else [])

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = raw.decode(errors="backslashreplace").rstrip()
            self.lines.append(line)
            if match := LISTENS.search(line):
                self.port = int(match[1])
            if match := LISTENS_TO_OPERATORS.search(line):
                self._admin_port = int(match[1])
            if self.port and self.admin_port:
                self._ready.set()
        self._ready.set()


AnyServer = TypeVar("AnyServer", bound=Server)


@contextlib.asynccontextmanager
async def running_server(*options: str) -> AsyncIterator[Server]:
    """A server that has started, and which does not outlive the context."""
    async with started(Server, (*COMMAND, *options)) as server:
        yield server


@contextlib.asynccontextmanager
async def started(
    kind: type[AnyServer], command: Sequence[str]
) -> AsyncIterator[AnyServer]:
    """What a command starts, once it listens; it does not outlive the context."""
    environment = {k: v for k, v in os.environ.items() if "NBTWISTED" not in k}
    # Python hides some warnings by default, such as those of files not closed.
    environment["PYTHONWARNINGS"] = "default"
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=PROJECT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**20,
    )
    server = kind(process)
    try:
        await server.ready()
        yield server
    finally:
        if process.returncode is None:
            server.kill()
            await server.wait()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Wait until the condition holds, at most so many seconds; whether it does."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


async def leaks(
    server: Server, descriptors_before: int, most_resident: float = float("inf")
) -> int:
    """How much the server still holds of clients who left, some seconds later."""

    async def is_clean() -> bool:
        # In this order: what came before this question has been accepted when it is
        # answered, so that it is either gone or among the descriptors.
        if await server.in_flight() != 0:
            return False
        # The question's own connection is closed when the server comes to it, which
        # takes it a while where others use the processor.
        await asyncio.sleep(0.2)
        return (
            server.descriptors() <= descriptors_before
            and server.resident() <= most_resident
        )

    if await until(is_clean, SECONDS_TO_CLEAN_UP):
        return 0
    in_flight = await server.in_flight()
    more = await server.descriptors_at_rest() - descriptors_before
    say(
        f"  not clean after {SECONDS_TO_CLEAN_UP:.0f} s: {in_flight} in flight, {more} "
        f"more descriptors, {server.resident():.1f} MB: {server.open_files()}"
    )
    connections = max(in_flight, more)
    # What is clean only now is late all the same.
    return max(connections + (server.resident() > most_resident), 1)
