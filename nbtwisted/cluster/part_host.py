"""On a worker of a Dask cluster: a part of a run, in a process of its own.

A reactor cannot be started twice in a process, and Dask's threads are no place for one.
This is loaded by workers, and loads no more than it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import Any

from nbtwisted import __version__

__all__ = ["PATIENCE", "PartHost", "probe"]

PATIENCE = 4.0
"""Seconds after which a reader is told that there is nothing new.

Each such answer is work for the driver, which may have a thousand parts to read."""

ABANDONED = 10
"""Seconds without a reader after which there is none any more."""

LARGEST_READ = 1024 * 1024
"""Bytes at once."""

MOST_SAID = 2000
"""Bytes of stderr that are kept: the last."""


def probe() -> str:
    """Which version a worker has."""
    return __version__


class PartHost:
    """A part's process: Dask has its methods called on the worker, from the driver."""

    def __init__(self) -> None:
        # An `asyncio.subprocess.Process`, whose pipes are there.
        self._process: Any = None
        self._starting = asyncio.Lock()
        self._is_to_end = False
        self._reading: asyncio.Future[bytes] | None = None
        self._said = b""
        self._listening: asyncio.Future[None]
        self._watching: asyncio.Future[None]
        self._seconds_unread = 0

    async def begin(self, arguments: list[str]) -> None:
        """Start the process: Python, with these arguments; unless it is to end."""
        async with self._starting:
            if self._is_to_end:
                return
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LARGEST_READ,
                env=_environment(),
                # Ctrl-C on this terminal is the driver's, which tells its parts.
                start_new_session=True,
            )
            self._listening = asyncio.ensure_future(self._listen())
            self._watching = asyncio.ensure_future(self._watch())

    async def write(self, data: bytes) -> None:
        """Pass it on to the process."""
        stdin = self._process.stdin
        # What has ended says so to who reads.
        with contextlib.suppress(ConnectionError):
            stdin.write(data)
            await stdin.drain()

    async def read(self, data: bytes = b"") -> tuple[bytes, str | None]:
        """What the process has said, if anything yet; and if it has ended, how.

        It is passed `data` first.
        """
        self._seconds_unread = 0
        if data:
            await self.write(data)
        if self._reading is None:
            self._reading = asyncio.ensure_future(
                self._process.stdout.read(LARGEST_READ)
            )
        await asyncio.wait({self._reading}, timeout=PATIENCE)
        if not self._reading.done():
            return b"", None
        data, self._reading = self._reading.result(), None
        return data, None if data else await self._how_it_ended()

    async def still_there(self) -> None:
        """The driver is busy, and will read on."""
        self._seconds_unread = 0

    async def end(self) -> None:
        """End the process, whatever it does; one that begins, when it has begun."""
        self._is_to_end = True
        async with self._starting:
            if self._process is not None:
                self._kill()
                await self._process.wait()
                self._watching.cancel()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _how_it_ended(self) -> str:
        code = await self._process.wait()
        await self._listening
        self._watching.cancel()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        said = self._said.decode("utf-8", "replace").strip().splitlines()
        return f"{how}: {said[-1]}" if said else how

    async def _listen(self) -> None:
        while data := await self._process.stderr.read(MOST_SAID):
            self._said = (self._said + data)[-MOST_SAID:]

    async def _watch(self) -> None:
        try:
            # They are counted, as the clock goes on while this process is stopped.
            while self._seconds_unread < ABANDONED:
                await asyncio.sleep(1.0)
                self._seconds_unread += 1
        finally:
            # A worker that ends cancels this; some hang then, and do not close stdin.
            self._kill()


def _environment() -> dict[str, str]:
    """That of the part's process, which imports nothing that this one would not.

    Python would else begin with the directory that this is in, whoever wrote there.
    """
    with contextlib.suppress(FileNotFoundError):
        if not {"", os.getcwd()}.isdisjoint(sys.path):
            return {**os.environ}
    return {**os.environ, "PYTHONSAFEPATH": "1"}
