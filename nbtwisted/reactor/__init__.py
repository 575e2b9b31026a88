"""Twisted reactors to put in the place of Twisted's own. Imports nothing of the rest.

timers      which clock a reactor's timers run on
sending     sends a whole message without waiting for the turn's end
installing  makes one of them that of the process
eager       sends in the turn in which something was written
naming      what people call the things that a reactor calls     pure
recorder    what a reactor's time goes into                          pure
watchdog    says what blocks a reactor, while it does
traced      the eager reactor, with these beside it
choosing    which of all reactors a command runs on
program     another Python program, run as `python` would run it
command     `nbtwisted trace`
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
