"""An epoll reactor that sends what was written in the turn in which it was written.

Theory of operation. `transport.write` keeps the data and asks the reactor, by
`addWriter`, to be told when the socket can take it. Twisted's reactor then asks epoll,
polls, learns that it can, sends, and tells epoll that it need not know any longer: two
system calls and a poll for each small answer, though a socket that was not full can
always take more (twisted#5303). Here the descriptor is remembered, and everybody who is
remembered has a turn to send just before the next poll. Only what the socket would not
take is asked of epoll.

1. *Nothing is sent inside `write`.* No protocol is called from within its own call.
2. *Who has a turn.* Connected stream sockets: TCP, UNIX, and TLS over these. Everything
   else (a socket still connecting, UDP, a pipe, a file, a transport with a `doWrite` of
   its own) takes the ordinary way. A `writeSomeData` of a transport's own, such as that
   of UNIX sockets, is what it sends by.
3. *Fairness.* A turn is one `SEND_LIMIT` (128 KiB). Who has more to send after it, or
   has got more by then from a producer, has the next turn after the next poll, which
   does not wait then.
4. *A turn that fails* may come before data is read that the other end sent before it
   left. So epoll is asked, and what can be read is read before the connection is lost,
   as ever.
5. *Log lines* carry the `system` of whose event it is, in a context made for the event.
   Where nobody else's code is called, which is so for most turns, there is none.
6. *Threads* must not use a transport, says Twisted, and many programs do: on its epoll
   reactor it works. So whoever asks for a turn while the reactor polls wakes it, also
   from a signal handler. The order of two steps keeps each such call from being missed:
   it is queued before `_polling` is read, and `_polling` is set before the queue is
   read. Data is appended before that, so that who is about to be told "all is sent" is
   looked at once more after it. Nothing is sent in another thread than the reactor's;
   but epoll is told there who reads no more, so a lock keeps what is told and what is
   noted of it together.
"""

from __future__ import annotations

import errno
import functools
import threading
from collections.abc import Callable
from typing import Any, cast

from twisted.internet import error, main, tcp
from twisted.python import context, log

from nbtwisted.reactor import installing, timers
from nbtwisted.reactor.sending import way_of

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
# FileDescriptor: _tempDataBuffer, _tempDataLen, _writeDisconnecting,
#     _writeDisconnected, _postLoseConnection, _closeWriteConnection

# Looked up here, because they are needed for each event.
_Connection, _LOG_CONTEXT = tcp.Connection, log.ILogContext
_GONE = EPOLLHUP | EPOLLERR
_NO_ROOM = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}

_ALL, _FULL, _ENOUGH = "all is sent", "the socket takes no more", "its share is used up"
"""How a turn to send has ended, if it has not failed."""

_RESET = error.ConnectionLost("reset by the other end")
"""Why a turn has failed: what is read after it would look like an orderly end."""


@functools.lru_cache
def _known_as_epoll(kind: Any) -> type[Any]:
    """A class like `kind` by the name of Twisted's, whose full name tells both."""
    if kind.__name__ == EPollReactor.__name__:
        return cast(type[Any], kind)
    where = f"{kind.__module__}.{kind.__qualname__}"
    return type(EPollReactor.__name__, (kind,), {"__module__": where})


class _KnownAsEpoll:
    """Goes by the name of Twisted's epoll reactor where an object is asked its class.

    Autobahn asks for that name, and Twisted's own tests do, which also set it.
    `type()` is not asked.
    """

    @property
    def __class__(self) -> Any:
        kind: Any = type(self)
        return _known_as_epoll(kind)

    @__class__.setter
    def __class__(self, kind: type[Any]) -> None:
        object.__dict__["__class__"].__set__(self, kind)


