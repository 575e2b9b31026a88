"""What other threads do, looked at before a fork: the child has only its own thread."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from os.path import dirname, join
from types import FrameType
from typing import Any

from twisted.python import threadpool

import twisted
from nbtwisted.reactor.naming import own

__all__ = ["Thread", "see_threads"]

_MOST_FRAMES = 64
_LIBRARY = dirname(os.__file__)
_TWISTED = join(dirname(twisted.__file__), "")
_JOBS = {
    (threadpool.__file__, "inContext"): "inContext",
    (join(_LIBRARY, "concurrent", "futures", "thread.py"), "run"): "self",
}
"""Functions that run a job, and the variable that has it."""


@dataclass(frozen=True)
class Thread:
    """A thread, and where it was: `stack` is (file, line, function), innermost first.

    `job` is what it runs of a `ThreadPool` of Twisted's, or of an executor.
    """

    ident: int
    name: str
    stack: tuple[tuple[str, int | None, str], ...]
    job: Any = None

    def place(self) -> tuple[str, int | None] | None:
        """Where its job is: in code of others than Python, or at least in Python's.

        None if the job is a function that is not written in Python.
        """
        in_library = None
        for file, line, function in self.stack:
            if (file, function) in _JOBS:
                break
            if file.startswith(_TWISTED):
                continue
            if not file.startswith(_LIBRARY) or "-packages" in file:
                return file, line
            in_library = in_library or (file, line)
        return in_library


def see_threads() -> list[Thread]:
    """The threads other than this one. Takes no lock."""
    this = threading.get_ident()
    # threading.enumerate() takes a lock, which the interrupted code may have.
    known: dict[int, Any] = getattr(threading, "_active", {})
    threads = []
    for ident, frame in sys._current_frames().items():
        if ident == this:
            continue
        thread = known.get(ident)
        name = own(thread, "_name")
        stack: list[tuple[str, int | None, str]] = []
        job = None
        step: FrameType | None = frame
        while step is not None and len(stack) < _MOST_FRAMES:
            code = step.f_code
            stack.append((code.co_filename, step.f_lineno, code.co_name))
            if (code.co_filename, code.co_name) in _JOBS:
                # Only of this frame, whose end is near: to ask for the variables of
                # another would keep them for as long as that one runs.
                job = step.f_locals.get(_JOBS[code.co_filename, code.co_name])
            step = step.f_back
        threads.append(
            Thread(
                ident,
                name if type(name) is str else f"thread {ident}",
                tuple(stack),
                job,
            )
        )
    return threads
