"""The traced reactors of asyncio.

On a loop of asyncio's own, each handle is told apart: a callback of the loop, a step of
a task, an event of a transport. On another, such as uvloop, whose queue nobody sees,
what is the reactor's own is: descriptors, delayed calls, turns to send.
"""

from __future__ import annotations

import asyncio
from types import MethodType
from typing import Any

from twisted.python import log

from nbtwisted.reactor import installing
from nbtwisted.reactor.eager_asyncio import EagerAsyncioReactor, new_loop
from nbtwisted.reactor.naming import name_of
from nbtwisted.reactor.traced import made, settings_as_told
from nbtwisted.reactor.tracing.calls import Handles, TimedPoll
from nbtwisted.reactor.tracing.traced_reactor import (
    Tracing,
    quick_read_name,
    read_name,
    send_name,
)

__all__ = ["AsyncioTracing", "TracedAsyncioReactor", "install"]

# Names that are not public, tried with Python 3.10 to 3.13:
#
# asyncio's BaseEventLoop: _ready; its BaseSelectorEventLoop: _selector
# asyncio's Handle: _callback, _args, _cancelled

_EVENT = EagerAsyncioReactor._event


class AsyncioTracing(Tracing):
    """Traces reactors that run on a loop of asyncio's."""

    _asyncioEventloop: Any
    _readers: dict[Any, int]

    def run(self, installSignalHandlers: bool = True) -> None:
        """Run until the reactor is stopped."""
        if self._started or self._startedBefore:
            # It says that it cannot.
            return super().run(installSignalHandlers)
        try:
            super().run(installSignalHandlers)
        finally:
            self._end_handle()
            self._run_is_over()

    def iterate(self, timeout: float) -> None:  # type: ignore[override]
        """Run for a while."""
        super().iterate(timeout)
        self._end_handle()

    def _trace_polls(self) -> None:
        loop: Any = self._asyncioEventloop
        if isinstance(self._asyncioEventloop, asyncio.SelectorEventLoop):
            loop._ready = Handles(loop._ready, self._begin_handle)
            loop._selector = TimedPoll(
                loop._selector, self.recorder, before=self._end_handle
            )
        else:
            self.recorder.sees_turns = False
            # On asyncio's loops, events are told by their handles, without a call.
            self._readOrWrite = self._timed_read_or_write
        # Those that it knows already have the methods of what it was.
        for reader in list(self._readers):
            self.removeReader(reader)
            self.addReader(reader)

    def _begin_handle(self, handle: Any) -> None:
        """The loop has taken a handle, to call it: each ends where the next begins."""
        function = handle._callback
        owner = function.__self__ if type(function) is MethodType else None
        if handle._cancelled:
            self._end_handle()
        elif owner is self and function.__func__ is _EVENT:
            connection, is_read = handle._args
            name = quick_read_name(connection) if is_read else send_name(connection)
            self.recorder.begin_next(name, connection)
        elif function is log.callWithLogger and self._is_event(handle._args):
            selectable, _, _, is_read = handle._args
            name = read_name(selectable) if is_read else send_name(selectable)
            self.recorder.begin_next(name, selectable)
        elif owner is self or owner is self._asyncioEventloop:
            # The reactor's own is told by itself; what is the loop's is to wake it.
            self._end_handle()
        else:
            self.recorder.begin_next(name_of(function))

    def _is_event(self, arguments: tuple[Any, ...]) -> bool:
        """Whether Twisted's reactor, or ours for what is no connection, calls these."""
        return (
            len(arguments) == 4
            and type(arguments[1]) is MethodType
            and arguments[1].__self__ is self
        )

    def _end_handle(self) -> None:
        self.recorder.close_row(None)

    def _timed_read_or_write(self, selectable: Any, read: bool) -> None:
        name = read_name(selectable) if read else send_name(selectable)
        call = self.recorder.begin(name, selectable)
        try:
            super()._readOrWrite(selectable, read)  # type: ignore[misc]
        finally:
            self.recorder.end(call)


class TracedAsyncioReactor(AsyncioTracing, EagerAsyncioReactor):
    """The eager asyncio reactor, traced."""

    # Of uvloop's, what asyncio itself does is not seen.
    usual_loop = "asyncio"


def install(eventloop: asyncio.AbstractEventLoop | None = None) -> None:
    """Make this the reactor, as the environment has it.

    See `traced.install` for that, and `eager_asyncio.install` for its loop, but that it
    runs on asyncio's own unless uvloop is named: only of that all is seen.

    Raises what those raise.
    """

    def make() -> TracedAsyncioReactor:
        kind = TracedAsyncioReactor
        loop = eventloop or new_loop(kind.usual_loop)
        return made(kind(loop, settings=settings_as_told()))

    installing.install(TracedAsyncioReactor, make)