class EagerEPollReactor(_KnownAsEpoll, EPollReactor):
    """Twisted's epoll reactor, but for when it sends."""

    def __init__(self) -> None:
        # In the order in which they asked for a turn.
        self._waiting_to_send: dict[Any, None] = {}
        # Those whose turn has failed, with the reason.
        self._failed: dict[Any, BaseException] = {}
        # Whether somebody who asks for something now must wake the reactor.
        self._polling = False
        # Those for whom another thread is about to do so.
        self._arriving: list[Any] = []
        # Held while epoll is told something and that is noted. A signal handler may
        # come in between, in the same thread.
        self._epoll_lock = threading.RLock()
        super().__init__()

    def addReader(self, reader: Any) -> None:
        """Tell a descriptor when there is something to read."""
        with self._epoll_lock:
            # To a connection that is lost, only a thread comes that does not know yet.
            # Another may have its number by now.
            if not (isinstance(reader, _Connection) and reader.disconnected):
                super().addReader(reader)

    def removeReader(self, reader: Any) -> None:
        """Tell a descriptor no more that there is something to read."""
        with self._epoll_lock:
            super().removeReader(reader)

    def addWriter(self, writer: Any) -> None:
        """Give a descriptor a turn to write."""
        # Who waits for a connection, and whoever is none, takes the ordinary way.
        if not (isinstance(writer, _Connection) and writer.connected):
            self._ask_epoll(writer)
        # Unless epoll has been asked already.
        elif not self._writes or writer.fileno() not in self._writes:
            self._waiting_to_send[writer] = None
            if self._polling:
                self._wake_for(writer)

    def removeWriter(self, writer: Any) -> None:
        """Give a descriptor no more turns to write."""
        self._waiting_to_send.pop(writer, None)
        self._failed.pop(writer, None)
        with self._epoll_lock:
            super().removeWriter(writer)

    def getWriters(self) -> list[Any]:
        """All who wait for a turn to write, in either way."""
        return [*super().getWriters(), *self._waiting_to_send]

    def removeAll(self) -> list[Any]:
        """Forget everybody; returns who was there, but for the reactor's own."""
        waiting = list(self._waiting_to_send)
        self._waiting_to_send.clear()
        self._failed.clear()
        with self._epoll_lock:
            removed: list[Any] = super().removeAll()
        return removed + [writer for writer in waiting if writer not in removed]

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
            timeout = self._send_all(timeout)
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
        outer = context.get(_LOG_CONTEXT)
        selectables = self._selectables
        contexts.append({})
        try:
            for fd, event in events:
                selectable = selectables.get(fd)
                if selectable is None:
                    continue
                if not isinstance(selectable, _Connection):
                    log.callWithLogger(
                        selectable, self._doReadOrWrite, selectable, fd, event
                    )
                    continue
                # The same, at a third of its price.
                contexts[-1] = _log_context(selectable, outer)
                try:
                    self._read_or_write(selectable, fd, event)
                except KeyboardInterrupt:
                    raise
                except BaseException:
                    log.err()
        finally:
            contexts.pop()

    doIteration = doPoll

    def _ask_epoll(self, writer: Any) -> None:
        """Have a descriptor write when epoll says that there is room."""
        with self._epoll_lock:
            # As in addReader().
            if not (isinstance(writer, _Connection) and writer.disconnected):
                super().addWriter(writer)

    def _wake_for(self, writer: Any) -> None:
        """End the poll, in another thread than the reactor's or in a signal handler."""
        self._arriving.append(writer)
        try:
            self.wakeUp()
        finally:
            # While that wrote to a pipe, the reactor may have given the turn already:
            # too early for `loseConnection`, which asks for a turn and says only then
            # what for. So there is another, and until here the reactor did not wait.
            self._waiting_to_send[writer] = None
            self._arriving.pop()

    def _send_all(self, timeout: float | None) -> float | None:
        """Give all who wait a turn; returns how long the poll may still wait."""
        waiting = self._waiting_to_send
        somebody_was_called = False
        for writer in list(waiting):
            # Unless one before it has seen to it that there is nothing to send.
            if waiting.pop(writer, self) is self:
                continue
            try:
                somebody_was_called |= self._take_turn(writer)
            except BaseException as why:
                log.callWithLogger(writer, log.err)
                self._fail(writer, why)
                somebody_was_called = True
        # Who was called may have stopped the reactor, or set a timer.
        if somebody_was_called or waiting:
            return 0
        if timeout:
            # It has taken some of the time until the next timer.
            until_timer = self.timeout()
            if until_timer is not None:
                return min(timeout, until_timer)
        return timeout

    def _take_turn(self, writer: Any) -> bool:
        """Let one send before the poll; returns whether anybody was called for it.

        Raises what those raise.
        """
        # A thread may have asked for one that was lost meanwhile.
        if not writer.connected:
            return False
        way = way_of(writer)
        if way == "by doWrite" or writer in self._failed:
            self._ask_epoll(writer)
            return False
        if way == "by writeSomeData":
            self._let(writer, writer.__class__.doWrite)
            has_more = writer.dataBuffer or writer._tempDataBuffer
            if has_more and writer.connected and writer not in self._waiting_to_send:
                self._ask_epoll(writer)
            return True
        sent = _send(writer)
        if sent is _ALL:
            # A push producer that was not paused is asked for nothing.
            if (
                writer.disconnecting
                or writer._writeDisconnecting
                or (
                    writer.producer is not None
                    and (writer.producerPaused or not writer.streamingProducer)
                )
            ):
                self._let(writer, _go_on)
                return True
            return False
        if sent is _ENOUGH:
            self._waiting_to_send[writer] = None
        elif sent is _FULL:
            self._ask_epoll(writer)
        else:
            self._fail(writer, sent)
        return False

    def _let(self, writer: Any, write: Callable[[Any], Any]) -> None:
        """Call what may call anybody's code, and returns why a connection is over."""
        contexts = context.theContextTracker.currentContext().contexts
        contexts.append(_log_context(writer, context.get(_LOG_CONTEXT)))
        try:
            why = write(writer)
            if why is main.CONNECTION_DONE and writer.disconnecting:
                # As it was asked to; it reads no more.
                self._disconnectSelectable(writer, why, False)
            elif why:
                self._fail(writer, why)
        finally:
            contexts.pop()

    def _fail(self, writer: Any, why: Any) -> None:
        """Lose a connection whose turn has failed, when what came before is read."""
        if not writer.connected:
            return
        self._failed[writer] = why
        try:
            self._ask_epoll(writer)
        except (OSError, ValueError):
            # Its descriptor was closed behind our back.
            log.callWithLogger(writer, self._disconnectSelectable, writer, why, False)

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
            if self._failed.get(selectable) is _RESET:
                why = main.CONNECTION_LOST
            self._disconnectSelectable(selectable, why, is_read)

    def _write(self, writer: Any) -> Any:
        """What `doWrite` does and returns, where epoll says that there is room."""
        if writer in self._failed:
            return self._failed[writer]
        way = way_of(writer)
        if way == "by doWrite":
            return writer.doWrite()
        if way == "by writeSomeData":
            why = writer.doWrite()
        else:
            why = _send(writer)
            if why is _FULL or why is _ENOUGH:
                return None
            if why is _ALL:
                writer.stopWriting()
                why = _go_on(writer)
        # A thread may have written while epoll was told that all is sent.
        if not why and writer._tempDataBuffer:
            writer.startWriting()
        return why


