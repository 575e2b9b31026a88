"""Answers `nbtwisted ps` from within the program that it asks about.

Theory of operation. `prepare` installs a handler for a real-time signal that nobody
uses, and leaves a marker that other processes of the same user can read without
sending anything: a mapped memfd, whose name is in `/proc/PID/maps`. `nbtwisted ps`
listens at an abstract UNIX socket with the PID in its name, and sends the signal.

1. *The handler forks*, and the program goes on. Its copy has all of its objects, frozen
   at that moment, and takes as long as it needs to look at them: `snapshot.take`.
2. *Nothing is done for nobody.* Before the fork, the handler connects to that socket.
   If nobody listens, or somebody of another user (root aside), that was all.
3. *The copy leaves nothing behind.* It is forked twice, so that the program has no new
   child. It closes every file of the program's at once: a connection that the program
   closes meanwhile is closed. Its signals are the kernel's own, an alarm bounds its
   life, no finalizer runs in it, and it ends without Python's ending.
4. *The program never waits for anybody.* What is sent from it is sent without blocking.
   Where a lock that a fork takes is held, by the very call that the signal came into,
   the handler answers `AGAIN`, and is asked again.
5. *Other threads* have no frames in a fork, so their stacks are taken before it.

Packets: one letter, and what belongs to it. See `Packet`.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import mmap
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from enum import Enum
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from nbtwisted.reactor.detached import leave_the_program_alone

if TYPE_CHECKING:
    from twisted.internet.base import ReactorBase as _Base
else:
    _Base = object

__all__ = [
    "MARKER",
    "REMOTE",
    "Answers",
    "Packet",
    "address_of",
    "answer",
    "is_copying",
    "prepare",
    "user_of",
]

MARKER = "nbtwisted-inspect-1-"
"""Begins the name of the marker; the number of the signal follows."""

REMOTE = "<nbtwisted ps>"
"""The name of the script that calls `answer` in a program that was not prepared."""

FIRST_SIGNAL = 21
"""The first that is tried, counted from SIGRTMIN: systemd has these for itself alone up
to 29, and nothing else is known to use them; glibc has those before SIGRTMIN."""

PACKET = 32 * 1024
"""Bytes of a piece of the answer; a socket takes some six of them unread."""

DEEPEST_STACK = 100
"""Frames of the main thread, the innermost, that are told."""


class Packet(Enum):
    """The first letter of what is sent to `nbtwisted ps`."""

    PIECE = b"p"
    """A piece of the snapshot, which is JSON."""

    COMPLETE = b"c"
    """That was the last piece."""

    STOPPED = b"s"
    """For how many seconds the program stood still, in decimal; from the program."""

    AGAIN = b"a"
    """Ask again: the program is in the middle of what a fork must not come into."""

    FAILED = b"f"
    """Why there is no snapshot."""


def address_of(pid: int) -> str:
    """Where who asks the process of this PID listens; PID as that process has it."""
    return f"\0nbtwisted-ps-{pid}"


_number: int | None = None
_marker: mmap.mmap | None = None
_is_copying = False


def prepare() -> int | None:
    """Make this process one that `nbtwisted ps` can ask; returns the signal's number.

    Returns None where that cannot be: not on Linux, not in the main thread, when every
    signal is in use, or where the system gives no room for a page.
    """
    global _number, _marker
    if not hasattr(os, "memfd_create"):
        return None
    if threading.current_thread() is not threading.main_thread():
        return None
    if _number is not None and signal.getsignal(_number) is _handle:
        return _number
    number = _free_signal()
    if number is None:
        return None
    try:
        marker = _marked(f"{MARKER}{number}")
    except OSError:
        # As where the size of files is limited, or their number.
        return None
    signal.signal(number, _handle)
    if _marker is not None:
        # Somebody has taken the signal that it names.
        _marker.close()
    _number, _marker = number, marker
    return number


class Answers(_Base):
    """Put before a reactor: prepares the process where that one starts to run.

    Not where the program wants no handlers of signals.
    """

    def _reallyStartRunning(self) -> None:
        super()._reallyStartRunning()
        if self._installSignalHandlers:
            prepare()


def answer() -> None:
    """Answer who asks this process, if somebody does."""
    began = time.perf_counter()
    try:
        link = _link()
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            return
        # The copy closes all of its files before it tries again.
        link = None
    try:
        _answer_by(link)
    finally:
        if link is not None:
            _say(link, Packet.STOPPED, f"{time.perf_counter() - began:.6f}")
            link.close()


def _answer_by(link: socket.socket | None) -> None:
    if _must_not_fork():
        _say(link, Packet.AGAIN, "it starts a job of a pool")
        return
    threads: Any = []
    try:
        from nbtwisted.reactor.seen_threads import see_threads

        threads = see_threads()
    except ModuleNotFoundError as error:
        _say(link, Packet.FAILED, f"it has no module {error.name}")
        return
    except ImportError as error:
        # The signal has come in the midst of the same import.
        _say(link, Packet.AGAIN, f"it imports: {error}")
        return
    except OSError:
        # There is no file left to import from.
        pass
    stack = _stack(_frame_of_reactor())
    with _undisturbed():
        try:
            child = _fork()
        except OSError as error:
            _say(link, Packet.FAILED, f"it cannot fork: {error.strerror}")
            return
        if child == 0:
            _be_the_copy(link, threads, stack)
        # It has been waited for if a handler of the program's waits for any.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _handle(number: int, frame: FrameType | None) -> None:
    # What it raised would be raised in the midst of the program.
    with contextlib.suppress(Exception):
        answer()


def _free_signal() -> int | None:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    for number in range(signal.SIGRTMIN + FIRST_SIGNAL, signal.SIGRTMAX + 1):
        if signal.getsignal(number) is signal.SIG_DFL and number not in blocked:
            return number
    return None


def _marked(name: str) -> mmap.mmap:
    """Show a name in this process' maps, for as long as what is returned is there.

    Raises `OSError` where there is no room for a page.
    """
    descriptor = os.memfd_create(name)
    try:
        os.ftruncate(descriptor, mmap.PAGESIZE)
        untracked: dict[str, Any] = {}
        if sys.version_info >= (3, 13):
            # Before, a mapping keeps a descriptor of its own open.
            untracked["trackfd"] = False
        return mmap.mmap(descriptor, mmap.PAGESIZE, prot=mmap.PROT_READ, **untracked)
    finally:
        os.close(descriptor)


def _link(program: int | None = None) -> socket.socket:
    """Connect to who asks this process, or a copy of the one with that PID.

    Raises `OSError` if that is nobody, or another user.
    """
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        link.setblocking(False)
        link.connect(address_of(program or os.getpid()))
        if user_of(link) not in (0, os.geteuid(), os.getuid()):
            raise PermissionError
    except OSError:
        link.close()
        raise
    return link


def user_of(link: socket.socket) -> int:
    """The user whose process is at the other end: its number."""
    credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder)


def _say(link: socket.socket | None, packet: Packet, text: str = "") -> None:
    """Send a packet, unless it would have to wait."""
    if link is not None:
        with contextlib.suppress(OSError):
            data = packet.value + text.encode(errors="replace")
            link.send(data[:PACKET], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _must_not_fork() -> bool:
    """Whether the signal came while this thread may hold what a fork takes.

    That is one lock of the standard library, which a thread cannot take twice. (Those
    of logging and of imports it can.)
    """
    pools = sys.modules.get("concurrent.futures.thread")
    lock = getattr(pools, "_global_shutdown_lock", None)
    return lock is not None and lock.locked()


def _frame_of_reactor() -> FrameType:
    """The innermost frame of the thread that runs the reactor, if it is another."""
    threadable = sys.modules.get("twisted.python.threadable")
    ident: Any = getattr(threadable, "ioThread", None)
    return sys._current_frames().get(ident) or sys._getframe()


def _stack(frame: FrameType | None) -> list[tuple[str, int, str]]:
    """A thread's stack: file, line, function; innermost first.

    What answers has no part in it.
    """
    stack: list[tuple[str, int, str]] = []
    while frame is not None and len(stack) < DEEPEST_STACK:
        code = frame.f_code
        if code.co_filename == REMOTE:
            # And what runs it.
            frame = frame.f_back
            stack.clear()
        elif frame.f_globals is not globals():
            name = getattr(code, "co_qualname", code.co_name)
            stack.append((code.co_filename, frame.f_lineno or 0, name))
        frame = frame and frame.f_back
    return stack


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Have no signal come and no garbage be collected, in this process and in forks."""
    collects = gc.isenabled()
    gc.disable()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        if collects:
            gc.enable()
        # The last, because what has come meanwhile may raise.
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def is_copying() -> bool:
    """Whether a fork that is under way is one of this module's."""
    return _is_copying


