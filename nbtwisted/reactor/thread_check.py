"""Tells of uses of a reactor by a thread that is not the reactor's.

Twisted's objects belong to the thread that runs the reactor. Another thread that sets a
timer or writes to a transport seems to work, and loses a wake-up or corrupts a buffer
on a bad day; no reactor of Twisted's says so (twisted#10612).

What such a thread does ends in a few methods of the reactor: `transport.write` in
`addWriter`, a TLS write and `deferLater` in `callLater`, `call.cancel` in
`_cancelCallLater`. So these few compare the number of their thread with that of the
reactor's, as attributes of the one reactor that is watched: who does not ask for this
pays nothing. What the program has called is read from the stack afterwards.

Not seen: what never comes to the reactor, such as `Deferred.callback`.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from enum import Enum
from functools import partial, wraps
from types import FrameType, MethodType
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.python import threadable

from nbtwisted.printable import printable, printable_ends
from nbtwisted.reactor.naming import class_name
from nbtwisted.reactor.stderr_lines import to_stderr

__all__ = [
    "VARIABLE",
    "OtherThreads",
    "ThreadCheck",
    "WrongThread",
    "as_told",
    "follow_environment",
    "watch",
    "watch_for",
]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# ReactorBase: _started, _cancelCallLater, _moveCallLaterSooner

VARIABLE = "NBTWISTED_THREAD_CHECK"

MOST_PLACES = 1000
"""Places that are told apart; what comes after them is not reported."""

FRAMES = 30
"""Of a stack, the last of which are shown."""

LONGEST = 200
"""Characters of the name of a thread, a file or a function."""

# The ends of all that changes what a reactor knows, but for `callFromThread` and
# `callInThread`, which are for threads.
_ENDS = (
    *("addReader", "addWriter", "removeReader", "removeWriter", "removeAll"),
    *("callLater", "_cancelCallLater", "_moveCallLaterSooner"),
    *("addSystemEventTrigger", "removeSystemEventTrigger", "stop", "crash"),
)
# What leads there, and has opened something or called somebody by then: `strict` raises
# before that. Otherwise they are left alone, and no frame of ours is in a traceback.
_BEGINNINGS = (
    *("callWhenRunning", "iterate", "resolve", "spawnProcess"),
    *("connectTCP", "connectSSL", "connectUNIX", "connectUNIXDatagram"),
    *("listenTCP", "listenSSL", "listenUNIX", "listenUDP", "listenUNIXDatagram"),
    *("listenMulticast", "adoptStreamPort", "adoptStreamConnection"),
    "adoptDatagramPort",
)

_OURS = "nbtwisted.reactor."
# Whose methods are those of Twisted's transports.
_CONNECTIONS = "nbtwisted.reactor.sending.connections"
# What is below the first function of a thread.
_BELOW = (
    *("threading", "concurrent.futures.thread", "twisted._threads."),
    *("twisted.python.threadpool", "twisted.python.context", "twisted.python.log"),
)
_OF_TRANSPORTS = {
    *("write", "writeSequence", "loseConnection", "abortConnection"),
    *("loseWriteConnection", "registerProducer", "unregisterProducer"),
    *("pauseProducing", "resumeProducing", "stopProducing"),
}
"""What people call a method of a transport, whatever the class of that is."""

_NAME = "_nbtwisted_thread_check"

_HERE = f'"{sys._getframe().f_code.co_filename}"'


class OtherThreads(Enum):
    """What is done where another thread uses a reactor, by the values of `VARIABLE`."""

    UNSEEN = "0"
    REPORTED = "1"
    REFUSED = "strict"


class WrongThread(RuntimeError):
    """A thread other than the reactor's used what is the reactor's alone.

    Give it to the reactor: `reactor.callFromThread(function, …)`.
    """


class ThreadCheck:
    """Watches one reactor, from `watch` until `stop`.

    thread  the number of the thread that runs the reactor; None before it runs
    """

    def __init__(
        self, reactor: Any, strict: bool, report: Callable[[str], None]
    ) -> None:
        if not isinstance(reactor, ReactorBase):
            raise TypeError(
                f"{type(reactor).__name__}: expected a reactor of Twisted's"
            )
        self.thread: int | None = None
        if reactor._started:
            self.thread = threadable.ioThread or threading.get_ident()
        self._reactor = reactor
        self._strict = strict
        self._report = report
        self._reported: dict[tuple[object, ...], object] = {}
        self._is_over = False
        watched = _ENDS + _BEGINNINGS if strict else _ENDS
        self._put = {name: _watched(self, name) for name in watched}
        self._put["startRunning"] = self._noting(_method(reactor, "startRunning"))
        for name, function in self._put.items():
            if function is not None:
                setattr(reactor, name, function)
        setattr(reactor, _NAME, self)

    def stop(self) -> None:
        """Watch no more."""
        self._is_over = True
        for name, function in self._put.items():
            # Unless somebody has put another into its place.
            if self._reactor.__dict__.get(name) is function is not None:
                delattr(self._reactor, name)
        if self._reactor.__dict__.get(_NAME) is self:
            delattr(self._reactor, _NAME)

    def other_thread(self, name: str) -> None:
        """A method of the reactor is called in another thread than `thread`.

        Raises `WrongThread` if this is strict.
        """
        # Until it runs, and when it has run, it is nobody's.
        if self.thread is None or self._is_over or not self._reactor._started:
            return
        used, place = _use(sys._getframe(2), name)
        caller = printable(threading.current_thread().name, longest=LONGEST)
        where = f" at {place[0]}:{place[1]}" if place else ", as all that it was given"
        said = (
            f"{used} was called in the thread '{caller}'{where}; only the reactor's "
            "thread may do that: use reactor.callFromThread"
        )
        self._report_once(place or (used,), said)
        if self._strict:
            raise WrongThread(said)

    def _report_once(self, place: tuple[object, ...], said: str) -> None:
        # In one step: two threads may be here.
        mark = object()
        if len(self._reported) >= MOST_PLACES:
            return
        if self._reported.setdefault(place, mark) is not mark:
            return
        reactors = sys._current_frames().get(self.thread or 0)
        lines = ["  (it is gone)"] if reactors is None else _stack(reactors)
        lines = [
            *(said, "the thread:", *_stack(sys._getframe(3))),
            *("the reactor's thread, meanwhile:", *lines),
        ]
        self._report("\n".join(lines))

    def _noting(self, start: Callable[..., Any]) -> Callable[..., Any]:
        """`startRunning`, which also notes the thread that does so."""

        @wraps(start)
        def startRunning(*args: Any, **kwargs: Any) -> Any:
            # Where it runs already, it says that it cannot.
            if not self._reactor._started:
                self.thread = threading.get_ident()
            return start(*args, **kwargs)

        return startRunning


def watch(
    reactor: Any,
    *,
    strict: bool = False,
    report: Callable[[str], None] | None = None,
) -> ThreadCheck:
    """Report uses of `reactor` by other threads than its own, once for each place.

    A report has both stacks, and goes to `report` in the thread that it is about: some
    lines in one string, by default to stderr. With `strict`, that thread gets a
    `WrongThread`, each time, before the reactor has changed; what a transport was given
    to write may have been kept by then.

    A place is a line of the program: the last one that is neither Twisted's nor ours. A
    reactor that is watched already is watched anew.

    Raises `TypeError` for what is no reactor of Twisted's, such as a `task.Clock`.
    """
    before = getattr(reactor, _NAME, None)
    if isinstance(before, ThreadCheck):
        before.stop()
    return ThreadCheck(reactor, strict, report or partial(to_stderr, os.getpid()))


def watch_for(
    reactor: Any, use: OtherThreads, report: Callable[[str], None] | None = None
) -> None:
    """Watch a reactor, as `watch` does, or not at all."""
    if use is not OtherThreads.UNSEEN:
        watch(reactor, strict=use is OtherThreads.REFUSED, report=report)


def as_told(otherwise: OtherThreads) -> OtherThreads:
    """What the environment has to say.

    Raises `ValueError` for a value that is none.
    """
    value = os.environ.get(VARIABLE)
    try:
        return OtherThreads(value) if value else otherwise
    except ValueError:
        raise ValueError(f"{VARIABLE}={value!r}: expected 1, strict or 0") from None


def follow_environment(reactor: Any) -> None:
    """Watch a reactor if the environment asks for it, and nobody has.

    Raises `ValueError` as `as_told` does.
    """
    use = as_told(OtherThreads.UNSEEN)
    if _NAME not in reactor.__dict__:
        watch_for(reactor, use)


def _method(reactor: Any, name: str) -> Callable[..., Any]:
    """A method that is looked up for each call: its class may come to be traced."""
    if name in reactor.__dict__:
        own: Callable[..., Any] = reactor.__dict__[name]
        return own

    @wraps(getattr(type(reactor), name))
    def of_its_class(*args: Any, **kwargs: Any) -> Any:
        return getattr(type(reactor), name)(reactor, *args, **kwargs)

    return of_its_class


def _watched(check: ThreadCheck, name: str) -> Callable[..., Any] | None:
    """A method of the reactor that looks at its thread first; None if it has none."""
    reactor = check._reactor
    method = getattr(reactor, name, None)
    if method is None:
        return None
    later = _method(reactor, name)
    # Each write and each timer comes by one of the first three, which are therefore
    # spelt out, by the names that Twisted has for the arguments.
    get_ident = threading.get_ident

    def add_reader(_: object, reader: Any) -> None:
        if get_ident() != check.thread:
            check.other_thread(name)
        method(reader)

    def add_writer(_: object, writer: Any) -> None:
        if get_ident() != check.thread:
            check.other_thread(name)
        method(writer)

    def call_later(
        _: object,
        delay: float,
        callable: Callable[..., Any],
        *args: object,
        **kw: object,
    ) -> Any:
        if get_ident() != check.thread:
            check.other_thread(name)
        call = method(delay, callable, *args, **kw)
        if call.debug:
            # It shows who has asked for it, which is not this function.
            call.creator[:] = [line for line in call.creator if _HERE not in line]
        return call

    def any_other(_: object, *args: Any, **kwargs: Any) -> Any:
        if get_ident() != check.thread:
            check.other_thread(name)
        return later(*args, **kwargs)

    by_name: dict[str, Callable[..., Any]] = {
        "addReader": add_reader,
        "addWriter": add_writer,
        "callLater": call_later,
    }
    function = wraps(getattr(method, "__func__", method))(by_name.get(name, any_other))
    # A method, too: `callLater(1, reactor.stop)` goes by its name.
    return MethodType(function, reactor)


def _use(frame: FrameType | None, method: str) -> tuple[str, tuple[str, int] | None]:
    """What a program has called, and at which line of which file.

    Without a line where Twisted itself has called it, as first thing in a thread.
    """
    entered: FrameType | None = None
    while frame is not None and not _is_in(frame, *_BELOW):
        if _is_in(frame, "twisted.", _CONNECTIONS):
            entered = frame
        elif not _is_in(frame, _OURS):
            file = printable_ends(frame.f_code.co_filename, longest=LONGEST)
            return _called(entered, method), (file, frame.f_lineno)
        frame = frame.f_back
    return _called(entered, method), None


def _called(frame: FrameType | None, method: str) -> str:
    """The name of what is called in a frame of Twisted's, or else of the reactor."""
    if frame is None:
        return f"reactor.{method}"
    code = frame.f_code
    name = code.co_name
    first = code.co_varnames[:1]
    if first != ("self",) or not code.co_argcount:
        return f"{frame.f_globals.get('__name__')}.{name}"
    kind = type(frame.f_locals.get("self"))
    named = class_name(kind)
    if name in _OF_TRANSPORTS and _is_transport(kind):
        return f"transport.{name}"
    if name == "loseConnection" and named.endswith("Port"):
        # Its other name.
        name = "stopListening"
    return f"reactor.{name}" if named.endswith("Reactor") else f"{named}.{name}"


def _is_transport(kind: type) -> bool:
    bases = {class_name(base) for base in type.__dict__["__mro__"].__get__(kind)}
    return bool(bases & {"FileDescriptor", "ProtocolWrapper"}) and "Port" not in bases


def _is_in(frame: FrameType, *modules: str) -> bool:
    """Whether code of one of these modules runs there, or of a package: `twisted.`."""
    module = frame.f_globals.get("__name__")
    # Plugins of programs are in a package of Twisted's.
    if type(module) is not str or module.startswith("twisted.plugins."):
        return False
    return any(
        f"{module}.".startswith(each) if each[-1] == "." else module == each
        for each in modules
    )


def _stack(frame: FrameType | None) -> list[str]:
    """The lines of a stack, without what is below a thread's first function, and us."""
    frames = [
        (each, line)
        for each, line in traceback.walk_stack(frame)
        if not _is_in(each, _OURS)
    ]
    while len(frames) > 1 and _is_in(frames[-1][0], *_BELOW):
        frames.pop()
    summary = traceback.StackSummary.extract(iter(frames[:FRAMES][::-1]))
    return "".join(summary.format()).rstrip("\n").split("\n")
