"""Notes of each Deferred who made it, and when: for `ps` to tell.

Twisted's own `Deferred.debug` formats the whole stack, which takes a hundred times as
long. This keeps a code object and a position in it, and finds the line when asked.
"""

from __future__ import annotations

import functools
import re
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from os.path import dirname, join
from sys import _getframe
from time import monotonic
from types import CodeType, FrameType
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import DebugInfo, Deferred

import twisted

__all__ = ["Made", "made", "note_makers"]

_NOTE = "_nbtwisted_made"
_DEEPEST = 16
"""Frames that are passed by; what is made deeper is Twisted's own."""

_TWISTED = join(dirname(twisted.__file__), "")
_DEFER = defer.__file__
_LIBRARY = join(sysconfig.get_paths()["stdlib"], "")
_LOOPS = {
    (join(_TWISTED, "internet", "base.py"), "mainLoop"),
    (join(_TWISTED, "internet", "base.py"), "runUntilCurrent"),
    # Of asyncio's loops, and of uvloop's, which is written in C.
    (join(_LIBRARY, "asyncio", "events.py"), "_run"),
    (join(_TWISTED, "internet", "asyncioreactor.py"), "run"),
}
"""Who has called these has not made what is made in them."""

_LOOP_NAMES = {name for _, name in _LOOPS}

_ENTRY = re.compile(r' *File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)')
_first_init: Any = Deferred.__init__


@dataclass(frozen=True)
class Made:
    """Where a Deferred was made, and when, by `time.monotonic` (None if unknown)."""

    file: str
    line: int | None
    function: str
    at: float | None


def note_makers() -> None:
    """From now on, note of each new Deferred who makes it. Again is no different."""
    if Deferred.__init__ is _first_init:
        Deferred.__init__ = _fitting_init()  # type: ignore[method-assign]


def made(fields: dict[str, Any]) -> Made | None:
    """What was noted of a Deferred, whose `__dict__` this is."""
    note = fields.get(_NOTE)
    if type(note) is tuple:
        code, position, at = note
        return Made(code.co_filename, _line(code, position), code.co_name, at)
    return _from_debug(fields.get("_debugInfo"))


class _Outside(dict[str, bool]):
    """Whether code of a file is neither Twisted's nor of Python's library."""

    def __missing__(self, file: str) -> bool:
        # An __init__ that attrs has written is nobody's.
        outside = not file.startswith((_TWISTED, "<attrs generated ")) and (
            not file.startswith(_LIBRARY) or "-packages" in file
        )
        self[file] = outside
        return outside


_outside = _Outside()


def _init(self: Any, canceller: Callable[[Deferred[Any]], None] | None = None) -> None:
    _first_init(self, canceller)
    if self.debug:
        # It keeps the stack without its own frame, which is now not the last.
        self._debugInfo.creator = self._debugInfo.creator[:-1]
    frame = _getframe(1)
    code = frame.f_code
    if not _outside[code.co_filename]:
        frame = _maker(frame)
        code = frame.f_code
    self._nbtwisted_made = (code, frame.f_lasti, monotonic())


def _init_25_5(
    self: Any, canceller: Callable[[Deferred[Any]], None] | None = None
) -> None:
    # What Twisted's does, since a call of it takes as long as all that follows.
    self._callbacks = []
    self._canceller = canceller
    if self.debug:
        self._debugInfo = DebugInfo()
        self._debugInfo.creator = traceback.format_stack()[:-1]
    frame = _getframe(1)
    code = frame.f_code
    if not _outside[code.co_filename]:
        frame = _maker(frame)
        code = frame.f_code
    self._nbtwisted_made = (code, frame.f_lasti, monotonic())


def _fitting_init() -> Callable[..., None]:
    """The quick one where Twisted's is the one that it does the work of."""
    code = _first_init.__code__
    known = _init_25_5.__code__.co_names
    init = _init_25_5 if code.co_names == known[: len(code.co_names)] else _init
    return functools.wraps(_first_init)(init)


def _maker(frame: FrameType) -> FrameType:
    """The first frame outside, or Twisted's own that asked if there is none near."""
    maker = frame
    for _ in range(_DEEPEST):
        code = frame.f_code
        name = code.co_name
        if name in _LOOP_NAMES and (code.co_filename, name) in _LOOPS:
            break
        before = frame.f_back
        if before is None:
            break
        frame = before
        if _outside[frame.f_code.co_filename]:
            return frame
    while maker.f_code.co_filename == _DEFER and maker.f_back is not None:
        maker = maker.f_back
    return maker


def _line(code: CodeType, position: int) -> int | None:
    for begin, end, line in code.co_lines():
        if begin <= position < end:
            return line
    return None


def _from_debug(info: Any) -> Made | None:
    """The same of `Deferred.debug`, which keeps a formatted stack."""
    if type(info) is not DebugInfo:
        return None
    creator = info.__dict__.get("creator")
    for entry in reversed(creator) if type(creator) is list else ():
        found = _ENTRY.match(entry) if type(entry) is str else None
        if found and _outside[found["file"]]:
            return Made(found["file"], int(found["line"]), found["function"], None)
    return None
