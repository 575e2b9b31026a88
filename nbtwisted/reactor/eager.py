"""An epoll reactor that sends what was written in the turn in which it was written.

How it sends is told in `sending.turns`; here is what epoll has to do with it.

*Threads* must not use a transport, says Twisted, and many programs do: on its epoll
reactor it works. So whoever asks for a turn while the reactor polls wakes it, also from
a signal handler. The order of two steps keeps each such call from being missed: it is
queued before `_polling` is read, and `_polling` is set before the queue is read. Data
is appended before that, so that who is about to be told "all is sent" is looked at once
more after it. Nothing is sent in another thread than the reactor's; but epoll is told
there who reads no more, so a lock keeps what is told and what is noted of it together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet import main
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

try:
    from twisted.internet.epollreactor import (
        EPOLLERR,
        EPOLLHUP,
        EPOLLIN,
        EPOLLOUT,
        EPollReactor,
    )
except ImportError:
    raise ImportError(
        "this platform has no epoll: expected Linux (elsewhere, Twisted's own reactor "
        "does: leave out --reactor)"
    ) from None

__all__ = ["EagerEPollReactor", "install"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
#
# EPollReactor: _poller, _selectables, _reads, _writes, _newTimedCalls,
#     _doReadOrWrite, _disconnectSelectable

_GONE = EPOLLHUP | EPOLLERR


class EagerEPollReactor(KnownAsTwisteds, SendsAtOnce, EPollReactor):
    """Twisted's epoll reactor, but for when it sends."""

    _before_event: Callable[[Any, int], None] | None = None
    """Called with each connection that has an event, if somebody traces them."""

    def __init__(self) -> None:
        # Whether somebody who asks for something now must wake the reactor.
        self._polling = False
        # Held while epoll is told something and that is noted. A signal handler may
        # come in between, in the same thread.
        self._epoll_lock = threading.RLock()
        super().__init__()

    def addReader(self, reader: Any) -> None:
        """Tell a descriptor when there is something to read."""
        if isinstance(reader, Connection):
            # twisted.web asks for it again at each request.
            fd = reader.fileno()
            if fd in self._reads and self._selectables.get(fd) is reader:
                return
            quicken(reader)
        with self._epoll_lock:
            # To a connection that is lost, only a thread comes that does not know yet.
            # Another may have its number by now.
            if not (isinstance(reader, Connection) and reader.disconnected):
                super().addReader(reader)

    def removeReader(self, reader: Any) -> None:
        """Tell a descriptor no more that there is something to read."""
        with self._epoll_lock:
            super().removeReader(reader)

    def removeWriter(self, writer: Any) -> None:
        """Give a descriptor no more turns to write."""
        with self._epoll_lock:
            super().removeWriter(writer)

    def removeAll(self) -> list[Any]:
        """Forget everybody; returns who was there, but for the reactor's own."""
        with self._epoll_lock:
            return super().removeAll()

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kw: object
    ) -> Any:
        """As every reactor has it; also from a thread, where TLS writes by a timer."""
        call: Any = super().callLater(delay, callable, *args, **kw)
        if call.debug:
            # It shows who has asked for it, which is not this method.
            call.creator.pop()
        if self._polling:
            self.wakeUp()
        return call

    def doPoll(self, timeout: float | None) -> None:
        """Let those send who have something to send; then wait, and handle events.

        `timeout` is in seconds; None is for ever.
        """
        if self._waiting_to_send:
            timeout = self._timeout_after_sending(timeout)
        self._polling = True
        try:
            if self._waiting_to_send or self._arriving or self._newTimedCalls:
                timeout = 0
            events = self._poller.poll(
                -1 if timeout is None else timeout, len(self._selectables)
            )
        except InterruptedError:
            return
        finally:
            self._polling = False
        contexts = context.theContextTracker.currentContext().contexts
        outer = context.get(LOG_CONTEXT)
        selectables = self._selectables
        before = self._before_event
        contexts.append({})
        try:
            for fd, event in events:
                selectable = selectables.get(fd)
                if selectable is None:
                    continue
                if not isinstance(selectable, Connection):
                    log.callWithLogger(
                        selectable, self._doReadOrWrite, selectable, fd, event
                    )
                    continue
                if before is not None:
                    before(selectable, event)
                # The same, at a third of its price.
                contexts[-1] = log_context(selectable, outer)
                try:
                    self._read_or_write(selectable, fd, event)
                except KeyboardInterrupt:
                    raise
                except BaseException:
                    log.err()
        finally:
            contexts.pop()

    doIteration = doPoll

    def _ask_poll(self, writer: Any) -> None:
        with self._epoll_lock:
            # As in addReader().
            if not (isinstance(writer, Connection) and writer.disconnected):
                EPollReactor.addWriter(self, writer)

    def _has_asked_poll(self, writer: Any) -> bool:
        return bool(self._writes) and writer.fileno() in self._writes

    def _turn_wanted(self, writer: Any) -> None:
        """End the poll, in another thread than the reactor's or in a signal handler."""
        if not self._polling:
            return
        self._arriving.append(writer)
        try:
            self.wakeUp()
        finally:
            # While that wrote to a pipe, the reactor may have given the turn already:
            # too early for `loseConnection`, which asks for a turn and says only then
            # what for. So there is another, and until here the reactor did not wait.
            self._waiting_to_send[writer] = None
            self._arriving.pop()

    def _timeout_after_sending(self, timeout: float | None) -> float | None:
        """Give all who wait a turn; returns how long the poll may still wait."""
        somebody_was_called = self._send_all()
        # Who was called may have stopped the reactor, or set a timer.
        if somebody_was_called or self._waiting_to_send:
            return 0
        if timeout:
            # It has taken some of the time until the next timer.
            until_timer = self.timeout()
            if until_timer is not None:
                return min(timeout, until_timer)
        return timeout

    def _read_or_write(self, selectable: Any, fd: int, event: int) -> None:
        """As Twisted's `_doReadOrWrite`, but for how it sends."""
        why: Any = None
        is_read = False
        if event & _GONE and not event & EPOLLIN:
            # Twisted's judgement: who was reading has come to the end.
            is_read = fd in self._reads
            why = main.CONNECTION_DONE if is_read else main.CONNECTION_LOST
        else:
            try:
                if event & EPOLLIN:
                    why = selectable.doRead()
                    is_read = True
                if (
                    not why
                    and event & EPOLLOUT
                    and fd in self._writes
                    # Unless it is gone, and another has its number.
                    and self._selectables.get(fd) is selectable
                ):
                    why = self._write(selectable)
                    is_read = False
            except BaseException as raised:
                log.err()
                why = raised
        if why:
            why = self._why(selectable, why)
            self._disconnectSelectable(selectable, why, is_read)


def install() -> None:
    """Make this the reactor, with the clock that the environment names (see `timers`).

    Whether other threads may use it is asked of the environment, too: `thread_check`.

    Raises `twisted.internet.error.ReactorAlreadyInstalledError` if there is another,
    and `ValueError` for a variable that has neither.
    """
    installing.install(EagerEPollReactor, _make)


def _make() -> EagerEPollReactor:
    reactor = EagerEPollReactor()
    timers.follow_environment(reactor)
    thread_check.follow_environment(reactor)
    return reactor
