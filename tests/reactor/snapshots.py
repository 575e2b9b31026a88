"""A case that takes snapshots, and what a program that waits is made of."""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any, ClassVar

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from nbtwisted.reactor import snapshot
from tests.guard import ClockCase

__all__ = [
    "Asking",
    "FiringCase",
    "Node",
    "Service",
    "SnapshotCase",
    "innermost",
    "wait_for",
    "wait_for_nobody",
]

Node = dict[str, Any]


class SnapshotCase(ClockCase):
    """Sees what the test itself has made: all that was there before is frozen."""

    def take(self, **options: Any) -> dict[str, Any]:
        return snapshot.take(snapshot.see_threads(), **options)

    def take_all(self) -> dict[str, Any]:
        """With what was there before, in a process that is thrown away for it."""
        threads = snapshot.see_threads()
        ours, theirs = os.pipe()
        with warnings.catch_warnings():
            # Of the threads that are not there in a fork (Python 3.12).
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                taken = snapshot.take(threads, throwaway=True, seconds=60)
                with open(theirs, "w") as file:
                    json.dump(taken, file)
                os._exit(0)
            finally:
                os._exit(1)
        os.close(theirs)
        with open(ours) as file:
            text = file.read()
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        found: dict[str, Any] = json.loads(text)
        return found

    def roots(self, name: str) -> list[Node]:
        """The nodes that nobody waits for, whose name ends like this."""
        return [node for node in self.take()["waiting"] if node["name"].endswith(name)]

    def root(self, name: str) -> Node:
        (node,) = self.roots(name)
        return node

    def have_reactor(self, reactor: object) -> None:
        """Have this one be the program's, for the time of the test."""
        name = "twisted.internet.reactor"
        before = sys.modules.get(name)
        sys.modules[name] = reactor  # type: ignore[assignment]
        if before is None:
            self.addCleanup(sys.modules.pop, name)
        else:
            self.addCleanup(sys.modules.__setitem__, name, before)


class Reactor:
    """What a reactor of Twisted's has, on a clock."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = clock.seconds
        self._pendingTimedCalls = clock.calls
        self._selectables: dict[int, Any] = {}
        self._started = True


class Asking(Protocol):
    def __init__(self) -> None:
        self.answered: Deferred[None] = Deferred()


class Service:
    shared: ClassVar[list[Deferred[None]]] = []

    def __init__(self) -> None:
        self.asked: list[Deferred[None]] = []


class FiringCase(SnapshotCase):
    def setUp(self) -> None:
        super().setUp()
        self.program = Reactor(self.clock)
        self.have_reactor(self.program)

    def fired_by(self, name: str = "wait_for") -> dict[str, Any]:
        """Of what the one root of this name waits for in the end."""
        by: dict[str, Any] = innermost(self.root(name))["fired_by"]
        return by

    def connect(self, protocol: Protocol) -> FileDescriptor:
        """Have the reactor poll for a connection with this protocol."""
        connection = FileDescriptor(self.program)  # type: ignore[arg-type]
        connection.connected = 1
        connection.protocol = protocol  # type: ignore[attr-defined]
        self.program._selectables[len(self.program._selectables)] = connection
        return connection


def innermost(node: Node) -> Node:
    """What it waits for at the end, where that is one thing."""
    while node["waits_for"]:
        (node,) = node["waits_for"]
    return node


async def wait_for(deferred: Deferred[Any]) -> None:
    await deferred


async def wait_for_nobody() -> None:
    never: Deferred[None] = Deferred()
    await never
