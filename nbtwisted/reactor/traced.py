"""A reactor that records what its time goes into.

The eager reactor, with a recorder beside it: each poll, each event of a descriptor,
each turn to send, each delayed call, each call from another thread and each system
event is timed. Who runs on another reactor pays nothing for this.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from twisted.internet import main
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred

from nbtwisted.reactor import timers
from nbtwisted.reactor.eager import EagerEPollReactor
from nbtwisted.reactor.recorder import MOST_NAMES, Call, Recorder
from nbtwisted.reactor.watchdog import Watchdog
from nbtwisted.trace_file import TraceFile

__all__ = ["STALL", "TracedReactor", "install", "stall_from"]

NO_KEYWORDS: Mapping[str, object] = {}

STALL = 0.1
"""Seconds that a callback may take before it is a stall, unless told otherwise."""


class TracedReactor(EagerEPollReactor):
    """The eager reactor, traced.

    A callback of `stall` seconds or more is reported while it lasts and when it has
    ended. Spans go to `file`, if there is one. A summary is written when the process
    ends. All of this goes to `report`, a line or more at a time: by default to stderr.
    """

    def __init__(
        self,
        *,
        stall: float = STALL,
        file: TraceFile | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self._report = report or _to_stderr
        self._file = file
        self._process = os.getpid()
        self._watchdog: Watchdog | None = None
        self.recorder = Recorder(
            time.perf_counter,
            stall=stall,
            on_stall=self._stall_ended,
            spans=file,
            detail=_detail,
        )
        super().__init__()
        self._poller = _Timed(self._poller, self.recorder)
        atexit.register(self.finish)

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Begin to watch for stalls, in a thread."""
        if self._watchdog is None:
            self._watchdog = Watchdog(
                self.recorder, threading.get_ident(), self._report
            )
        super().startRunning(installSignalHandlers)

    def finish(self) -> None:
        """Stop watching, complete the file, and write the summary: once."""
        atexit.unregister(self.finish)
        # What was forked from the process has its own end, and none of this.
        if os.getpid() != self._process:
            return
        if self._watchdog is not None:
            self._watchdog.stop()
        self._report(self.recorder.summary().rstrip("\n"))
        if self._file is not None:
            if self._file.is_full:
                self._report("the trace file is full: the last part is not in it")
            self._file.close()

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kw: object
    ) -> DelayedCall:
        """As every reactor has it."""
        call = super().callLater(delay, callable, *args, **kw)
        # What every reactor makes, but for what it says when it is called.
        traced = cast(_TracedCall, call)
        traced.__class__ = _TracedCall
        traced.reactor = self
        return traced

    def callFromThread(
        self, f: Callable[..., Any], *args: object, **kwargs: object
    ) -> None:
        """As every reactor has it."""
        super().callFromThread(self._timed, _name(f), "from a thread", f, args, kwargs)

    def fireSystemEvent(self, eventType: str) -> None:
        """As every reactor has it."""
        name = f"system event {eventType}"
        self._timed(name, "", super().fireSystemEvent, (eventType,))

    def _timed(
        self,
        name: str,
        detail: str,
        f: Callable[..., Any],
        args: Sequence[object],
        kw: Mapping[str, object] = NO_KEYWORDS,
    ) -> Any:
        call = self.recorder.begin(name, detail)
        try:
            return f(*args, **kw)
        finally:
            self.recorder.end(call)

    # Not by way of _timed(), and with details that are made when they are shown: of a
    # bare Protocol's time a third became a fifth (make reactors REACTORS='--reactors
    # eager traced').

    def _read_or_write(self, selectable: Any, fd: int, event: int) -> None:
        call = self.recorder.begin(_read_name(*_kind(selectable)), selectable)
        try:
            EagerEPollReactor._read_or_write(self, selectable, fd, event)
        finally:
            self.recorder.end(call)

    def _take_turn(self, writer: Any) -> bool:
        call = self.recorder.begin(_send_name(*_kind(writer)), writer)
        try:
            return EagerEPollReactor._take_turn(self, writer)
        finally:
            self.recorder.end(call)

    def _doReadOrWrite(self, selectable: Any, fd: int, event: int) -> None:
        name = _read_name(*_kind(selectable))
        self._timed(
            name, _peer(selectable), super()._doReadOrWrite, (selectable, fd, event)
        )

    def _stall_ended(self, call: Call, seconds: float) -> None:
        named = self.recorder.named(call)
        self._report(f"a stall of {seconds * 1000:.0f} ms has ended: {named}")


