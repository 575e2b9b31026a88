"""Many requests at once, and no more at once than asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure
from typing_extensions import Unpack

from nbtwisted.client.answer import Answer
from nbtwisted.client.errors import Interrupted, Outcome, RequestError
from nbtwisted.client.getting import Getter, How
from nbtwisted.client.target import shown

__all__ = ["DEFAULT_CONCURRENCY", "gather", "get_all"]

DEFAULT_CONCURRENCY = 50
"""Requests in flight at once, unless told otherwise; hey and curl -Z have 50 too."""


def gather(
    getter: Getter,
    urls: Iterable[str],
    *,
    concurrency: int,
    deliver: Callable[[int, Outcome], None],
) -> Deferred[None]:
    """Get each of `urls`, `concurrency` of them at once.

    Calls `deliver` with the position of a URL in `urls` and how it ended, in the order
    in which they end. Fires when all have. Cancelling it ends those under way, and
    those that were not begun, as `Interrupted`.

    Raises `ValueError` for a concurrency below 1.

    A `DeferredList` gathers the workers, not the requests: it holds all its results
    until the end, and there are as many workers as requests in flight.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency {concurrency}: expected 1 or more")
    queued_at = getter.now()
    queue = iter(enumerate(urls))

    async def work() -> None:
        for index, url in queue:
            outcome: Outcome
            try:
                outcome = await getter.get(url, queued_at=queued_at)
            except RequestError as error:
                outcome = error
            deliver(index, outcome)
            if isinstance(outcome, Interrupted):
                return

    workers = [Deferred.fromCoroutine(work()) for _ in range(concurrency)]
    gathered = DeferredList(workers, consumeErrors=True)

    def finish(results: list[tuple[bool, Any]]) -> None:
        for success, failure in results:
            if not success:
                failure.raiseException()
        # There are some left only when the workers were stopped.
        for index, url in queue:
            never_sent = Interrupted("cancelled before it was sent")
            never_sent.url = shown(url)
            deliver(index, never_sent)

    return gathered.addCallback(finish)


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
        asked,
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
