"""Twisted's asyncio reactor, which sends in the turn in which something was written.

How it sends is told in `sending.turns`. Here, a turn of the loop's gives all who have
written in the one before a turn to send: by a callback of the loop (`call_soon`), of
which there is one at most. So the loop polls in between, without waiting.

*Who asks for a turn* outside of the reactor's own callbacks (another thread, a signal
handler, a coroutine of asyncio's) cannot know whether the loop polls, and wakes it. As
in `eager`, whoever comes from another thread is given turns until it has gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.process import reapAllProcesses
from twisted.python import context, log

from nbtwisted.reactor import installing, thread_check, timers
from nbtwisted.reactor.known import KnownAsTwisteds
from nbtwisted.reactor.sending.connections import quicken
from nbtwisted.reactor.sending.turns import (
    LOG_CONTEXT,
    Connection,
    SendsAtOnce,
    log_context,
)

__all__ = ["LOOP", "EagerAsyncioReactor", "install", "new_loop"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
#
# AsyncioSelectorReactor: _asyncioEventloop, _readers, _writers, _readOrWrite, _onTimer
# ReactorBase: _reallyStartRunning, _installSignalHandlers

LOOP = "NBTWISTED_LOOP"


class EagerAsyncioReactor(KnownAsTwisteds, SendsAtOnce, AsyncioSelectorReactor):
    """Twisted's asyncio reactor, but for when it sends.

    Without a loop of asyncio's to run on, it takes the one that runs, or that which
    `new_loop` gives.
    """

    # Twisted's types have the class of what is in them.
    _readers: dict[Any, int]
    _writers: dict[Any, int]

    usual_loop: str | None = None
    """The loop to run on, where nobody names one; see `new_loop`."""

    def __init__(self, eventloop: asyncio.AbstractEventLoop | None = None) -> None:
        # Whether a callback of the reactor's own is under way: the loop does not poll.
        self._at_work = False
        # Whether the loop is to give turns to send.
        self._turns_are_due = False
        # Which runs the reactor.
        self._thread = threading.get_ident()
        super().__init__(eventloop or new_loop(self.usual_loop))

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Begin to run, in this thread."""
        self._thread = threading.get_ident()
        super().startRunning(installSignalHandlers)

    def _reallyStartRunning(self) -> None:
        super()._reallyStartRunning()
        kind = type(self._asyncioEventloop)
        if (
            self._installSignalHandlers
            and kind.__module__.partition(".")[0] != "asyncio"
        ):
            # Twisted hears that a process has ended by the file descriptor of signals,
            # which uvloop takes from it; Python's handler is called all the same. That
            # is in the place of Twisted's, and not later: asyncio's processes on uvloop
            # have one of their own from the first of them on.
            signal.signal(signal.SIGCHLD, self._child_ended)

    def _child_ended(self, number: int, frame: object) -> None:
        # A loop that has been closed has nobody left who waits for it.
        with suppress(RuntimeError):
            self._asyncioEventloop.call_soon_threadsafe(reapAllProcesses)

    def addReader(self, reader: Any) -> None:
        """Tell a descriptor when there is something to read."""
        if not isinstance(reader, Connection):
            super().addReader(reader)
        # To a connection that is lost, only a thread comes that does not know yet.
        elif reader not in self._readers and not reader.disconnected:
            quicken(reader)
            fd = reader.fileno()
            self._asyncioEventloop.add_reader(fd, self._event, reader, True)
            self._readers[reader] = fd

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kw: object
    ) -> Any:
        """As every reactor has it; also from a thread, where TLS writes by a timer."""
        call: Any = super().callLater(delay, callable, *args, **kw)
        if call.debug:
            # It shows who has asked for it, which is neither this method nor Twisted's.
            del call.creator[-2:]
        if threading.get_ident() != self._thread:
            self._asyncioEventloop.call_soon_threadsafe(_nothing)
        return call

    def _ask_poll(self, writer: Any) -> None:
        if not isinstance(writer, Connection):
            AsyncioSelectorReactor.addWriter(self, writer)
        elif writer not in self._writers and not writer.disconnected:
            fd = writer.fileno()
            self._asyncioEventloop.add_writer(fd, self._event, writer, False)
            self._writers[writer] = fd

    def _has_asked_poll(self, writer: Any) -> bool:
        return writer in self._writers

    def _turn_wanted(self, writer: Any) -> None:
        if self._turns_are_due:
            return
        if self._at_work and threading.get_ident() == self._thread:
            self._turns_are_due = True
            self._asyncioEventloop.call_soon(self._give_turns)
            return
        self._arriving.append(writer)
        try:
            self._turns_are_due = True
            self._asyncioEventloop.call_soon_threadsafe(self._give_turns)
        finally:
            # While that wrote to a socket, the loop may have given the turn already.
            self._waiting_to_send[writer] = None
            self._arriving.pop()

    def _give_turns(self) -> None:
        """Let all send who have something to send."""
        self._turns_are_due = False
        before, self._at_work = self._at_work, True
        try:
            self._send_all()
        finally:
            self._at_work = before
            if (self._arriving or self._waiting_to_send) and not self._turns_are_due:
                self._turns_are_due = True
                self._asyncioEventloop.call_soon(self._give_turns)

    def _event(self, connection: Any, is_read: bool) -> None:
        """A connection can read or write: `callWithLogger`, at a third of its price."""
        contexts = context.theContextTracker.currentContext().contexts
        contexts.append(log_context(connection, context.get(LOG_CONTEXT)))
        try:
            self._readOrWrite(connection, is_read)
        except KeyboardInterrupt:
            raise
        except BaseException:
            log.err()
        finally:
            contexts.pop()

    def _readOrWrite(self, selectable: Any, read: bool) -> None:
        """As Twisted's, but for how it sends."""
        before, self._at_work = self._at_work, True
        try:
            if not isinstance(selectable, Connection):
                super()._readOrWrite(selectable, read)
                return
            try:
                why = selectable.doRead() if read else self._write(selectable)
            except Exception as raised:
                log.err()
                why = raised
            if why:
                why = self._why(selectable, why)
                self._disconnectSelectable(selectable, why, read)
        finally:
            self._at_work = before

    def _onTimer(self) -> None:
        before, self._at_work = self._at_work, True
        try:
            super()._onTimer()
        finally:
            self._at_work = before


