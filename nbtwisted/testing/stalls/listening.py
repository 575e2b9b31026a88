"""What of a test blocks the reactor: listened for, and told.

A stall is a callback that a running reactor made and that took too long: whether it
slept, computed or waited for a lock. What a test does itself before its reactor runs
blocks nobody, and is none.

There is one reactor in a process, and so one place for those that listen.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.python import threadable

from nbtwisted.reactor.adopting import adopt, trace_whichever_comes
from nbtwisted.reactor.installing import installed_reactor
from nbtwisted.reactor.thread_check import OtherThreads
from nbtwisted.reactor.tracing.recorder import Recorder, Stall
from nbtwisted.reactor.tracing.stacks import blocking_place, callback_frames
from nbtwisted.reactor.tracing.traced_reactor import Settings, Tracing

__all__ = ["StallError", "Stalls", "listen", "recorder"]

LONGEST_WAIT = 1.0
"""Seconds for which a test that has ended is held up for a callback that has not."""

MOST = 5
"""Stalls of one test that are told."""


class StallError(AssertionError):
    """A test has blocked the reactor for longer than it may."""


@dataclass(eq=False)
class Stalls:
    """The callbacks that have blocked the reactor since somebody listens.

    A time for which the kernel ran something else does not count: a test must not fail
    because its machine is busy.
    """

    limit: float
    """Seconds that a callback may take."""

    found: list[Stall] = field(default_factory=list)

    def note(self, stall: Stall) -> None:
        """One has ended just now."""
        if stall.blocked >= self.limit:
            self.found.append(stall)

    def close(self) -> None:
        """Listen no more, once the reactor is done with what it does now."""
        reactor: Any = installed_reactor()
        if getattr(reactor, "running", False) and not threadable.isInIOThread():
            # A callback that ends a test, as crochet's do, has not ended itself.
            is_over = threading.Event()
            reactor.callFromThread(is_over.set)
            is_over.wait(LONGEST_WAIT)
        with suppress(ValueError):
            _listening.remove(self)

    def told(self, test: str) -> str:
        """For people: what was found in this test, which is something."""
        parts = [self._one(test, stall) for stall in self.found[:MOST]]
        if len(self.found) > MOST:
            parts.append(f"and {len(self.found) - MOST} more")
        return "\n\n".join(parts)

    def _one(self, test: str, stall: Stall) -> str:
        place = blocking_place(stall.stack)
        where = "its line is not known"
        if place is not None:
            where = f"{_short(place.file)}:{place.line}, in {place.function}"
        lines = [
            f"blocked the reactor for {_milliseconds(stall.seconds)}: {where}",
            f"test: {test}",
            f"callback: {stall.name}",
            f"limit: {_milliseconds(self.limit)}",
        ]
        if stall.preempted >= stall.seconds / 10:
            lines[-1] += (
                f" (the machine was busy: for up to {_milliseconds(stall.preempted)} "
                "of that, the kernel ran something else)"
            )
        if place is None:
            lines.append(
                "It was over before anybody could look, as calls of C code are that "
                "hold the interpreter's lock."
            )
        else:
            lines.append("It was here meanwhile:")
            lines.append("".join(callback_frames(stall.stack)).rstrip("\n"))
        return "\n".join(lines)


_listening: list[Stalls] = []


def listen(limit: float) -> Stalls:
    """Collect stalls of so many seconds from now on, whichever reactor there will be.

    The reactor is traced from the first time on. Raises
    `nbtwisted.reactor.adopting.CannotTrace` for one that cannot be.
    """
    _see_to_it(limit)
    stalls = Stalls(limit)
    _listening.append(stalls)
    return stalls


def recorder() -> Recorder | None:
    """That of the reactor that is traced, if there is one."""
    reactor = installed_reactor()
    return reactor.recorder if isinstance(reactor, Tracing) else None


def _see_to_it(limit: float) -> None:
    """Have this process' reactor tell of stalls of so many seconds."""
    settings = Tracing.default_settings
    if settings is None:
        trace_whichever_comes(
            Settings(
                stall=limit,
                report=_say_nothing,
                on_stall=_tell_all,
                summary=False,
                other_threads=OtherThreads.UNSEEN,
            )
        )
    elif settings.stall > limit:
        # By `nbtwisted trace`, or by one that listens for longer ones.
        Tracing.default_settings = replace(settings, stall=limit)
    reactor: Any = installed_reactor()
    if reactor is None:
        return
    if getattr(reactor, "running", False) and not threadable.isInIOThread():
        # Whose thread is the one to be watched.
        reactor.callFromThread(_see_to_this, reactor, limit)
    else:
        _see_to_this(reactor, limit)


def _see_to_this(reactor: Any, limit: float) -> None:
    if not isinstance(reactor, Tracing):
        adopt(reactor)
    reactor.tell_of_stalls(limit, _tell_all)


def _say_nothing(text: str) -> None:
    """Those who listen are told, and they tell."""


def _tell_all(stall: Stall) -> None:
    for stalls in list(_listening):
        stalls.note(stall)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _short(file: str) -> str:
    """A file's path from here, if it is below."""
    with suppress(ValueError):
        relative = os.path.relpath(file)
        if not relative.startswith(os.pardir):
            return relative
    return file
