"""An epoll reactor that sends what was written in the turn in which it was written.

Theory of operation. `transport.write` keeps the data and asks the reactor, by
`addWriter`, to be told when the socket can take it. Twisted's reactor then asks epoll,
polls, learns that it can, sends, and tells epoll that it need not know any longer: two
system calls and a poll for each small answer, though a socket that was not full can
always take more (twisted#5303). Here the descriptor is remembered, and everybody who is
remembered has a turn to send just before the next poll. Only what the socket would not
take is asked of epoll.

1. *Nothing is sent inside `write`.* No protocol is called from within its own call.
2. *Who has a turn.* Connected stream sockets as Twisted makes them: TCP, UNIX, and TLS
   over these. Everything else (a socket still connecting, UDP, a pipe, a file, a class
   that overrides what a turn consists of) takes the ordinary way.
3. *Fairness.* A turn is one `SEND_LIMIT` (128 KiB). Who has more to send after it, or
   has got more by then from a producer, has the next turn after the next poll, which
   does not wait then.
4. *A failed send* may come before data is read that the other end sent before it left.
   So it is not believed: epoll is asked, and what can be read is read before the
   connection is lost, as ever.
5. *Log lines* carry the `system` of whose event it is. Twisted copies a dictionary for
   each event; here it is made when a line is logged, which mostly never happens.
"""

from __future__ import annotations

import errno
from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet import abstract, main, tcp
from twisted.python import context, log

from nbtwisted.reactor import timers

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
# EPollReactor: _poller, _selectables, _reads, _writes, _doReadOrWrite,
#     _disconnectSelectable
# FileDescriptor: _tempDataBuffer, _tempDataLen, _writeDisconnecting,
#     _writeDisconnected, _postLoseConnection, _closeWriteConnection

_GONE = EPOLLHUP | EPOLLERR
_NO_ROOM = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}

_ALL, _FULL, _ENOUGH, _FAILED, _RESET = 0, 1, 2, -1, -2
"""How a turn to send has ended: there is no more to send; the socket takes no more; a
turn's share is used up; the connection is broken, by a reset or in another way."""


class EagerEPollReactor(EPollReactor):
    """Twisted's epoll reactor, but for when it sends."""

    def __init__(self) -> None:
        # In the order in which they asked for a turn.
        self._waiting_to_send: dict[Any, None] = {}
        # Those whose last send failed, with what that means for their connection.
        self._broken: WeakKeyDictionary[Any, BaseException] = WeakKeyDictionary()
        # For each class of descriptors, whether it is a stream socket of Twisted's own.
        self._is_stream: dict[type, bool] = {}
        super().__init__()

    def addReader(self, reader: Any) -> None:
        """Tell a descriptor when there is something to read."""
        # Whose events can be handled at the lower price.
        self._knows(reader.__class__)
        super().addReader(reader)

    def addWriter(self, writer: Any) -> None:
        """Give a descriptor a turn to write."""
        if (
            self._knows(writer.__class__)
            and writer.connected
            and writer.fileno() not in self._writes
        ):
            self._waiting_to_send[writer] = None
        else:
            super().addWriter(writer)

    def removeWriter(self, writer: Any) -> None:
        """Give a descriptor no more turns to write."""
        if writer in self._waiting_to_send:
            del self._waiting_to_send[writer]
        else:
            super().removeWriter(writer)

    def getWriters(self) -> list[Any]:
        """All who wait for a turn to write, in either way."""
        return [*super().getWriters(), *self._waiting_to_send]

    def removeAll(self) -> list[Any]:
        """Forget everybody; returns who was there, but for the reactor's own."""
        waiting = list(self._waiting_to_send)
        self._waiting_to_send.clear()
        removed: list[Any] = super().removeAll()
        return removed + [writer for writer in waiting if writer not in removed]

    def doPoll(self, timeout: float | None) -> None:
        """Let those send who have something to send; then wait, and handle events.

        `timeout` is in seconds; None is for ever.
        """
        contexts = context.theContextTracker.currentContext().contexts
        system = _System()
        contexts.append(system)
        try:
            if self._waiting_to_send:
                timeout = self._send_all(system, timeout)
            system.owner = None
            try:
                events = self._poller.poll(
                    -1 if timeout is None else timeout, len(self._selectables)
                )
            except InterruptedError:
                return
            selectables, is_stream = self._selectables, self._is_stream
            for fd, event in events:
                selectable = selectables.get(fd)
                if selectable is None:
                    continue
                if is_stream.get(selectable.__class__):
                    system.owner = selectable
                    try:
                        self._read_or_write(selectable, fd, event)
                    except KeyboardInterrupt:
                        raise
                    except BaseException:
                        log.err()
                else:
                    system.owner = None
                    log.callWithLogger(
                        selectable, self._doReadOrWrite, selectable, fd, event
                    )
        finally:
            contexts.pop()

    doIteration = doPoll

    def _knows(self, kind: type[Any]) -> bool:
        """Whether descriptors of this class are Twisted's stream sockets, unchanged."""
        known = self._is_stream.get(kind)
        if known is None:
            known = self._is_stream[kind] = (
                issubclass(kind, tcp.Connection)
                and kind.doWrite is abstract.FileDescriptor.doWrite
                and kind.logPrefix is tcp.Connection.logPrefix
            )
        return known

    def _send_all(self, system: _System, timeout: float | None) -> float | None:
        """Give all who wait a turn; returns how long the poll may still wait."""
        waiting = self._waiting_to_send
        somebody_was_called = False
        for writer in list(waiting):
            # Unless one before it has seen to it that there is nothing to send.
            if writer not in waiting:
                continue
            del waiting[writer]
            system.owner = writer
            try:
                somebody_was_called |= self._take_turn(writer)
            except KeyboardInterrupt:
                raise
            except BaseException:
                log.err()
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
        """Let one send before the poll; returns whether anybody was called for it."""
        if not _is_plain(writer):
            return self._take_turn_by_itself(writer)
        sent = _send(writer)
        if sent == _ALL:
            if not (
                writer.producer is not None
                or writer.disconnecting
                or writer._writeDisconnecting
            ):
                return False
            try:
                why = _go_on(writer)
            except BaseException as error:
                log.err()
                why = error
            if why:
                self._disconnectSelectable(writer, why, False)
            return True
        if sent == _ENOUGH:
            self._waiting_to_send[writer] = None
            return False
        if sent == _RESET:
            # Who asks the socket next would not learn of that any more.
            self._broken[writer] = main.CONNECTION_LOST
        super().addWriter(writer)
        return False

    def _take_turn_by_itself(self, writer: Any) -> bool:
        """The same by the descriptor's own means."""
        why = writer.doWrite()
        if why is main.CONNECTION_DONE:
            self._disconnectSelectable(writer, why, False)
        elif why or writer.dataBuffer or writer._tempDataBuffer:
            super().addWriter(writer)
        return True

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
            except BaseException as error:
                log.err()
                why = error
        if why:
            if self._broken:
                why = self._broken.pop(selectable, why)
            self._disconnectSelectable(selectable, why, is_read)

    def _write(self, writer: Any) -> Any:
        """What `doWrite` does and returns, where epoll says that there is room."""
        if not _is_plain(writer):
            return writer.doWrite()
        sent = _send(writer)
        if sent in (_FAILED, _RESET):
            return main.CONNECTION_LOST
        if sent != _ALL:
            return None
        writer.stopWriting()
        return _go_on(writer)