def _fork() -> int:
    global _is_copying
    _is_copying = True
    try:
        with warnings.catch_warnings():
            # Of deadlocks between threads (Python 3.12): see rules 3 and 4.
            warnings.simplefilter("ignore", DeprecationWarning)
            return os.fork()
    finally:
        _is_copying = False


def _be_the_copy(link: socket.socket | None, threads: Any, stack: Any) -> NoReturn:
    """Take the snapshot and send it; in a child, which ends here."""
    try:
        program = os.getppid()
        if _fork() == 0:
            leave_the_program_alone(-1 if link is None else link.fileno())
            link = link or _link(program)
            link.setblocking(True)
            for data in _snapshot(program, threads, stack):
                link.send(data, socket.MSG_NOSIGNAL)
    finally:
        os._exit(0)


def _snapshot(program: int, threads: Any, stack: Any) -> Iterator[bytes]:
    """The packets of a snapshot."""
    try:
        # Here, because it takes longer than all that the program waits for. Should a
        # thread have been in the midst of it, it takes for ever, which an alarm ends.
        from json import dumps

        from nbtwisted.reactor.snapshot import take

        found = {**take(threads, throwaway=True), "pid": program, "stack": stack}
        text = dumps(found, default=_class_name).encode()
    except ModuleNotFoundError as error:
        yield Packet.FAILED.value + f"it has no module {error.name}".encode()[:PACKET]
        return
    except ImportError as error:
        # Its module's name: the program may have been in the midst of it.
        yield Packet.AGAIN.value + f"it imports {error.name}".encode()[:PACKET]
        return
    except Exception as error:
        # Its text is made by code of the program's.
        yield Packet.FAILED.value + _class_name(error).encode()
        return
    for start in range(0, len(text), PACKET):
        yield Packet.PIECE.value + text[start : start + PACKET]
    yield Packet.COMPLETE.value


def _class_name(thing: object) -> str:
    return type.__dict__["__name__"].__get__(type(thing))  # type: ignore[no-any-return]
