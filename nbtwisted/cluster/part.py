"""A part of a run, on a worker, as the driver has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.cluster.frame import Frame

__all__ = ["Part", "PartListener", "Worker"]


@dataclass(frozen=True)
class Worker:
    """A worker of a cluster."""

    name: str
    """For people; no two of a cluster have the same."""
    address: str


class PartListener(Protocol):
    """Who is told what a part says."""

    def frame_received(self, part: Part, frame: Frame) -> None:
        """It has said this."""

    def part_lost(self, part: Part, reason: str) -> None:
        """It has ended before it was told to, or its worker did; nothing more comes."""


class Part(Protocol):
    """A program of ours on a worker, in a process of its own, which has said hello.

    It listens to the driver until it is told to end, or is lost.
    """

    worker: Worker
    clock: ClockDifference
    """Of the worker."""
    listener: PartListener | None

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """Tell it something; in vain when it is lost."""

    def end(self) -> None:
        """End its process, whatever that does; nothing more comes."""
