"""Says what blocks a reactor, while it does."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from threading import Event, Thread

from nbtwisted.reactor import answering
from nbtwisted.reactor.tracing.recorder import Call, Recorder
from nbtwisted.reactor.tracing.stacks import stack_of

__all__ = ["Watchdog"]


class Watchdog:
    """A thread that looks at what a recorder has under way.

    A callback that takes half as long as a stall gets its stack noted: that of the
    thread `watched` at that moment. So there is one when it turns out to be a stall;
    and another each time that it has taken twice as long. `report` is told of each
    callback that takes longer than a stall may, once and while it does.

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
        # The callback that was looked at last, and how many seconds it had taken when
        # its stack was noted.
        self._call: Call | None = None
        self._noted = 0.0
        # When that was looked at first, and how long the thread had run by then.
        self._seen, self._ran = 0.0, 0.0
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

    def preempted(self, seconds: float) -> float:
        """Seconds of the last so many for which the watched thread was ready to run.

        The kernel ran others instead. That is as of when this was last asked before
        these began, so it is too many rather than too few; but what the thread is known
        to have run in them is not among them.
        """
        began = self._recorder.now() - seconds
        for asked, queued, ran in (self._asked, self._asked_before):
            if asked <= began:
                most = self._queued_seconds() - queued
                runs = _ran(self._threads[0])
                # It may have run all the time from when that was asked.
                own = runs - ran - (began - asked)
                if self._seen > began:
                    own = max(own, runs - self._ran)
                return max(min(most, seconds - max(own, 0.0)), 0.0)
        return 0.0

    def _begin(self) -> None:
        _watching.add(self)
        self._over.clear()
        # Who begins this is the thread that is watched.
        self._threads = [threading.get_native_id()]
        # When the kernel was asked for how long these had waited and the first had run,
        # and what it said: the last time, and before the callback began that was looked
        # at last.
        self._asked = self._ask()
        self._asked_before = self._asked
        # A daemon: nobody's end waits for it.
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Look once."""
        call = self._recorder.current
        call = call and call.outermost
        if call is not self._call:
            self._call, self._noted = call, 0.0
            self._asked_before = self._asked
            self._seen, self._ran = self._recorder.now(), _ran(self._threads[0])
        self._asked = self._ask()
        if call is None:
            return
        passed = self._recorder.now() - call.began
        # It has none when it has paused, and goes on as if it were another.
        noted = self._noted if call.stack else 0.0
        stall = self._recorder.stall
        is_news = noted < stall <= passed
        if not is_news and passed < max(stall / 2, 2 * noted):
            return
        frame = sys._current_frames().get(self._watched)
        # It may have ended in between, and the stack be another's.
        if frame is None or self._recorder.current is None:
            return
        self._noted = passed
        call.stack = stack_of(frame)
        if is_news:
            named = self._recorder.named(call)
            self._report(
                f"stalled for {passed * 1000:.0f} ms so far, in {named}:\n"
                + "".join(call.stack).rstrip("\n")
            )

    def _ask(self) -> tuple[float, float, float]:
        return self._recorder.now(), self._queued_seconds(), _ran(self._threads[0])

    def _queued_seconds(self) -> float:
        return sum(map(_queued, self._threads))

    def _watch(self) -> None:
        # While the kernel has this one wait, it may have the interpreter's lock.
        self._threads.append(threading.get_native_id())
        # Often enough to say so not much later than it is true.
        while not self._over.wait(max(self._recorder.stall / 4, 0.001)):
            self.look()


_watching: set[Watchdog] = set()


def _stop_all() -> None:
    if answering.is_copying():
        # The program goes on as before, and nobody is warned of that fork.
        return
    for watchdog in list(_watching):
        watchdog.stop()


# Python counts the threads after the hook that comes after a fork (3.13), so that hook
# is too early for a new one.
os.register_at_fork(before=_stop_all)


def _queued(thread: int) -> float:
    """Seconds that a thread was ready to run, and did not; 0 where nobody says so."""
    return _scheduled(thread, 1)


def _ran(thread: int) -> float:
    """Seconds that a thread has run; 0 where nobody says so."""
    return _scheduled(thread, 0)


def _scheduled(thread: int, field: int) -> float:
    try:
        with open(f"/proc/self/task/{thread}/schedstat", "rb") as statistics:
            return int(statistics.read().split()[field]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
