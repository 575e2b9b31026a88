"""A reactor that records what its time goes into.

The eager reactor, with a recorder beside it: each poll, each event of a descriptor,
each turn to send, each delayed call, each call from another thread and each system
event is timed. Who runs on another reactor pays nothing for this.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, cast

from twisted.internet.base import DelayedCall

from nbtwisted.reactor import installing, timers
from nbtwisted.reactor.eager import EagerEPollReactor
from nbtwisted.reactor.naming import class_name, name_of, own, peer_of
from nbtwisted.reactor.recorder import Call, Recorder
from nbtwisted.reactor.watchdog import Watchdog
from nbtwisted.trace_file import TraceFile

__all__ = ["STALL", "TracedReactor", "install", "make", "stall_from"]

STALL = 0.1
"""Seconds that a callback may take before it is a stall, unless told otherwise."""


class TracedReactor(EagerEPollReactor):
    """The eager reactor, traced.

    A callback of `stall` seconds or more is reported while it lasts and when it has
    ended. Spans go to `file`, if there is one. A summary is written when the reactor
    has been stopped, or by `finish`. All of this goes to `report`, a line or more at a
    time: by default to stderr.

    After a fork, all of this is the business of the process that runs the reactor.
    """

    def __init__(
        self,
        *,
        stall: float = STALL,
        file: TraceFile | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        self._report = report or partial(_to_stderr, os.getpid())
        self._output = None if file is None else _Output(file, self._report)
        self._process = os.getpid()
        self._has_run = self._is_finished = False
        self._watchdog: Watchdog | None = None
        # The same object each time, to know it again.
        self._on_hang_up = self._hang_up
        self.recorder = Recorder(
            time.perf_counter,
            stall=stall,
            on_stall=self._stall_ended,
            spans=self._output,
            detail=_detail,
        )
        # Whether a turn makes its calls just now, and which of them.
        self._makes_calls = False
        self._call: Call | None = None
        super().__init__()
        self._poller = _Timed(self._poller, self.recorder)
        self.threadCallQueue = _ThreadCalls(self._begin_call)

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Begin to watch for stalls, in a thread."""
        if self._started or self._startedBefore:
            # It says that it cannot.
            return super().startRunning(installSignalHandlers)
        self._process = os.getpid()
        self._has_run = True
        if self._output is not None:
            self._output.claim()
        if self._watchdog is None:
            self._watchdog = Watchdog(
                self.recorder, threading.get_ident(), self._report
            )
        return super().startRunning(installSignalHandlers)

    def _reallyStartRunning(self) -> None:
        super()._reallyStartRunning()
        if (
            self._installSignalHandlers
            and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
        ):
            signal.signal(signal.SIGHUP, self._on_hang_up)

    def mainLoop(self) -> None:
        """Run until the reactor is stopped."""
        try:
            super().mainLoop()
        finally:
            if signal.getsignal(signal.SIGHUP) is self._on_hang_up:
                signal.signal(signal.SIGHUP, signal.SIG_DFL)
            # What was stopped never runs again; and what stopped it may be a signal,
            # which twistd raises again, so that no function of `atexit` is called.
            self._stop_watching()
            if self._startedBefore:
                self.finish()
            else:
                self.flush()

    def finish(self) -> None:
        """Write the summary and complete the file: once, in the process that ran."""
        atexit.unregister(self.finish)
        if self._is_finished or os.getpid() != self._process:
            return
        self._is_finished = True
        self._stop_watching()
        if self._has_run or self.recorder.turns:
            self._report(self.recorder.summary().rstrip("\n"))
        else:
            self._report(
                "this process has not run the traced reactor: there is nothing to show"
            )
        if self._output is not None:
            self._output.close()

    def flush(self) -> bool:
        """Write the spans that wait; returns whether all could be written."""
        return self._output is None or self._output.flush()

    def _stop_watching(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
            self._watchdog = None

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


class _Output:
    """Spans on their way to a file, for as long as it can be written."""

    def __init__(self, file: TraceFile, report: Callable[[str], None]) -> None:
        self._file = file
        self._report = report
        self._is_lost = False

    def span(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        category: str,
        details: dict[str, object] | None = None,
    ) -> None:
        """Something that began and ended then."""
        if self._is_lost:
            return
        try:
            self._file.span(name, began, ended, category=category, details=details)
        except OSError as error:
            self._lose(error)

    def claim(self) -> None:
        """Have this process write."""
        path = self._file.path
        try:
            self._file.claim()
        except OSError as error:
            self._lose(error)
        if self._file.path != path:
            self._report(f"the spans of this process go to {self._file.path}")

    def flush(self) -> bool:
        """Write what there is; returns whether all could be written."""
        try:
            self._file.flush()
        except OSError as error:
            self._lose(error)
        return not self._is_lost

    def close(self) -> None:
        """Complete the file."""
        if self._file.is_full:
            self._report("the trace file is full: the last part is not in it")
        try:
            self._file.close()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        """Say once that there is no more."""
        if not self._is_lost:
            self._is_lost = True
            self._report(
                f"cannot write {self._file.path}: {error.strerror or error}: "
                "the rest is not in it"
            )


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


# Each event comes by one of these, so they do themselves, for 0.1 us less, what `own`
# does. Of a descriptor the reactor asks for more than that.


def _read_name(selectable: Any) -> str:
    try:
        protocol = selectable.__dict__.get("protocol")
    except Exception:
        protocol = None
    if protocol is None:
        return class_name(type(selectable)) + ".doRead"
    return class_name(type(protocol)) + ".dataReceived"


def _send_name(writer: Any) -> str:
    try:
        protocol = writer.__dict__.get("protocol")
    except Exception:
        protocol = None
    return class_name(type(writer if protocol is None else protocol)) + " sends"


def _detail(about: object) -> str:
    return about if isinstance(about, str) else peer_of(about)


def _to_stderr(process: int, text: str) -> None:
    """Write lines to the stderr of this process, or of a daemon to its log.

    A program may have put something else into the place of `sys.stderr`, which is
    none of our business but that Twisted's log is there, and a daemon has no other.
    """
    lines = "".join(f"reactor: {line}\n" for line in text.split("\n"))
    stream = sys.__stderr__ if os.getpid() == process else sys.stderr
    # It may be closed, or full; the program must not suffer for it.
    with suppress(Exception):
        # At once, so that no other thread writes in between.
        stream.write(lines)  # type: ignore[union-attr]
        stream.flush()  # type: ignore[union-attr]


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

    Raises `ValueError` for milliseconds or a clock that are none, and for a file that
    cannot be written; `ReactorAlreadyInstalledError` if there is another.
    """
    installing.install(TracedReactor, _make_from_environment)


def _make_from_environment() -> TracedReactor:
    try:
        stall = stall_from(os.environ.get("NBTWISTED_STALL_MS") or str(STALL * 1000))
    except ValueError as error:
        raise ValueError(f"NBTWISTED_STALL_MS={error}") from None
    path = os.environ.get("NBTWISTED_TRACE")
    try:
        file = TraceFile(path) if path else None
    except OSError as error:
        raise ValueError(
            f"NBTWISTED_TRACE: cannot write {path}: {error.strerror}"
        ) from None
    return make(stall, file)


def make(stall: float, file: TraceFile | None) -> TracedReactor:
    """A traced reactor whose clock is as the environment has it, to be installed.

    Raises `ValueError` for what is no clock.
    """
    reactor = TracedReactor(stall=stall, file=file)
    timers.follow_environment(reactor)
    # For programs that never stop it, or do not run it.
    atexit.register(reactor.finish)
    return reactor
