"""Says what blocks a reactor, while it does."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from threading import Event, Thread
from types import FrameType

from nbtwisted.reactor.recorder import Recorder

__all__ = ["Watchdog"]

FRAMES = 8
"""Of a stack, the last of which blocks."""

_LIBRARIES = (
    *(sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen "),
    os.path.dirname(os.path.dirname(__file__)),
)
_INSTALLED = {"site-packages", "dist-packages"}
# Of a library's, those that run a loop: what is below them has not called what blocks.
_LOOPS = {"mainLoop", "runUntilCurrent", "doPoll", "run_forever", "_run_once"}


class Watchdog:
    """A thread that looks at what a recorder has under way, and at nothing else.

    Tells `report` of each callback that takes longer than a stall may, once and while
    it does, with the stack of the thread `watched` at that moment.

    A fork ends the thread, and `go_on` begins another: from Python 3.12 on, a fork
    beside a second thread warns, and it would be the program that is warned of ours.
    """

    def __init__(
        self, recorder: Recorder, watched: int, report: Callable[[str], None]
    ) -> None:
        self._recorder = recorder
        self._watched = watched
        self._report = report
        self._over = Event()
        self._begin()

    def stop(self) -> None:
        """Watch no more."""
        _watching.discard(self)
        self._over.set()
        self._thread.join(1)

    def go_on(self) -> None:
        """Watch again, if a fork has ended that."""
        if self._over.is_set():
            self._begin()

    def _begin(self) -> None:
        _watching.add(self)
        self._over.clear()
        # A daemon: nobody's end waits for it.
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look once."""
        call = self._recorder.current
        if call is None:
            return
        while call.within is not None:
            call = call.within
        passed = self._recorder.now() - call.began
        if passed < self._recorder.stall or call.stack:
            return
        frame = sys._current_frames().get(self._watched)
        # It may have ended in between, and the stack be another's.
        if frame is None or self._recorder.current is None:
            return
        call.stack = _stack(frame)
        named = self._recorder.named(call)
        self._report(
            f"stalled for {passed * 1000:.0f} ms so far, in {named}:\n"
            + "".join(call.stack).rstrip("\n")
        )

    def _watch(self) -> None:
        # Often enough to say so not much later than it is true.
        while not self._over.wait(max(self._recorder.stall / 4, 0.001)):
            self.look()


_watching: set[Watchdog] = set()


def _stop_all() -> None:
    for watchdog in list(_watching):
        watchdog.stop()


# Python counts the threads after the hook that comes after a fork (3.13), so that hook
# is too early for a new one.
os.register_at_fork(before=_stop_all)


def _stack(frame: FrameType) -> tuple[str, ...]:
    """The last frames, and before them the program's own, if it is not among them.

    What blocks is often deep in a library, and the line to change is who has called it.
    """
    frames = list(traceback.walk_stack(frame))
    shown = frames[:FRAMES]
    lines = traceback.format_list(_summary(shown))
    if not any(_is_of_the_program(each) for each, _ in shown):
        for each, line in frames[FRAMES:]:
            if _is_of_the_program(each):
                own = traceback.format_list(_summary([(each, line)]))
                return (*own, "  …\n", *lines)
            if each.f_code.co_name in _LOOPS:
                break
    return tuple(lines)


def _summary(frames: list[tuple[FrameType, int]]) -> traceback.StackSummary:
    return traceback.StackSummary.extract(reversed(frames))


def _is_of_the_program(frame: FrameType) -> bool:
    """Whether it is no library's, by where its file is."""
    name = frame.f_code.co_filename
    return not (name.startswith(_LIBRARIES) or _INSTALLED & {*name.split(os.sep)})
