"""Many requests at once, and no more at once than asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
)
from twisted.python.failure import Failure
from typing_extensions import Unpack

from nbtwisted.client.errors import Interrupted, Outcome, RequestError
from nbtwisted.client.many.queue import Queue
from nbtwisted.client.many.url_list import Given, URLs
from nbtwisted.client.request.getting import Getter, How
from nbtwisted.client.request.request import Request
from nbtwisted.client.response import Answer
from nbtwisted.client.target import shown

__all__ = ["DEFAULT_CONCURRENCY", "gather", "get_all"]

MOST_MARKED = 100_000
"""URLs that are said to be interrupted when they were never sent: enough to find one's
place, and few enough for who is in a hurry."""

DEFAULT_CONCURRENCY = 50
"""Requests in flight at once, unless told otherwise; hey and curl -Z have 50 too."""


def gather(
    getter: Getter,
    urls: URLs,
    *,
    concurrency: int,
    deliver: Callable[[int, Outcome], None],
    begun: Callable[[int, Request], None] | None = None,
    per_host: int | None = None,
    ahead: float = math.inf,
) -> Deferred[None]:
    """Get each of `urls`, `concurrency` of them at once, and `per_host` of one host.

    Calls `deliver` with the position of a URL in `urls` and how it ended, in the order
    in which they end; none is begun far `ahead` of one that has not ended, as `Queue`
    has it. Calls `begun`, if that is given, with the position and the request that is
    about to be sent. Fires when all have ended, and no connection is left. Cancelling
    it ends those under way, and those that were not begun, as `Interrupted` (the first
    100,000).

    Raises `ValueError` for a number below 1.

    A `DeferredList` gathers the workers, not the requests: it holds all its results
    until the end, and there are as many workers as requests in flight.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency {concurrency}: expected 1 or more")
    queued_at = getter.now()
    queue = Queue(urls, ahead=ahead, per_host=per_host)

    async def work() -> None:
        while True:
            ticket = await queue.next()
            if ticket is None:
                return
            outcome: Outcome
            try:
                request = getter.request(
                    ticket.url,
                    queued_at=queued_at,
                    move=partial(queue.move, ticket),
                )
                if begun is not None:
                    begun(ticket.index, request)
                outcome = await request.start()
            except RequestError as error:
                outcome = _without_frames(error)
            queue.leave(ticket)
            deliver(ticket.index, outcome)
            if isinstance(outcome, Interrupted):
                return

    async def stop_quietly() -> None:
        try:
            await work()
        except CancelledError:
            # It waited for something to do.
            return

    workers = [Deferred.fromCoroutine(stop_quietly()) for _ in range(concurrency)]

    def stop_all(failure: Failure) -> Failure:
        # An error of this program's own: without one worker the others might wait.
        for worker in workers:
            worker.cancel()
        return failure

    for worker in workers:
        worker.addErrback(stop_all)
    gathered = DeferredList(workers, consumeErrors=True)

    def finish(results: list[tuple[bool, Any]]) -> Deferred[None]:
        queue.close()
        failures = [failure for success, failure in results if not success]
        if not failures:
            # There are some left only when the workers were stopped.
            for index, url in islice(queue.rest(), MOST_MARKED):
                never_sent = Interrupted("cancelled before it was sent")
                never_sent.url = shown(url)
                deliver(index, never_sent)
        return getter.close().addCallback(lambda _: failures[0] if failures else None)

    return gathered.addCallback(finish)


def _without_frames(error: RequestError) -> RequestError:
    """Let go of what an error has seen on its way.

    The frames of its traceback hold the whole request, and it the error: garbage that
    the collector would stop everything for, a tenth of a second in a thousand requests.
    """
    error.__context__ = None
    return error.with_traceback(None)


def get_all(
    urls: Iterable[str],
    *,
    reactor: Any,
    concurrency: int = DEFAULT_CONCURRENCY,
    per_host: int | None = None,
    **how: Unpack[How],
) -> Deferred[list[tuple[bool, Answer | Failure]]]:
    """Get all `urls`, `concurrency` of them at once, and `per_host` of one host.

    The rest is as `Getter` has it. Connections are used again where they can be.

    Fires with what a `DeferredList` of all the requests would give: in the order asked,
    `(True, answer)` or `(False, failure)`, each failure a `RequestError`. Cancelling it
    ends every request; those not answered by then have failed as `Interrupted`.
    """
    asked = list(urls)
    outcomes: dict[int, Outcome] = {}
    getter = Getter(
        reactor,
        connections=concurrency,
        more_to_come=len(asked) > min(concurrency, per_host or concurrency),
        **how,
    )
    gathered = gather(
        getter,
        Given(asked),
        concurrency=concurrency,
        per_host=per_host,
        deliver=outcomes.__setitem__,
    )
    return gathered.addCallback(
        lambda _: [_as_in_a_list(outcomes[index]) for index in range(len(asked))]
    )


def _as_in_a_list(outcome: Outcome) -> tuple[bool, Answer | Failure]:
    if isinstance(outcome, RequestError):
        return False, Failure(outcome)
    return True, outcome
