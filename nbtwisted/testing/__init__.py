"""The server for tests, on a clock or in a process beside them; and their stalls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbtwisted.testing.stalls.fails_on_stall import FailsOnStall

__all__ = ["FailsOnStall"]


def __getattr__(name: str) -> Any:
    # Few want it, and it takes Twisted.
    if name in __all__:
        from nbtwisted.testing.stalls import fails_on_stall

        return getattr(fails_on_stall, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
