"""What an object is, of the few classes that matter here, by its class alone."""

from __future__ import annotations

import sys
from enum import Enum, auto
from types import CodeType, FunctionType
from typing import Any

from twisted.internet import defer, process
from twisted.internet.abstract import FileDescriptor
from twisted.internet.base import DelayedCall
from twisted.internet.protocol import Factory
from twisted.python.threadpool import ThreadPool

from nbtwisted.reactor.snapshot.heap import bases

__all__ = ["Kind", "Kinds"]

_JOB = next(
    code
    for code in ThreadPool.callInThreadWithCallback.__code__.co_consts
    if type(code) is CodeType and code.co_name == "inContext"
)
"""What a pool of Twisted's runs in a thread is a function of this code."""


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
    JOB = auto()  # of a thread of Twisted's or of concurrent.futures'
    CLASS = auto()
    OTHER = auto()


class Kinds:
    """Knows each class once, by its `id`: for as long as these classes live."""

    def __init__(self) -> None:
        self._known: dict[int, Kind] = {}
        self._of_base: dict[int, Kind] = {
            id(base): kind for base, kind in _bases() if base is not None
        }

    def select(self, things: list[Any]) -> list[tuple[Any, Kind]]:
        """Those that are of one of these classes, classes themselves left out."""
        of = self._known
        functions = id(FunctionType)
        found: list[tuple[Any, Kind]] = []
        for thing in things:
            name = id(type(thing))
            kind = of.get(name) or self.of(thing)
            if kind is not Kind.OTHER and kind is not Kind.CLASS:
                found.append((thing, kind))
            elif name == functions and thing.__code__ is _JOB:
                found.append((thing, Kind.JOB))
        return found

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
        ("concurrent.futures.thread", ("_WorkItem",), Kind.JOB),
    ):
        holder = sys.modules.get(module)
        if holder is not None:
            found += [(vars(holder).get(name), kind) for name in names]
    return found
