"""Twisted reactors to put in the place of Twisted's own. Imports nothing of the rest.

`eager` and `eager_asyncio` send in the turn in which something was written (`sending`):
Twisted's reactors of epoll and asyncio, but for that. `tracing` is put before any
reactor, those or Twisted's, and has a clock beside it. Twisted's own tests are the
oracle: `make conformance` runs them on Twisted's reactors and on ours, and fails if one
fails on ours alone.

`thread_check` and `figures` are put on one reactor, of whichever kind, as attributes of
the object: the one reports threads that use it, the other measures it.

A traced reactor wraps no function, so a program sees what it would see without. A
delayed call tells when Twisted's loop marks it as called, and ends where the next one
begins: nothing of that loop is written again. The watchdog takes the stack of the
reactor's thread from `sys._current_frames()`, because that thread is busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbtwisted.reactor.eager import EagerEPollReactor, install
    from nbtwisted.reactor.eager_asyncio import EagerAsyncioReactor
    from nbtwisted.reactor.figures.prometheus import metrics

__all__ = ["EagerAsyncioReactor", "EagerEPollReactor", "install", "metrics"]

_ROOMS = {
    "EagerAsyncioReactor": "eager_asyncio",
    "EagerEPollReactor": "eager",
    "install": "eager",
    "metrics": "figures.prometheus",
}


def __getattr__(name: str) -> Any:
    # Where there is no epoll there is another reactor to choose; and few want asyncio,
    # or figures.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(f"nbtwisted.reactor.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
