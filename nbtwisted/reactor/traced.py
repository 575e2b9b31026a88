"""A reactor that records what its time goes into.

The eager reactor, with a recorder beside it: each poll, each event of a descriptor,
each turn to send, each delayed call, each call from another thread and each system
event is timed. Who runs on another reactor pays nothing for this.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, cast

from twisted.internet.base import DelayedCall

from nbtwisted.reactor import installing, timers
from nbtwisted.reactor.eager import EagerEPollReactor
from nbtwisted.reactor.naming import class_name, name_of, own, peer_of
from nbtwisted.reactor.recorder import Call, Recorder
from nbtwisted.reactor.watchdog import Watchdog
from nbtwisted.trace_file import TraceFile

__all__ = ["STALL", "TracedReactor", "install", "stall_from"]

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
        # Whether a turn makes its calls just now, and which of them.
        self._makes_calls = False
        self._call: Call | None = None
        self.threadCallQueue = _ThreadCalls(self._begin_call)
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

    def runUntilCurrent(self) -> None:
        """Make the calls from other threads, and the delayed calls that are due."""
        outer = self._makes_calls, self._call
        self._makes_calls, self._call = True, None
        try:
            super().runUntilCurrent()
        finally:
            self._end_call()
            self._makes_calls, self._call = outer

    def fireSystemEvent(self, eventType: str) -> None:
        """As every reactor has it."""
        if eventType == "shutdown":
            # It comes in a turn of its own kind, after the calls of the last one.
            self._end_call()
        call = self.recorder.begin(f"system event {eventType}")
        try:
            super().fireSystemEvent(eventType)
        finally:
            self.recorder.end(call)

    # Each call that a turn makes ends where the next begins, or the turn: no function
    # is wrapped, so that programs find theirs where they put them, and no frame of ours
    # in a traceback.

    def _begin_call(self, function: object, detail: str) -> None:
        """The reactor is about to make a call."""
        if self._makes_calls:
            self._end_call()
            self._call = self.recorder.begin(name_of(function), detail)

    def _begin_timer(self, call: DelayedCall) -> None:
        if self._makes_calls:
            self.recorder.late(self.seconds() - call.getTime())
            self._begin_call(own(call, "func"), "")

    def _end_call(self) -> None:
        if self._call is not None:
            self.recorder.end(self._call)
            self._call = None

    def _insertNewDelayedCalls(self) -> None:
        for call in self._newTimedCalls:
            call.__class__ = _TracedCall
            cast(_TracedCall, call)._reactor = self
        super()._insertNewDelayedCalls()

    # Details are made when they are shown, which for most is never.

    def _read_or_write(self, selectable: Any, fd: int, event: int) -> None:
        call = self.recorder.begin(_read_name(selectable), selectable)
        try:
            EagerEPollReactor._read_or_write(self, selectable, fd, event)
        finally:
            self.recorder.end(call)

    def _take_turn(self, writer: Any) -> bool:
        call = self.recorder.begin(_send_name(writer), writer)
        try:
            return EagerEPollReactor._take_turn(self, writer)
        finally:
            self.recorder.end(call)

    def _doReadOrWrite(self, selectable: Any, fd: int, event: int) -> None:
        call = self.recorder.begin(_read_name(selectable), selectable)
        try:
            super()._doReadOrWrite(selectable, fd, event)
        finally:
            self.recorder.end(call)

    def _stall_ended(self, call: Call, seconds: float) -> None:
        named = self.recorder.named(call)
        self._report(f"a stall of {seconds * 1000:.0f} ms has ended: {named}")


class _TracedCall(DelayedCall):
    """A delayed call that tells its reactor when it is about to be made.

    That is when it is marked as called.
    """

    _reactor: TracedReactor

    @property
    def called(self) -> int:
        """Whether it was made."""
        return cast(int, self.__dict__["called"])

    @called.setter
    def called(self, called: int) -> None:
        self.__dict__["called"] = called
        self._reactor._begin_timer(self)


class _ThreadCalls(list[Any]):
    """Calls from other threads, which the reactor makes as it goes through them."""

    def __init__(self, begin: Callable[[object, str], None]) -> None:
        super().__init__()
        self._begin = begin

    def __iter__(self) -> Iterator[Any]:
        for call in super().__iter__():
            self._begin(call[0], "from a thread")
            yield call


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


def _read_name(selectable: object) -> str:
    protocol = own(selectable, "protocol")
    if protocol is None:
        return f"{class_name(type(selectable))}.doRead"
    return f"{class_name(type(protocol))}.dataReceived"


def _send_name(writer: object) -> str:
    protocol = own(writer, "protocol")
    return f"{class_name(type(writer if protocol is None else protocol))} sends"


def _detail(about: object) -> str:
    return about if isinstance(about, str) else peer_of(about)


def _to_stderr(text: str) -> None:
    if sys.stderr is None:
        return
    # A program may have put anything there, and must not suffer for it.
    with suppress(Exception):
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
    that cannot be written, and `ReactorAlreadyInstalledError` if there is another.
    """
    installing.install(TracedReactor, _make)


def _make() -> TracedReactor:
    try:
        stall = stall_from(os.environ.get("NBTWISTED_STALL_MS") or str(STALL * 1000))
    except ValueError as error:
        raise ValueError(f"NBTWISTED_STALL_MS={error}") from None
    path = os.environ.get("NBTWISTED_TRACE")
    reactor = TracedReactor(stall=stall, file=TraceFile(path) if path else None)
    timers.follow_environment(reactor)
    return reactor
