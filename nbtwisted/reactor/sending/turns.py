"""What a reactor does that sends in the turn in which something was written.

Theory of operation. `transport.write` keeps the data and asks the reactor, by
`addWriter`, to be told when the socket can take it. Twisted's reactors then ask the
kernel, poll, learn that it can, send, and tell the kernel that they need not know any
longer: two system calls and a poll for each small answer, though a socket that was not
full can always take more (twisted#5303). Here the descriptor is remembered, and
everybody who is remembered has a turn to send just before the next poll. Only what the
socket would not take is asked of the poll.

1. *Nothing is sent inside `write`.* No protocol is called from within its own call.
2. *Who has a turn.* Connected stream sockets: TCP, UNIX, and TLS over these. Everything
   else (a socket still connecting, UDP, a pipe, a file, a transport with a `doWrite` of
   its own) takes the ordinary way. A `writeSomeData` of a transport's own, such as that
   of UNIX sockets, is what it sends by.
3. *Fairness.* A turn is one `SEND_LIMIT` (128 KiB). Who has more to send after it, or
   has got more by then from a producer, has the next turn after the next poll, which
   does not wait then.
4. *A turn that fails* may come before data is read that the other end sent before it
   left. So the poll is asked, and what can be read is read before the connection is
   lost, as ever.
5. *Log lines* carry the `system` of whose event it is, in a context made for the event.
   Where nobody else's code is called, which is so for most turns, there is none.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet import error, main, tcp
from twisted.python import context, log

from nbtwisted.reactor.answering import Answers
from nbtwisted.reactor.sending.prompt import way_of

if TYPE_CHECKING:
    from twisted.internet.posixbase import PosixReactorBase as _Base
else:
    _Base = object

__all__ = ["LOG_CONTEXT", "Connection", "SendsAtOnce", "log_context"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
#
# PosixReactorBase: _disconnectSelectable
# FileDescriptor: _tempDataBuffer, _tempDataLen, _writeDisconnecting,
#     _writeDisconnected, _postLoseConnection, _closeWriteConnection

# Looked up here, because they are needed for each event.
Connection, LOG_CONTEXT = tcp.Connection, log.ILogContext
_NO_ROOM = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}

_ALL, _FULL, _ENOUGH = "all is sent", "the socket takes no more", "its share is used up"
"""How a turn to send has ended, if it has not failed."""

_RESET = error.ConnectionLost("reset by the other end")
"""Why a turn has failed: what is read after it would look like an orderly end."""


class SendsAtOnce(Answers, _Base):
    """A reactor whose connections have a turn to send before it polls.

    A reactor has this before Twisted's, and calls `_send_all` before each poll.
    """

    _before_turn: Callable[[Any], None] | None = None
    """Called with each that has a turn to send, if somebody traces them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # In the order in which they asked for a turn.
        self._waiting_to_send: dict[Any, None] = {}
        # Those whose turn has failed, with the reason.
        self._failed: dict[Any, BaseException] = {}
        # Those for whom another thread is about to ask for a turn.
        self._arriving: list[Any] = []
        super().__init__(*args, **kwargs)

    def addWriter(self, writer: Any) -> None:
        """Give a descriptor a turn to write."""
        # Who waits for a connection, and whoever is none, takes the ordinary way.
        if not (isinstance(writer, Connection) and writer.connected):
            self._ask_poll(writer)
        elif not self._has_asked_poll(writer):
            self._waiting_to_send[writer] = None
            self._turn_wanted(writer)

    def removeWriter(self, writer: Any) -> None:
        """Give a descriptor no more turns to write."""
        self._waiting_to_send.pop(writer, None)
        self._failed.pop(writer, None)
        super().removeWriter(writer)

    def getWriters(self) -> list[Any]:
        """All who wait for a turn to write, in either way."""
        return [*super().getWriters(), *self._waiting_to_send]

    def removeAll(self) -> list[Any]:
        """Forget everybody; returns who was there, but for the reactor's own."""
        waiting = list(self._waiting_to_send)
        self._waiting_to_send.clear()
        self._failed.clear()
        removed: list[Any] = super().removeAll()
        return removed + [writer for writer in waiting if writer not in removed]

    # What each kind of reactor does in its own way.

    def _ask_poll(self, writer: Any) -> None:
        """Have a descriptor write when the kernel says that there is room."""
        raise NotImplementedError

    def _has_asked_poll(self, writer: Any) -> bool:
        """Whether that is so already."""
        raise NotImplementedError

    def _turn_wanted(self, writer: Any) -> None:
        """Somebody was added to those who wait: see to it that they have a turn."""
        raise NotImplementedError

    def _send_all(self) -> bool:
        """Give all who wait a turn; returns whether anybody's code was called."""
        waiting = self._waiting_to_send
        somebody_was_called = False
        before = self._before_turn
        for writer in list(waiting):
            # Unless one before it has seen to it that there is nothing to send.
            if waiting.pop(writer, self) is self:
                continue
            if before is not None:
                before(writer)
            try:
                somebody_was_called |= self._take_turn(writer)
            except BaseException as why:
                log.callWithLogger(writer, log.err)
                self._fail(writer, why)
                somebody_was_called = True
        return somebody_was_called

    def _take_turn(self, writer: Any) -> bool:
        """Let one send before the poll; returns whether anybody was called for it.

        Raises what those raise.
        """
        # A thread may have asked for one that was lost meanwhile.
        if not writer.connected:
            return False
        way = way_of(writer)
        if way == "by doWrite" or writer in self._failed:
            self._ask_poll(writer)
            return False
        if way == "by writeSomeData":
            self._let(writer, writer.__class__.doWrite)
            has_more = writer.dataBuffer or writer._tempDataBuffer
            if has_more and writer.connected and writer not in self._waiting_to_send:
                self._ask_poll(writer)
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
            self._ask_poll(writer)
        else:
            self._fail(writer, sent)
        return False

    def _let(self, writer: Any, write: Callable[[Any], Any]) -> None:
        """Call what may call anybody's code, and returns why a connection is over."""
        contexts = context.theContextTracker.currentContext().contexts
        contexts.append(log_context(writer, context.get(LOG_CONTEXT)))
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
            self._ask_poll(writer)
        except (OSError, ValueError, RuntimeError):
            # Its descriptor was closed behind our back; or by an error that uvloop has
            # seen, after which it takes no more of it.
            log.callWithLogger(writer, self._disconnectSelectable, writer, why, False)

    def _write(self, writer: Any) -> Any:
        """What `doWrite` does and returns, where the kernel says that there is room."""
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
        # A thread may have written while the poll was told that all is sent.
        if not why and writer._tempDataBuffer:
            writer.startWriting()
        return why

    def _why(self, connection: Any, why: Any) -> Any:
        """Why a connection is over, whose reading or writing has ended for `why`."""
        return main.CONNECTION_LOST if self._failed.get(connection) is _RESET else why


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


def log_context(owner: Any, outer: dict[str, Any]) -> dict[Any, dict[str, Any]]:
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
    return {LOG_CONTEXT: inner}
