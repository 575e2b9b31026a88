"""A part on a worker of a Dask cluster: frames to and from its process."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from typing import TYPE_CHECKING, Any

from nbtwisted import __version__, steady_clock
from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.cluster.dask_thread import DaskThread
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.frame import Frame, FrameReader, write_frame
from nbtwisted.cluster.part import Part, PartListener, Worker
from nbtwisted.cluster.part_host import PATIENCE

if TYPE_CHECKING:
    from nbtwisted.cluster.part_host import PartHost

__all__ = ["START", "DaskPart"]

PINGS = 10
"""By which its clock is compared: the fastest counts."""

SILENCE = 5.0
LOOKS = 3
"""Seconds without a sign from a worker, and how many times as many make it lost.

After Ctrl-Z and `fg` much time has passed, but this process has waited only once."""

END = 1.0
"""Seconds for which a worker may take to end a process; later it does so by itself."""

START = 30.0
"""Seconds for which a process may take to begin on a worker that has much to do."""


class _State(enum.Enum):
    """Where a part is in its life, as the reactor's thread has it.

    | state | what happens | where that leads |
    |---|---|---|
    | RUNNING | its process ends, or its worker is lost | OVER, when it can be told |
    | | `end` | OVER, and nothing is told |
    """

    RUNNING = enum.auto()
    OVER = enum.auto()


class DaskPart(Part):
    """A part whose process an actor on the worker holds.

    `lost` is done in Dask's thread when the cluster has lost the worker.
    """

    def __init__(
        self,
        thread: DaskThread,
        worker: Worker,
        host: PartHost,
        lost: asyncio.Future[str],
    ) -> None:
        self.worker = worker
        self.clock = ClockDifference()
        self._listener: PartListener | None = None
        self._why_lost: str | None = None
        self._thread = thread
        self._host = host
        self._lost = lost
        self._state = _State.RUNNING
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        self._unsent: list[bytes] = []
        self._has_unsent = asyncio.Event()
        self._tasks: list[asyncio.Future[None]] = []

    # In the reactor's thread.

    @property
    def listener(self) -> PartListener | None:
        """As all have it."""
        return self._listener

    @listener.setter
    def listener(self, listener: PartListener | None) -> None:
        self._listener = listener
        if self._why_lost is not None:
            # In a turn of its own: whoever begins to listen may not be ready.
            self._thread.in_reactor_soon(self._lose, self._why_lost)

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """As all have it."""
        if self._state is _State.RUNNING:
            self._thread.call_soon(self._put, write_frame(head, payload))

    def end(self) -> None:
        """As all have it."""
        if self._state is _State.RUNNING:
            self._state = _State.OVER
            self._thread.call_soon(self._end_soon)

    def _receive(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self._state is _State.RUNNING and self.listener is not None:
                self.listener.frame_received(self, frame)

    def _lose(self, reason: str) -> None:
        self._why_lost = reason
        if self._state is _State.RUNNING and self.listener is not None:
            self._state = _State.OVER
            self.listener.part_lost(self, reason)

    # In Dask's thread.

    async def begin(self, arguments: list[str]) -> None:
        """Start it, and compare versions and clocks; raises `ClusterError`."""
        try:
            await asyncio.wait_for(self._begin(arguments), START)
        except asyncio.TimeoutError:
            why = f"no part has begun within {START:g} s"
        except ClusterError as error:
            why = str(error)
        else:
            self._tasks = [
                asyncio.ensure_future(self._keep_reading()),
                asyncio.ensure_future(self._keep_writing()),
            ]
            return
        raise ClusterError(f"worker {self.worker.name}: {why}")

    async def _begin(self, arguments: list[str]) -> None:
        await self._ask("begin", arguments)
        frame = await self._next_frame()
        told = frame.head.get("hello")
        version = told.get("nbtwisted") if isinstance(told, dict) else None
        if version != __version__:
            raise ClusterError(
                f"its Python has nbtwisted {version}: expected {__version__}, as here"
            )
        pings = []
        for number in range(PINGS):
            sent = steady_clock.now()
            frame = await self._next_frame(write_frame({"ping": number}))
            pings.append((sent, float(frame.head["clock"]), steady_clock.now()))
        self.clock = ClockDifference.measured(pings)

    async def _next_frame(self, data: bytes = b"") -> Frame:
        """What it says next, or to this, if there is any."""
        while not self._frames:
            self._frames += await self._read(data)
            data = b""
        return self._frames.pop(0)

    async def _read(self, data: bytes = b"") -> list[Frame]:
        """What it has said; raises `ClusterError` when nothing more will come."""
        # In one call, or the answer would wait for as long as the next one takes there.
        data, ended = await self._ask("read", data)
        if ended is not None:
            raise ClusterError(f"its process has ended: {ended}")
        try:
            return self._reader.feed(data)
        except ValueError as error:
            raise ClusterError(str(error)) from None

    async def _ask(self, method: str, *given: object) -> Any:
        """What a method of the host returns; raises `ClusterError` if that is lost."""
        asked = asyncio.ensure_future(self._call(method, *given))
        # Nobody may be there any more to see how it failed.
        asked.add_done_callback(lambda _: asked.cancelled() or asked.exception())
        try:
            for _ in range(LOOKS):
                done, _ = await asyncio.wait(
                    {asked, self._lost},
                    timeout=SILENCE,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if done:
                    break
        finally:
            asked.cancel()
        if asked.done():
            try:
                return asked.result()
            # Whatever Dask makes of a worker that it has lost.
            except Exception as error:
                raise ClusterError(f"its worker is lost: {error}") from None
        if self._lost.done():
            raise ClusterError(f"its worker is lost: {self._lost.result()}")
        raise ClusterError(f"its worker has said nothing for {LOOKS * SILENCE:g} s")

    async def _call(self, method: str, *given: object) -> Any:
        return await getattr(self._host, method)(*given)

    async def _keep_reading(self) -> None:
        try:
            while True:
                frames = await self._read()
                if frames:
                    await self._hand_over(frames)
        except ClusterError as error:
            await self._thread.in_reactor(self._lose, str(error))
            self._stop()

    async def _hand_over(self, frames: list[Frame]) -> None:
        """Let the reactor's thread take them; nothing more is read before it has."""
        taken = asyncio.ensure_future(self._thread.in_reactor(self._receive, frames))
        while not (await asyncio.wait({taken}, timeout=PATIENCE))[0]:
            # Whoever reads the answers may be slow.
            await self._ask("still_there")

    async def _keep_writing(self) -> None:
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            data, self._unsent = b"".join(self._unsent), []
            # A process may take its time to read; that it is lost, reading tells.
            with contextlib.suppress(Exception):
                await self._call("write", data)

    def _put(self, data: bytes) -> None:
        self._unsent.append(data)
        self._has_unsent.set()

    def _end_soon(self) -> None:
        self._tasks.append(asyncio.ensure_future(self.close()))

    def _stop(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def close(self) -> None:
        """End the process; returns when it has ended, or its worker does not answer."""
        self._stop()
        with contextlib.suppress(ClusterError, asyncio.TimeoutError):
            await asyncio.wait_for(self._ask("end"), END)
