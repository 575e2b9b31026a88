"""Dask's event loop, in a thread beside the reactor's, whichever reactor that is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["DaskThread"]

T = TypeVar("T")


class DaskThread:
    """A thread with an asyncio loop; made, and used, in the reactor's thread."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_complain)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="dask", daemon=True
        )
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Run it there; its result or its error comes here. To cancel is to stop it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)

        def cancel(_: Deferred[T]) -> None:
            future.cancel()

        deferred: Deferred[T] = Deferred(cancel)

        def done(future: Future[T]) -> None:
            self._reactor.callFromThread(_fire, deferred, future)

        future.add_done_callback(done)
        return deferred

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Have a function called there."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def in_reactor_soon(self, function: Callable[..., None], *given: object) -> None:
        """Have a function called in the reactor's thread, in a turn of its own."""
        self._reactor.callFromThread(function, *given)

    async def in_reactor(self, function: Callable[..., None], *given: object) -> None:
        """Call a function in the reactor's thread, from this one; wait until it has."""
        done = self._loop.create_future()

        def call() -> None:
            try:
                function(*given)
            finally:
                self._loop.call_soon_threadsafe(_is_done, done)

        self._reactor.callFromThread(call)
        await done

    def stop(self) -> None:
        """End the loop, and the thread. All that it was to do is done."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass over what nobody waits for any more, of workers that are lost."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


def _is_done(future: asyncio.Future[None]) -> None:
    # Unless nobody waits any more.
    if not future.done():
        future.set_result(None)


def _fire(deferred: Deferred[T], future: Future[T]) -> None:
    if deferred.called:
        return
    if future.cancelled():
        deferred.cancel()
        return
    error = future.exception()
    if error is None:
        deferred.callback(future.result())
    else:
        deferred.errback(Failure(error))
