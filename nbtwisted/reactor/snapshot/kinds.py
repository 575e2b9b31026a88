"""What an object is, of the few classes that matter here, by its class alone."""

from __future__ import annotations

import sys
from enum import Enum, auto
from typing import Any

from twisted.internet import defer, process
from twisted.internet.abstract import FileDescriptor
from twisted.internet.base import DelayedCall
from twisted.internet.protocol import Factory

from nbtwisted.reactor.snapshot.heap import bases

__all__ = ["Kind", "Kinds"]


class Kind(Enum):
    """A class, or a subclass of it."""

    DEFERRED = auto()
    CANCELLATION = auto()  # of a coroutine or of inlineCallbacks
    DELAYED_CALL = auto()
    DESCRIPTOR = auto()  # a connection, a listening port, a pipe
    PROCESS = auto()
    FACTORY = auto()
    TASK = auto()  # asyncio's, as those that follow; or uvloop's
    FUTURE = auto()
    HANDLE = auto()
    TRANSPORT = auto()
    WORK = auto()  # a job of concurrent.futures' threads
    CLASS = auto()
    OTHER = auto()


class Kinds:
    """Knows each class once, by its `id`: for as long as these classes live."""

    def __init__(self) -> None:
        self._known: dict[int, Kind] = {}
        self._of_base: dict[int, Kind] = {
            id(base): kind for base, kind in _bases() if base is not None
        }

    def of(self, thing: object) -> Kind:
        """What it is."""
        kind = type(thing)
        found = self._known.get(id(kind))
        if found is None:
            found = self._known[id(kind)] = self._find(kind)
        return found

    def _find(self, kind: type) -> Kind:
        for base in bases(kind):
            found = self._of_base.get(id(base))
            if found is not None:
                return found
        return Kind.OTHER


def _bases() -> list[tuple[Any, Kind]]:
    found: list[tuple[Any, Kind]] = [
        (type, Kind.CLASS),
        (defer.Deferred, Kind.DEFERRED),
        (defer._CancellationStatus, Kind.CANCELLATION),
        (DelayedCall, Kind.DELAYED_CALL),
        (FileDescriptor, Kind.DESCRIPTOR),
        (process._BaseProcess, Kind.PROCESS),
        (Factory, Kind.FACTORY),
    ]
    # Programs that do without have not imported these.
    for module, names, kind in (
        ("asyncio.tasks", ("Task", "_PyTask"), Kind.TASK),
        ("asyncio.futures", ("Future", "_PyFuture"), Kind.FUTURE),
        ("asyncio.events", ("Handle",), Kind.HANDLE),
        ("asyncio.transports", ("BaseTransport",), Kind.TRANSPORT),
        ("uvloop.loop", ("Handle", "TimerHandle"), Kind.HANDLE),
        ("uvloop.loop", ("UVBaseTransport",), Kind.TRANSPORT),
        ("concurrent.futures.thread", ("_WorkItem",), Kind.WORK),
    ):
        holder = sys.modules.get(module)
        if holder is not None:
            found += [(vars(holder).get(name), kind) for name in names]
    return found