def _send(writer: Any) -> Any:
    """Send what there is, up to a turn's share.

    Returns `_ALL`, `_FULL`, `_ENOUGH`, or why the connection is broken.

    In place of `FileDescriptor.doWrite`'s way, which copies what is left each time that
    the socket has not taken all of it (twisted#12742).
    """
    buffer, offset = writer.dataBuffer, writer.offset
    parts = writer._tempDataBuffer
    share = writer.SEND_LIMIT
    while True:
        if not buffer:
            # A thread may add to them meanwhile.
            if len(parts) == 1 and parts[0].__class__ is bytes:
                buffer = parts.pop(0)
            else:
                taken = parts[:]
                if not taken:
                    return _ALL
                buffer = b"".join(taken)
                del parts[: len(taken)]
            writer._tempDataLen = offset = 0
        size = len(buffer)
        wanted = min(size - offset, share)
        piece = buffer if wanted == size else memoryview(buffer)[offset:][:wanted]
        try:
            sent = writer.socket.send(piece)
        except BaseException as failure:
            writer.dataBuffer, writer.offset = buffer, offset
            if not isinstance(failure, OSError):
                raise
            if failure.errno not in _NO_ROOM:
                is_reset = failure.errno == errno.ECONNRESET
                return _RESET if is_reset else main.CONNECTION_LOST
            sent = 0
        offset += sent
        share -= sent
        if offset == size:
            buffer, offset = b"", 0
        writer.dataBuffer, writer.offset = buffer, offset
        if not buffer and not parts:
            return _ALL
        if sent < wanted:
            return _FULL
        if not share:
            return _ENOUGH


def _go_on(writer: Any) -> Any:
    """What follows when all is sent; returns why the connection is over, if it is.

    This is the end of `FileDescriptor.doWrite`.
    """
    if writer.producer is not None and (
        not writer.streamingProducer or writer.producerPaused
    ):
        writer.producerPaused = False
        writer.producer.resumeProducing()
    elif writer.disconnecting:
        return writer._postLoseConnection()
    elif writer._writeDisconnecting:
        writer._writeDisconnected = True
        return writer._closeWriteConnection()
    return None


def _log_context(owner: Any, outer: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    """The context of log lines in an event of `owner`, as `log.callWithLogger` has it.

    It is the event's own: threads take it with them.
    """
    try:
        system = owner.logPrefix()
    except KeyboardInterrupt:
        raise
    except BaseException:
        system = "(buggy logPrefix method)"
        log.err(system=system)
    # Half the price of {**outer, "system": system}.
    inner = outer.copy()
    inner["system"] = system
    return {_LOG_CONTEXT: inner}


def install() -> None:
    """Make this the reactor, with the clock that the environment names (see `timers`).

    Raises `twisted.internet.error.ReactorAlreadyInstalledError` if there is another,
    and `ValueError` for what is no clock.
    """
    installing.install(EagerEPollReactor, _make)


def _make() -> EagerEPollReactor:
    reactor = EagerEPollReactor()
    timers.follow_environment(reactor)
    return reactor