def _nothing() -> None:
    """It wakes the loop."""


def new_loop(otherwise: str | None = None) -> asyncio.AbstractEventLoop | None:
    """The loop that a reactor is to have: uvloop's, where that is installed.

    It is None while a loop runs in this thread, which is to be taken. The environment
    variable `NBTWISTED_LOOP` names asyncio's or uvloop's; `otherwise` has its place
    where it does not.

    Raises `ValueError` for any other name, and `ImportError` where the one that is
    named is not installed.
    """
    name = os.environ.get(LOOP) or otherwise
    if name not in (None, "asyncio", "uvloop"):
        raise ValueError(f"{LOOP}={name!r}: expected asyncio or uvloop")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        return None
    make: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if name != "asyncio":
        try:
            make = import_module("uvloop").new_event_loop
        except ImportError:
            if name:
                raise ImportError(
                    f"{LOOP}={name}: uvloop is not installed: expected it, or asyncio"
                ) from None
    loop = make()
    asyncio.set_event_loop(loop)
    return loop


def install(eventloop: asyncio.AbstractEventLoop | None = None) -> None:
    """Make this the reactor, with the clock that the environment names (see `timers`).

    Without a loop, it runs on that which `new_loop` gives. Whether other threads may
    use it is asked of the environment, too: `thread_check`.

    Raises `twisted.internet.error.ReactorAlreadyInstalledError` if there is another,
    `ValueError` for a variable that has none of these, and `ImportError` for a loop
    that is named and not there.
    """

    def make() -> EagerAsyncioReactor:
        reactor = EagerAsyncioReactor(eventloop)
        timers.follow_environment(reactor)
        thread_check.follow_environment(reactor)
        return reactor

    installing.install(EagerAsyncioReactor, make)
