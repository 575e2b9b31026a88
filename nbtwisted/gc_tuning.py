"""When the garbage collector does what, for processes that live long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = [
    "collect_seldom",
    "give_back",
    "leave_startup_to_itself",
    "without_collections",
]


@contextmanager
def without_collections() -> Iterator[None]:
    """Within this block, look for no garbage, nor later in what was made there.

    For imports, which leave next to none: to look for it was 8 of the 125 ms in which
    `nbtwisted get` starts.
    """
    gc.disable()
    try:
        yield
    finally:
        leave_startup_to_itself()
        gc.enable()


def leave_startup_to_itself() -> None:
    """Take all that was made until now out of the garbage collector's rounds.

    For a command to call when its imports are done: modules live as long as the
    process. Collections have less to walk while requests run, and the process ends in
    15 ms where it took 78 (the server, Python 3.11).
    """
    gc.freeze()


def collect_seldom() -> None:
    """Have the garbage collector look for cycles a hundred times as seldom.

    For a command that makes no cycles to speak of, and may have ten thousand requests
    in flight: to walk all of them again and again is half of what they cost (10,000
    GETs at once by `nbtwisted get -n 10000 -c 10000` took 4.7 s of computing, and take
    2.7).
    """
    gc.set_threshold(70_000, 20, 100)


def give_back() -> None:
    """Collect all garbage, and give the kernel back what is free.

    For a moment at which nobody waits: what ten thousand connections have left takes
    0.2 s.
    """
    import ctypes  # which takes 8 ms to import, and most processes never come here

    gc.collect()
    # The C library's, where it is GNU's: what is free in the middle of its heap.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
