"""A cluster without processes: parts and their drivers in one, on a Clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.cluster.cluster import Cluster
from nbtwisted.cluster.driver import Driver, DriverListener
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.frame import Frame, FrameReader, write_frame
from nbtwisted.cluster.part import Part, PartListener, Worker

__all__ = ["MemoryCluster", "MemoryDriver", "MemoryPart"]


class _Way:
    """Frames in one direction: written, and read in a later turn of the clock."""

    def __init__(self, clock: Clock, deliver: Callable[[Frame], None]) -> None:
        self._clock = clock
        self._deliver = deliver
        self._reader = FrameReader()
        self._is_cut = False

    def send(self, head: dict[str, Any], payload: bytes) -> None:
        """Have it delivered, unless the way is cut by then."""
        self._clock.callLater(0, self._arrive, write_frame(head, payload))

    def cut(self) -> None:
        """Deliver nothing more."""
        self._is_cut = True

    def _arrive(self, data: bytes) -> None:
        if not self._is_cut:
            for frame in self._reader.feed(data):
                self._deliver(frame)


class MemoryDriver(Driver):
    """The driver, as the program of a part has it."""

    def __init__(self, clock: Clock) -> None:
        self.listener: DriverListener | None = None
        self.is_full = False
        self.way: _Way
        self.clock = clock

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """As all have it."""
        self.way.send(head, payload)

    def hear(self, frame: Frame) -> None:
        """The driver has said this."""
        if self.listener is not None:
            self.listener.frame_received(frame)

    def leave(self) -> None:
        """There is nobody any more."""
        self.way.cut()
        if self.listener is not None:
            self.listener.driver_gone()


class MemoryPart(Part):
    """A part, as its driver has it; `program` is its other end."""

    def __init__(self, worker: Worker, clock: Clock, difference: float) -> None:
        self.worker = worker
        self.clock = ClockDifference(difference, 0.001)
        self.listener: PartListener | None = None
        self.driver = MemoryDriver(clock)
        self.driver.way = _Way(clock, self._hear)
        self.is_over = False
        self.sent: list[dict[str, Any]] = []
        """All that it was told."""
        self._way = _Way(clock, self.driver.hear)

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """As all have it."""
        if not self.is_over:
            self.sent.append(head)
            self._way.send(head, payload)

    def end(self) -> None:
        """As all have it."""
        self._end()

    def lose(self, reason: str = "its worker is lost") -> None:
        """Let it be lost: what it has said and is not delivered is, too."""
        if not self.is_over:
            self._end()
            if self.listener is not None:
                self.listener.part_lost(self, reason)

    def _end(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._way.cut()
            self.driver.leave()

    def _hear(self, frame: Frame) -> None:
        if self.listener is not None:
            self.listener.frame_received(self, frame)


class MemoryCluster(Cluster):
    """So many workers, whose parts run `program` with their driver and arguments.

    `differences` are by how much their clocks are ahead, in seconds, which is what
    their parts are told to have; `refusing` are the names of those that start none.
    """

    def __init__(
        self,
        clock: Clock,
        number: int,
        program: Callable[[MemoryDriver, list[str]], object],
        *,
        differences: Sequence[float] = (),
        refusing: Sequence[str] = (),
    ) -> None:
        self.workers: Sequence[Worker] = [
            Worker(str(place), f"memory://{place}") for place in range(number)
        ]
        self.parts: list[MemoryPart] = []
        self.is_closed = False
        self._clock = clock
        self._program = program
        self._differences = differences
        self._refusing = refusing

    def start_part(self, worker: Worker, arguments: list[str]) -> Deferred[Part]:
        """As all have it."""
        if worker.name in self._refusing:
            return fail(ClusterError(f"worker {worker.name}: no part can begin"))
        place = int(worker.name)
        ahead = self._differences[place] if self._differences else 0.0
        part = MemoryPart(worker, self._clock, ahead)
        self.parts.append(part)
        self._program(part.driver, arguments)
        return succeed(part)

    def close(self) -> Deferred[None]:
        """As all have it."""
        self.is_closed = True
        for part in self.parts:
            part.end()
        return succeed(None)
