"""What makes a reactor a traced one, whichever it is.

`Tracing` stands before a reactor of Twisted's or of ours. It has a recorder beside it:
each poll, each event of a descriptor, each turn to send, each delayed call, each call
from another thread and each system event is timed, and on asyncio's loops each handle.
Who runs on another reactor pays nothing for this.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.base import DelayedCall

from nbtwisted.reactor.answering import Answers
from nbtwisted.reactor.known import KnownAsTwisteds
from nbtwisted.reactor.naming import class_name, name_of, own, peer_of
from nbtwisted.reactor.stderr_lines import to_stderr
from nbtwisted.reactor.thread_check import OtherThreads, watch_for
from nbtwisted.reactor.tracing.calls import ThreadCalls, TimedPoll, TracedCall
from nbtwisted.reactor.tracing.recorder import Call, Recorder, Stall
from nbtwisted.reactor.tracing.span_output import SpanOutput
from nbtwisted.reactor.tracing.watchdog import Watchdog
from nbtwisted.trace_file import TraceFile

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase as _Base
else:
    _Base = object

__all__ = [
    "NOTHING_RAN",
    "STALL",
    "PollTracing",
    "Settings",
    "Tracing",
    "quick_read_name",
    "quick_send_name",
    "read_name",
    "send_name",
]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
#
# ReactorBase: _started, _startedBefore, _pendingTimedCalls, _newTimedCalls,
#     _insertNewDelayedCalls, _reallyStartRunning, _installSignalHandlers,
#     threadCallQueue
# EPollReactor, PollReactor: _poller, _POLL_IN, _doReadOrWrite

NOTHING_RAN = "this process has run no reactor: there is nothing to show"

# There is no reactor that polls where these are not.
POLLIN, POLLOUT = getattr(select, "POLLIN", 0), getattr(select, "POLLOUT", 0)

MOST_CLASSES = 1000
"""Of protocols, whose names are kept."""

STALL = 0.1
"""Seconds that a callback may take before it is a stall, unless told otherwise."""


@dataclass(frozen=True)
class Settings:
    """What is to be done with what a traced reactor records.

    A callback of `stall` seconds or more is reported while it lasts and when it has
    ended, and told to `on_stall` then. Spans go to `file`, if there is one. A `summary`
    is written when the reactor has been stopped, or by `finish`. What `other_threads`
    do with the reactor is seen as `thread_check` does. All of this goes to `report`, a
    line or more at a time: by default to stderr.
    """

    stall: float = STALL
    file: TraceFile | None = None
    report: Callable[[str], None] | None = None
    on_stall: Callable[[Stall], None] | None = None
    summary: bool = True
    other_threads: OtherThreads = OtherThreads.REPORTED


class Tracing(KnownAsTwisteds, Answers, _Base):
    """A reactor that records what its time goes into.

    After a fork, that is the business of the process that runs the reactor.
    """

    _before_turn: Callable[[Any], None] | None

    default_settings: ClassVar[Settings | None] = None
    """What those have that are given none, in a program that is traced."""

    def __init__(
        self, *args: Any, settings: Settings | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.trace(settings or Tracing.default_settings or Settings())

    def trace(self, settings: Settings) -> None:
        """Begin to record."""
        self._report = settings.report or partial(to_stderr, os.getpid())
        self._output = (
            None if settings.file is None else SpanOutput(settings.file, self._report)
        )
        self._told_of_stalls = [settings.on_stall] if settings.on_stall else []
        self._has_summary = settings.summary
        self._process = os.getpid()
        self._has_run = self._is_finished = False
        self._watchdog: Watchdog | None = None
        # The same object each time, to know it again.
        self._on_hang_up = self._hang_up
        self.recorder = Recorder(
            time.perf_counter,
            stall=settings.stall,
            on_stall=self._stall_ended,
            spans=self._output,
            detail=_detail,
        )
        # Whether a turn makes its calls just now, and which of them.
        self._makes_calls = False
        self._call: Call | None = None
        self.threadCallQueue = ThreadCalls(self.threadCallQueue, self._begin_call)
        for call in self._pendingTimedCalls:
            TracedCall.trace(call, self._begin_timer)
        self._before_turn = self._turn_begins
        self._trace_polls()
        watch_for(self, settings.other_threads, self._report)
        if self._started:
            self._watch()

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Begin to watch for stalls, in a thread."""
        # Otherwise it says that it cannot.
        if not (self._started or self._startedBefore):
            self._watch()
        return super().startRunning(installSignalHandlers)

    def tell_of_stalls(self, seconds: float, on_stall: Callable[[Stall], None]) -> None:
        """Tell one more of stalls, which a callback of so many seconds is from now on.

        Where the limit is lower already, it stays.
        """
        self.recorder.stall = min(self.recorder.stall, seconds)
        if on_stall not in self._told_of_stalls:
            self._told_of_stalls.append(on_stall)

    def finish(self) -> None:
        """Write the summary and complete the file: once, in the process that ran."""
        atexit.unregister(self.finish)
        if self._is_finished or os.getpid() != self._process:
            return
        self._is_finished = True
        self._stop_watching()
        if self._has_summary:
            if self._has_run or self.recorder.turns:
                self._report(self.recorder.summary().rstrip("\n"))
            else:
                self._report(NOTHING_RAN)
        if self._output is not None:
            self._output.close()

    def flush(self) -> bool:
        """Write the spans that wait; returns whether all could be written."""
        return self._output is None or self._output.flush()

    def runUntilCurrent(self) -> None:
        """Make the calls from other threads, and the delayed calls that are due."""
        outer = self._makes_calls, self._call
        self._makes_calls, self._call = True, None
        try:
            super().runUntilCurrent()
        finally:
            self._end_call()
            self._makes_calls, self._call = outer
            if self._watchdog is not None:
                self._watchdog.go_on()

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

    def _trace_polls(self) -> None:
        """Have its polls timed, in the way of its kind."""
        raise NotImplementedError

    def _watch(self) -> None:
        """This thread is about to run it, or does."""
        self._process = os.getpid()
        self._has_run = True
        if self._output is not None:
            self._output.claim()
        if self._watchdog is None:
            self._watchdog = Watchdog(
                self.recorder, threading.get_ident(), self._report
            )

    def _stop_watching(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None

    def _reallyStartRunning(self) -> None:
        super()._reallyStartRunning()
        if (
            self._installSignalHandlers
            and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        ):
            signal.signal(signal.SIGHUP, self._on_hang_up)

    def _run_is_over(self) -> None:
        """It was stopped, or crashed and may be run again."""
        if signal.getsignal(signal.SIGHUP) is self._on_hang_up:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        # What was stopped never runs again; and what stopped it may be a signal,
        # which twistd raises again, so that no function of `atexit` is called.
        self._stop_watching()
        if self._startedBefore:
            self.finish()
        else:
            self.flush()

    def _hang_up(self, number: int, frame: object) -> None:
        """A terminal was closed, which ends the process, as it would without us."""
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() == self._process:
            # Not in the middle of whatever is under way. A second one will not wait.
            self.callFromThread(self._end_by, number)
        else:
            signal.raise_signal(number)

    def _end_by(self, number: int) -> None:
        self.finish()
        signal.raise_signal(number)

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
            TracedCall.trace(call, self._begin_timer)
        super()._insertNewDelayedCalls()

    # Events of descriptors, and turns to send, come in rows: each ends where the next
    # begins, or the row. Details are made when they are shown, which for most is never.
    # Most turns to send call nobody's code, and are short.

    def _turn_begins(self, writer: Any) -> None:
        """Of those that send at once: a turn to send begins."""
        self.recorder.begin_alike(quick_send_name(writer), writer)

    def _let(self, writer: Any, write: Callable[[Any], Any]) -> None:
        # It calls what may be anybody's code.
        self.recorder.set_apart(writer)
        super()._let(writer, write)  # type: ignore[misc]

    def _send_all(self) -> bool:
        outer = self.recorder.open_row()
        try:
            # Only they call it.
            return super()._send_all()  # type: ignore[misc, no-any-return]
        finally:
            self.recorder.close_row(outer)

    def _stall_ended(self, stall: Stall) -> None:
        self._report(
            f"a stall of {stall.seconds * 1000:.0f} ms has ended: {stall.name}"
        )
        if self._told_of_stalls and self._watchdog is not None:
            preempted = self._watchdog.preempted(stall.seconds)
            stall = replace(stall, preempted=min(preempted, stall.seconds))
        for tell in self._told_of_stalls:
            tell(stall)


class PollTracing(Tracing):
    """Traces those that poll by an object of their own: epoll and poll."""

    _poller: Any
    _before_event: Callable[[Any, int], None] | None

    def mainLoop(self) -> None:
        """Run until the reactor is stopped."""
        try:
            super().mainLoop()
        finally:
            self._run_is_over()

    def _trace_polls(self) -> None:
        self._poller = TimedPoll(self._poller, self.recorder)
        self._before_event = self._connection_event_begins

    def doIteration(self, delay: float | None) -> None:
        """Poll, and handle events."""
        outer = self.recorder.open_row()
        try:
            super().doIteration(delay)
        finally:
            self.recorder.close_row(outer)

    def _doReadOrWrite(self, selectable: Any, fd: int, event: int) -> None:
        self._event_begins(selectable, event)
        super()._doReadOrWrite(selectable, fd, event)  # type: ignore[misc]

    def _event_begins(self, selectable: Any, event: int) -> None:
        """One has an event: on the eager reactor, connections come by here alone."""
        # Both kinds of poll have the same numbers for these.
        if event & POLLIN or not event & POLLOUT:
            name = read_name(selectable)
        else:
            name = send_name(selectable)
        self.recorder.begin_next(name, selectable)

    def _connection_event_begins(self, connection: Any, event: int) -> None:
        """The same for what is sure to be a connection, at half the price."""
        if event == POLLIN:
            self.recorder.begin_next(quick_read_name(connection), connection)
        else:
            self._event_begins(connection, event)


def read_name(selectable: Any) -> str:
    """What a descriptor's event goes by, when there is something to read."""
    kind = type(own(selectable, "protocol"))
    if kind is _NONE:
        return class_name(type(selectable)) + ".doRead"
    return _READS.get(kind) or _remember(_READS, kind, ".dataReceived")


def send_name(writer: Any) -> str:
    """The same when it can write."""
    kind = type(own(writer, "protocol"))
    if kind is _NONE:
        kind = type(writer)
    return _SENDS.get(kind) or _remember(_SENDS, kind, " sends")


# Connections may be asked for an attribute. Of what else is a descriptor, that might
# run anybody's code.


def quick_read_name(connection: Any) -> str:
    """`read_name` of a connection, at half the price."""
    try:
        name = _READS.get(type(connection.protocol))
    except AttributeError:
        name = None
    return name or read_name(connection)


def quick_send_name(connection: Any) -> str:
    """`send_name` of a connection, likewise."""
    try:
        name = _SENDS.get(type(connection.protocol))
    except AttributeError:
        name = None
    return name or send_name(connection)


_NONE = type(None)
_READS: dict[type, str] = {}
_SENDS: dict[type, str] = {}


def _remember(names: dict[type, str], kind: type, does: str) -> str:
    # Programs may make a class for each connection.
    if len(names) >= MOST_CLASSES:
        names.clear()
    name = names[kind] = class_name(kind) + does
    return name


def _detail(about: object) -> str:
    return about if isinstance(about, str) else peer_of(about)
