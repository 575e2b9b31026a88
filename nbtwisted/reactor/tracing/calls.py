"""How a traced reactor learns of each call that it makes, without wrapping a function.

A delayed call tells when Twisted's loop marks it as called, a call from a thread when
the loop comes to it, and a handle of asyncio's when it is taken from the queue. Each
ends where the next one begins, or the turn. So programs find their functions where they
put them, and no frame of ours in a traceback.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

from twisted.internet.base import DelayedCall

from nbtwisted.reactor.tracing.recorder import Recorder

__all__ = ["Handles", "ThreadCalls", "TimedPoll", "TracedCall"]


class TracedCall(DelayedCall):
    """A delayed call that tells its reactor when it is about to be made.

    That is when it is marked as called.
    """

    _begin: Callable[[DelayedCall], None]

    @classmethod
    def trace(cls, call: DelayedCall, begin: Callable[[DelayedCall], None]) -> None:
        """Have a delayed call tell `begin`."""
        call.__class__ = cls
        cast(TracedCall, call)._begin = begin

    @property
    def called(self) -> int:
        """Whether it was made."""
        return cast(int, self.__dict__["called"])

    @called.setter
    def called(self, called: int) -> None:
        self.__dict__["called"] = called
        self._begin(self)


class ThreadCalls(list[Any]):
    """Calls from other threads, which the reactor makes as it goes through them."""

    def __init__(self, calls: list[Any], begin: Callable[[object, str], None]) -> None:
        super().__init__(calls)
        self._begin = begin

    def __iter__(self) -> Iterator[Any]:
        for call in super().__iter__():
            self._begin(call[0], "from a thread")
            yield call


_popleft = deque.popleft


class Handles(deque[Any]):
    """What a loop of asyncio's is to call, which it takes one after another."""

    def __init__(self, handles: deque[Any], begin: Callable[[Any], None]) -> None:
        super().__init__(handles)
        self._begin = begin

    def popleft(self) -> Any:
        """Take the next."""
        handle = _popleft(self)
        self._begin(handle)
        return handle


class TimedPoll:
    """An epoll object, a poll object or a selector whose polls are timed.

    `before` is called before each.
    """

    def __init__(
        self,
        poller: Any,
        recorder: Recorder,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._poller = poller
        self._recorder = recorder
        self._before = before
        # Found without a detour by who calls them often.
        for name in ("register", "modify", "unregister", "get_key"):
            if hasattr(poller, name):
                setattr(self, name, getattr(poller, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for events."""
        began = self._recorder.now()
        try:
            return self._poller.poll(*args, **kwargs)
        finally:
            self._recorder.turn(began)

    def select(self, timeout: float | None = None) -> Any:
        """The same, of a selector."""
        self._before()
        began = self._recorder.now()
        try:
            return self._poller.select(timeout)
        finally:
            self._recorder.turn(began)
