"""Twisted reactors to put in the place of Twisted's own. Imports nothing of the rest.

`eager` sends in the turn in which something was written, and `traced` is the eager one
with a clock beside it. Twisted's own tests are the oracle: `make conformance` runs them
on Twisted's reactor and on both of ours, and fails if one fails on ours alone.

The traced reactor wraps no function, so a program sees what it would see without. A
delayed call tells when Twisted's loop marks it as called, and ends where the next one
begins: nothing of that loop is written again. The watchdog takes the stack of the
reactor's thread from `sys._current_frames()`, because that thread is busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbtwisted.reactor.eager import EagerEPollReactor, install

__all__ = ["EagerEPollReactor", "install"]


def __getattr__(name: str) -> Any:
    # Where there is no epoll there is another reactor to choose.
    if name in __all__:
        from nbtwisted.reactor import eager

        return getattr(eager, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
