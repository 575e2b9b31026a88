"""A Deferred that is not over as soon as it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Ending"]

T = TypeVar("T")


class Ending(Generic[T]):
    """The end of something that takes a while, also when it is cancelled.

    `deferred` is for whoever waits for it. A Deferred fires in the moment in which it
    is cancelled; this one calls `cancel` then, and fires when it is told to.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self.deferred: Deferred[T] = self._wait()

    def callback(self, result: T) -> None:
        """It has ended with a result."""
        self._told.callback(result)

    def errback(self, failure: Any) -> None:
        """It has ended with an error."""
        self._told.errback(failure)

    def _wait(self) -> Deferred[T]:
        self._told: Deferred[Any] = Deferred(self._be_cancelled)
        self._again: Deferred[T] | None = None
        return self._told.addCallback(self._found)

    def _found(self, result: Any) -> Any:
        # A Deferred that a callback returns is waited for.
        return self._again if result is self else result

    def _be_cancelled(self, told: Deferred[Any]) -> None:
        again = self._wait()
        self._again = again
        told.callback(self)
        self._again = None
        self._cancel()