class _TracedCall(DelayedCall):
    """A delayed call whose function is timed when the reactor calls it."""

    reactor: TracedReactor

    @property
    def func(self) -> Callable[..., Any]:
        """The function; once it is being called, the function and a clock."""
        function: Callable[..., Any] = self.__dict__["func"]
        if not self.called:
            return function
        self.reactor.recorder.late(self.reactor.seconds() - self.getTime())

        def timed(*args: object, **kw: object) -> Any:
            return self.reactor._timed(_name(function), "", function, args, kw)

        return timed

    @func.setter
    def func(self, function: Callable[..., Any]) -> None:
        self.__dict__["func"] = function

    @func.deleter
    def func(self) -> None:
        del self.__dict__["func"]


class _Timed:
    """An epoll object whose polls are timed."""

    def __init__(self, poller: Any, recorder: Recorder) -> None:
        self._poll = poller.poll
        self._recorder = recorder
        self.register = poller.register
        self.modify = poller.modify
        self.unregister = poller.unregister
        self.close = poller.close
        self.fileno = poller.fileno

    def poll(self, timeout: float, most: int) -> Any:
        """Wait for events."""
        began = self._recorder.now()
        try:
            return self._poll(timeout, most)
        finally:
            self._recorder.turn(began)


def _kind(selectable: Any) -> tuple[type, bool]:
    """The class of its protocol, or its own; and which of these it is."""
    protocol = getattr(selectable, "protocol", None)
    return (type(selectable), False) if protocol is None else (type(protocol), True)


# Kept for as many classes as a program has, unless it makes them up as it goes.
@functools.lru_cache(MOST_NAMES)
def _read_name(kind: type, is_protocol: bool) -> str:
    return f"{kind.__name__}.{'dataReceived' if is_protocol else 'doRead'}"


@functools.lru_cache(MOST_NAMES)
def _send_name(kind: type, is_protocol: bool) -> str:
    return f"{kind.__name__} sends"


def _detail(about: object) -> str:
    return about if isinstance(about, str) else _peer(about)


def _peer(selectable: Any) -> str:
    client = getattr(selectable, "client", None) or getattr(selectable, "addr", None)
    if isinstance(client, tuple) and len(client) >= 2:
        return f"[{client[0]}:{client[1]}]"
    return ""


def _name(function: Any) -> str:
    """What a person calls a function."""
    owner = getattr(function, "__self__", None)
    callbacks: Any = owner.callbacks if isinstance(owner, Deferred) else None
    if callbacks:
        # A Deferred that a timer fires: for what comes next, as in deferLater().
        following = callbacks[0][0][0]
        closure = getattr(following, "__closure__", None) or ()
        names = getattr(getattr(following, "__code__", None), "co_freevars", ())
        inner = dict(zip(names, closure, strict=False)).get("callable")
        if inner is not None:
            return f"deferLater -> {_name(inner.cell_contents)}"
    if hasattr(function, "func"):
        # A functools.partial.
        return _name(function.func)
    module = getattr(function, "__module__", None) or type(function).__module__
    qualified = getattr(function, "__qualname__", None) or type(function).__qualname__
    if owner is not None and not isinstance(owner, type):
        qualified = f"{type(owner).__name__}.{qualified.rpartition('.')[2]}"
        module = type(owner).__module__
    return f"{module}.{qualified}"


def _to_stderr(text: str) -> None:
    if sys.stderr is not None:
        for line in text.split("\n"):
            print(f"reactor: {line}", file=sys.stderr, flush=True)


def stall_from(text: str) -> float:
    """Read the milliseconds of a stall; returns seconds, or raises `ValueError`."""
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = 0.0
    if not 0 < milliseconds < 1e9:
        raise ValueError(f"{text!r}: expected milliseconds above 0, such as 100")
    return milliseconds / 1000


def install() -> None:
    """Make this the reactor, as the environment has it.

    `NBTWISTED_TRACE` is the path of a file for the spans, and `NBTWISTED_STALL_MS` the
    milliseconds from which a callback is a stall; for its clock see `timers`.

    Raises `ValueError` for milliseconds or a clock that are none, `OSError` for a file
    that cannot be written.
    """
    stall = stall_from(os.environ.get("NBTWISTED_STALL_MS") or str(STALL * 1000))
    path = os.environ.get("NBTWISTED_TRACE")
    reactor = TracedReactor(stall=stall, file=TraceFile(path) if path else None)
    timers.follow_environment(reactor)
    main.installReactor(reactor)