def _send(writer: Any) -> int:
    """Send what there is, up to a turn's share; returns one of the outcomes below.

    In place of `FileDescriptor.doWrite`'s way, which copies what is left each time that
    the socket has not taken all of it (twisted#12742).
    """
    buffer, offset = writer.dataBuffer, writer.offset
    parts = writer._tempDataBuffer
    share = writer.SEND_LIMIT
    while True:
        if not buffer:
            if not parts:
                return _ALL
            buffer = parts[0] if len(parts) == 1 else b"".join(parts)
            offset = 0
            parts.clear()
            writer._tempDataLen = 0
        size = len(buffer)
        wanted = min(size - offset, share)
        piece = buffer if wanted == size else memoryview(buffer)[offset:][:wanted]
        try:
            sent = writer.socket.send(piece)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                writer.dataBuffer, writer.offset = buffer, offset
                return _RESET if error.errno == errno.ECONNRESET else _FAILED
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


def _is_plain(writer: Any) -> bool:
    """Whether it sends bytes by its socket, and nobody has changed how.

    UNIX sockets may have descriptors to send besides.
    """
    return (
        writer.__class__.writeSomeData is tcp.Connection.writeSomeData
        and "doWrite" not in writer.__dict__
    )


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


class _System:
    """The context of log lines: whose event it is, found out when somebody asks."""

    __slots__ = ("owner",)

    def __init__(self) -> None:
        self.owner: Any = None

    def __getitem__(self, key: object) -> dict[str, Any]:
        """As of a dictionary in Twisted's stack of contexts; raises `KeyError`."""
        owner = self.owner
        if owner is None or key is not log.ILogContext:
            raise KeyError(key)
        # Whoever is further down the stack is asked for the rest.
        self.owner = None
        try:
            outer = context.get(log.ILogContext)
        finally:
            self.owner = owner
        return {**outer, "system": owner.logPrefix()}


def install() -> None:
    """Make this the reactor, with the clock that the environment names (see `timers`).

    Raises `twisted.internet.error.ReactorAlreadyInstalledError` if there is one, and
    `ValueError` for what is no clock.
    """
    reactor = EagerEPollReactor()
    timers.follow_environment(reactor)
    main.installReactor(reactor)
