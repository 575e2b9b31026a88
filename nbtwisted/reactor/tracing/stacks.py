"""Stacks of the thread that runs a reactor, and which of their lines to look at."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

__all__ = ["Place", "blocking_place", "callback_frames", "stack_of"]

FRAMES = 8
"""Of a stack, the last of which blocks."""

_OURS = os.path.dirname(os.path.dirname(__file__))
_STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen ")
_INSTALLED = {"site-packages", "dist-packages"}
_TWISTED = f"{os.sep}twisted{os.sep}"
# Of a library's, those that run a loop: what is below them has not called what blocks.
_LOOPS = {"mainLoop", "runUntilCurrent", "doPoll", "run_forever", "_run_once"}

_SKIPPED = "  …\n"
_FRAME = re.compile(r'  File "(.*)", line (\d+), in (.*)\n(?:\s*(.*))?')


@dataclass(frozen=True)
class Place:
    """A line of a program."""

    file: str
    line: int
    function: str
    text: str


def stack_of(frame: FrameType) -> tuple[str, ...]:
    """The last frames, and before them the program's own, if it is not among them.

    What blocks is often deep in a library, and the line to change is who has called it.
    """
    frames = list(traceback.walk_stack(frame))
    shown = frames[:FRAMES]
    lines = traceback.format_list(_summary(shown))
    if not any(_is_of_the_program(each.f_code.co_filename) for each, _ in shown):
        for each, line in frames[FRAMES:]:
            if _is_of_the_program(each.f_code.co_filename):
                own = traceback.format_list(_summary([(each, line)]))
                return (*own, _SKIPPED, *lines)
            if each.f_code.co_name in _LOOPS:
                break
    return tuple(lines)


def callback_frames(stack: Sequence[str]) -> Sequence[str]:
    """The part of such a stack that is above the loop, if that is in it."""
    for number, entry in reversed(list(enumerate(stack))):
        match = _FRAME.match(entry)
        if match is not None and match[3] in _LOOPS and stack[number + 1 :]:
            return stack[number + 1 :]
    return stack


def blocking_place(stack: Sequence[str]) -> Place | None:
    """The line of such a stack to look at first: the innermost of the program's own.

    Where there is none, it is a library's other than Twisted and Python's own, or else
    the innermost. None if there is no stack.
    """
    places: list[Place] = []
    for entry in callback_frames(stack):
        match = _FRAME.match(entry)
        if match is not None:
            file, line, function, text = match.groups(default="")
            places.append(Place(file, int(line), function, text))
    places.reverse()
    wanted: list[Callable[[str], bool]] = [_is_of_the_program, _is_of_a_library]
    for is_wanted in wanted:
        for place in places:
            if is_wanted(place.file):
                return place
    return places[0] if places else None


def _summary(frames: list[tuple[FrameType, int]]) -> traceback.StackSummary:
    return traceback.StackSummary.extract(reversed(frames))


def _is_of_the_program(file: str) -> bool:
    """Whether it is no library's, by where it is."""
    return not (
        file.startswith((*_STANDARD, _OURS)) or _INSTALLED & {*file.split(os.sep)}
    )


def _is_of_a_library(file: str) -> bool:
    """Whether it is one's that a program may have had installed, but for Twisted."""
    is_installed = bool(_INSTALLED & {*file.split(os.sep)})
    return is_installed and not (file.startswith(_OURS) or _TWISTED in file)
