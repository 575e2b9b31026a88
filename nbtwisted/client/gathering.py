"""Many requests at once, and no more at once than asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
)
from twisted.python.failure import Failure
from typing_extensions import Unpack

from nbtwisted.client.answer import Answer
from nbtwisted.client.errors import Interrupted, Outcome, RequestError
from nbtwisted.client.getting import Getter, How
from nbtwisted.client.target import shown
from nbtwisted.client.url_list import Given, URLs

__all__ = ["DEFAULT_CONCURRENCY", "gather", "get_all"]

DEFAULT_CONCURRENCY = 50
"""Requests in flight at once, unless told otherwise; hey and curl -Z have 50 too."""


def gather(
    getter: Getter,
    urls: URLs,
    *,
    concurrency: int,
    deliver: Callable[[int, Outcome], None],
    ahead: float = math.inf,
) -> Deferred[None]:
    """Get each of `urls`, `concurrency` of them at once.

    Calls `deliver` with the position of a URL in `urls` and how it ended, in the order
    in which they end; none is begun more than `ahead` positions, and as many as there
    are workers, after one that has not ended. Fires when all have. Cancelling it ends
    those under way, and those that were not begun, as `Interrupted`.

    Raises `ValueError` for a concurrency below 1.

    A `DeferredList` gathers the workers, not the requests: it holds all its results
    until the end, and there are as many workers as requests in flight.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency {concurrency}: expected 1 or more")
    queued_at = getter.now()
    window = _Window(ahead)

    async def work() -> None:
        while True:
            await window.has_room()
            url = await urls.next()
            if url is None:
                return
            index = window.enter()
            outcome: Outcome
            try:
                outcome = await getter.get(url, queued_at=queued_at)
            except RequestError as error:
                outcome = error
            window.leave(index)
            deliver(index, outcome)
            if isinstance(outcome, Interrupted):
                return

    async def stop_quietly() -> None:
        try:
            await work()
        except CancelledError:
            # It waited for something to do.
            return

    workers = [Deferred.fromCoroutine(stop_quietly()) for _ in range(concurrency)]
    gathered = DeferredList(workers, consumeErrors=True)

    def finish(results: list[tuple[bool, Any]]) -> None:
        urls.close()
        for success, failure in results:
            if not success:
                failure.raiseException()
        # There are some left only when the workers were stopped.
        for url in urls.rest():
            never_sent = Interrupted("cancelled before it was sent")
            never_sent.url = shown(url)
            deliver(window.enter(), never_sent)

    return gathered.addCallback(finish)


class _Window:
    """Positions under way, of which none may be too far ahead of the oldest."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead
        self._next = 0
        self._oldest = 0
        self._left: set[int] = set()
        self._waiting: list[Deferred[None]] = []

    async def has_room(self) -> None:
        """Return when the next position may be entered."""
        while self._next - self._oldest >= self._ahead:
            self._waiting.append(Deferred())
            await self._waiting[-1]

    def enter(self) -> int:
        """Take the next position."""
        self._next += 1
        return self._next - 1

    def leave(self, index: int) -> None:
        """Be done with a position."""
        self._left.add(index)
        while self._oldest in self._left:
            self._left.remove(self._oldest)
            self._oldest += 1
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            # Unless it was cancelled.
            if not deferred.called:
                deferred.callback(None)


def get_all(
    urls: Iterable[str],
    *,
    reactor: Any,
    concurrency: int = DEFAULT_CONCURRENCY,
    **how: Unpack[How],
) -> Deferred[list[tuple[bool, Answer | Failure]]]:
    """Get all `urls`, `concurrency` of them at once; the rest is as `Getter` has it.

    Fires with what a `DeferredList` of all the requests would give: in the order asked,
    `(True, answer)` or `(False, failure)`, each failure a `RequestError`. Cancelling it
    ends every request; those not answered by then have failed as `Interrupted`.
    """
    asked = list(urls)
    outcomes: dict[int, Outcome] = {}
    gathered = gather(
        Getter(reactor, **how),
        Given(asked),
        concurrency=concurrency,
        deliver=outcomes.__setitem__,
    )
    return gathered.addCallback(
        lambda _: [_as_in_a_list(outcomes[index]) for index in range(len(asked))]
    )


def _as_in_a_list(outcome: Outcome) -> tuple[bool, Answer | Failure]:
    if isinstance(outcome, RequestError):
        return False, Failure(outcome)
    return True, outcome
