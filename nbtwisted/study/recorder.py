"""Runs a program and counts its calls by a profile hook: for where there is no strace.

    python -m nbtwisted.study.recorder RECORD PROGRAM [ARGUMENT …]

It counts calls of Python's functions by the names of the system calls that they make:
of one thread or of several, but not of other processes, and not how they fail.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
from collections import Counter
from typing import Any

__all__ = ["main"]

SYSTEM_CALLS = {
    ("socket", "connect"): "connect",
    ("socket", "connect_ex"): "connect",
    ("socket", "bind"): "bind",
    ("socket", "listen"): "listen",
    ("socket", "_accept"): "accept4",
    ("socket", "send"): "sendto",
    ("socket", "sendall"): "sendto",
    ("socket", "sendto"): "sendto",
    ("socket", "recv"): "recvfrom",
    ("socket", "recv_into"): "recvfrom",
    ("socket", "recvfrom"): "recvfrom",
    ("socket", "shutdown"): "shutdown",
    ("socket", "getsockopt"): "getsockopt",
    ("socket", "close"): "close",
    ("epoll", "poll"): "epoll_wait",
    ("epoll", "register"): "epoll_ctl",
    ("epoll", "modify"): "epoll_ctl",
    ("epoll", "unregister"): "epoll_ctl",
    ("poll", "poll"): "poll",
    ("select", "select"): "select",
    ("time", "sleep"): "clock_nanosleep",
    ("posix", "pipe"): "pipe2",
    ("posix", "fork"): "fork",
    ("posix", "read"): "read",
    ("posix", "write"): "write",
    ("posix", "waitpid"): "wait4",
}
"""By the name of a type or a module, and of its function."""


def main() -> None:
    """Run the program that the arguments name; raises what it raises."""
    record, *sys.argv = sys.argv[1:]
    counts: Counter[str] = Counter()

    def count(_: Any, event: str, function: Any) -> None:
        if event == "c_call":
            owner = getattr(function, "__self__", None)
            name = getattr(owner, "__name__", type(owner).__name__)
            call = SYSTEM_CALLS.get((name, function.__name__))
            if call is not None:
                counts[call] += 1

    def note(event: str, _: Any) -> None:
        if event == "socket.__new__":
            counts["socket"] += 1

    # The program's own folder, as if it had been run by itself.
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    sys.addaudithook(note)
    threading.setprofile(count)
    sys.setprofile(count)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.setprofile(None)
        with open(record, "w", encoding="utf-8") as file:
            json.dump(counts, file)


if __name__ == "__main__":
    main()
