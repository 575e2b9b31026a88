"""What programs of the tests block their reactor by, so that it counts."""

from __future__ import annotations

__all__ = ["BLOCK", "LINE"]

BLOCK = """
import time
from pathlib import Path

def unqueued():
    # Without what the kernel has the threads wait for: that is not held against them.
    threads = Path("/proc/self/task").glob("*/schedstat")
    return time.monotonic() - sum(int(t.read_text().split()[1]) for t in threads) / 1e9

def block():
    began = unqueued()
    while unqueued() < began + 0.3:
        time.sleep(0.4)
"""
"""Once, as a rule; on a machine that is busy, again until the busy time is made up."""

LINE = 1 + BLOCK[: BLOCK.index("time.sleep")].count("\n")
"""That of its sleep, in a program that begins with it."""
