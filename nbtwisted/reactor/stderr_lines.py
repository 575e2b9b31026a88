"""Where a reactor says what it has to say, unless told otherwise."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["to_stderr"]


def to_stderr(process: int, text: str) -> None:
    """Write lines to the stderr of this process, or of a daemon to its log.

    A program may have put something else into the place of `sys.stderr`, which is
    none of our business but that Twisted's log is there, and a daemon has no other.
    """
    lines = "".join(f"reactor: {line}\n" for line in text.split("\n"))
    stream = sys.__stderr__ if os.getpid() == process else sys.stderr
    # It may be closed, or full; the program must not suffer for it.
    with suppress(Exception):
        # At once, so that no other thread writes in between.
        stream.write(lines)  # type: ignore[union-attr]
        stream.flush()  # type: ignore[union-attr]
