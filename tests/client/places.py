"""Places in memory, and a clock with the threads that write to them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem
from twisted.internet.task import Clock

from tests.client.in_memory import Network

__all__ = ["ThreadClock", "ThreadNetwork", "forget_memory", "in_memory"]

_HANG = 10.0


class Threads:
    """A clock's threads, which are waited for by the test alone."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: Queue[Callable[[], Any]] = Queue()

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:
        """As the reactor has it."""
        self._calls.put(lambda: call(*args))

    def end_thread(self) -> None:
        """Wait until one of the threads has come to its end."""
        self._calls.get(timeout=_HANG)()

    def end_threads(self) -> None:
        """Wait until all of them have, and those that they lead to."""
        while True:
            for thread in threading.enumerate():
                if thread.name == "place":
                    thread.join(_HANG)
            if self._calls.empty():
                break
            self.end_thread()


class ThreadClock(Threads, Clock):
    """A clock with threads."""


class ThreadNetwork(Threads, Network):
    """A network with threads."""


def in_memory(folder: str) -> dict[str, bytes]:
    """The files of a folder of `memory://`, by their names."""
    found = MemoryFileSystem.store.items()
    start = f"/{folder}/"
    return {
        path.removeprefix(start): file.getvalue()
        for path, file in found
        if path.startswith(start)
    }


def forget_memory() -> None:
    """Empty `memory://`, which is one for the whole process."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
