"""On a worker of a Dask cluster: a part of a run, in a process of its own.

A reactor cannot be started twice in a process, and Dask's threads are no place for one.
This is loaded by workers, and loads no more than it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

from nbtwisted import __version__

__all__ = ["PATIENCE", "PartHost", "probe"]

PATIENCE = 4.0
"""Seconds after which a reader is told that there is nothing new.

Each such answer is work for the driver, which may have a thousand parts to read."""

ABANDONED = 10.0
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
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Future[bytes] | None = None
        self._said = b""
        self._listening: asyncio.Future[None]
        self._watching: asyncio.Future[None]
        self._asked_at = 0.0

    async def begin(self, arguments: list[str]) -> None:
        """Start the process: Python, with these arguments."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LARGEST_READ,
            # Ctrl-C on this terminal is the driver's, which tells its parts.
            start_new_session=True,
        )
        self._note_reader()
        self._listening = asyncio.ensure_future(self._listen())
        self._watching = asyncio.ensure_future(self._watch())

    async def write(self, data: bytes) -> None:
        """Pass it on to the process."""
        stdin = self._process.stdin
        assert stdin is not None
        # What has ended says so to who reads.
        with contextlib.suppress(ConnectionError):
            stdin.write(data)
            await stdin.drain()

    async def read(self, data: bytes = b"") -> tuple[bytes, str | None]:
        """What the process has said, if anything yet; and if it has ended, how.

        It is passed `data` first.
        """
        self._note_reader()
        if data:
            await self.write(data)
        if self._reading is None:
            assert self._process.stdout is not None
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
        self._note_reader()

    def _note_reader(self) -> None:
        self._asked_at = asyncio.get_running_loop().time()

    async def end(self) -> None:
        """End the process, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._watching.cancel()

    async def _how_it_ended(self) -> str:
        code = await self._process.wait()
        await self._listening
        self._watching.cancel()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        said = self._said.decode("utf-8", "replace").strip().splitlines()
        return f"{how}: {said[-1]}" if said else how

    async def _listen(self) -> None:
        stderr: Any = self._process.stderr
        while data := await stderr.read(MOST_SAID):
            self._said = (self._said + data)[-MOST_SAID:]

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() - self._asked_at < ABANDONED:
            await asyncio.sleep(1.0)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
