"""Turns of the reactor, for work that is too long for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

__all__ = ["Turns"]

T = TypeVar("T")


class Turns(Generic[T]):
    """Gives turns of the reactor to those that wait: to the first, until it leaves.

    So one is in the middle of its work, however many wait, and the reactor reads
    between two steps of it.
    """

    def __init__(self, reactor: Any, give: Callable[[T], None]) -> None:
        self._reactor = reactor
        self._give = give
        self._waiting: dict[T, None] = {}
        self._timer: IDelayedCall | None = None

    def wait(self, whose: T) -> None:
        """Call `give` with this one in its turns; one that waits keeps its place."""
        self._waiting[whose] = None
        if self._timer is None:
            self._timer = self._reactor.callLater(0, self._turn)

    def leave(self, whose: T) -> None:
        """Do not, any more."""
        self._waiting.pop(whose, None)
        if self._timer is not None and not self._waiting:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        self._timer = self._reactor.callLater(0, self._turn)
        self._give(next(iter(self._waiting)))
