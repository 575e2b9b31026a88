"""What a Twisted program waits for, as of now: a dictionary that JSON can hold.

`take` takes it inside the program, in a process that was forked from it for this:

- `heap` has all objects, and who refers to which;
- `waits` finds who waits for whom;
- `events` finds what can happen: timers, sockets, processes, jobs of threads;
- `firing` finds which of these fires a Deferred that somebody waits for, `locks` who
  has the lock that one waits for, and `stuck` who waits for each other;
- `tree` puts those alike together.

Who has made a Deferred was noted when it was made, by `nbtwisted.reactor.makers`.

No code of the program runs: no `__repr__`, no property, no `__eq__`. No lock is taken,
for whoever has it may be a thread that the fork has left behind.
"""

from __future__ import annotations

import gc
import os
import platform
import sys
import time
from typing import Any

import twisted
from nbtwisted.printable import printable
from nbtwisted.reactor.naming import class_name
from nbtwisted.reactor.seen_threads import Thread, see_threads
from nbtwisted.reactor.snapshot.events import Clocks, Events, job_name
from nbtwisted.reactor.snapshot.firing import Firing
from nbtwisted.reactor.snapshot.heap import Heap, is_set
from nbtwisted.reactor.snapshot.kinds import Kinds
from nbtwisted.reactor.snapshot.tree import Tree
from nbtwisted.reactor.snapshot.waits import Waits

__all__ = ["VERSION", "see_threads", "take"]

VERSION = 1
_LONGEST = 200
_DEEPER = 5000
"""Levels of Python's stack that the tree may take, wherever the program has been."""


def take(
    threads: list[Thread], *, seconds: float = 20.0, throwaway: bool = False
) -> dict[str, Any]:
    """What the program waits for.

    `threads` is what `see_threads` has given, before the fork. What has not been found
    after `seconds` is left out. A process that is thrown away afterwards says so:
    there, the collector is told to show also what `gc.freeze` has put aside.
    """
    was_enabled = gc.isenabled()
    depth = sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(depth, _DEEPER) + _DEEPER)
    try:
        if throwaway:
            gc.unfreeze()
        return _take(threads, time.monotonic() + seconds, seconds)
    finally:
        sys.setrecursionlimit(depth)
        if was_enabled:
            gc.enable()


def _take(threads: list[Thread], until: float, seconds: float) -> dict[str, Any]:
    reactor = sys.modules.get("twisted.internet.reactor")
    clocks, at = Clocks(reactor), time.time()
    heap = Heap(until - seconds / 2)
    kinds = Kinds()
    heap.disregard(threads)
    for thread in threads:
        heap.disregard(thread)
        heap.disregard(thread.__dict__)
    selected = kinds.select(heap.objects)
    waits = Waits(heap, kinds, selected)
    events = Events(heap, kinds, selected, clocks, reactor=reactor)
    Firing(heap, kinds, waits, events, reactor=reactor, until=until).find()
    tree = Tree(waits, clocks.loop)
    fields = {} if reactor is None else heap.fields(reactor)
    return {
        "version": VERSION,
        "pid": os.getpid(),
        "argv": [printable(str(word), longest=_LONGEST) for word in sys.argv],
        "python": platform.python_version(),
        "twisted": twisted.__version__,
        "reactor": None if reactor is None else class_name(type(reactor)),
        "running": is_set(fields.get("_started")),
        "at": at,
        "stopped_for": None,
        "waiting": tree.nodes,
        "delayed_calls": _counted(events.delayed_calls, "name"),
        "listening": events.listening,
        "connections": _counted(events.connections, "protocol", "local"),
        "processes": events.processes,
        "pool": _pool(heap, fields, threads),
        "totals": {
            "objects": len(heap.objects),
            "deferreds": waits.deferreds,
            "unfired": waits.unfired,
            "coroutines": waits.coroutines,
            "tasks": waits.tasks,
        },
        "left_out": tree.left_out,
    }


def _counted(entries: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """One for those alike, with the first of their times, and the peer if it is one."""
    found: dict[Any, dict[str, Any]] = {}
    for entry in entries:
        key = tuple(entry[name] for name in names)
        known = found.get(key)
        if known is None:
            found[key] = dict(entry)
            continue
        known["count"] += 1
        if "in" in entry:
            times = [value for value in (known["in"], entry["in"]) if value is not None]
            known["in"] = min(times, default=None)
        if "peer" in entry:
            known["peer"] = _in_common(known["peer"], entry["peer"])
    return sorted(
        found.values(), key=lambda entry: (entry.get("in") or 0.0, -entry["count"])
    )


def _in_common(peer: str | None, other: str | None) -> str | None:
    """The peer if it is the same one, or else its host if that is."""
    if peer is None or other is None or peer == other:
        return peer if peer == other else None
    host = other.rpartition(":")[0]
    return host if host and host in (peer, peer.rpartition(":")[0]) else None


def _pool(
    heap: Heap, fields: dict[str, Any], threads: list[Thread]
) -> dict[str, Any] | None:
    jobs = []
    for thread in threads:
        if thread.job is not None:
            file, line = thread.place() or (None, None)
            name = job_name(thread.job)
            jobs.append({"name": name, "file": file, "line": line})
    pool = fields.get("threadpool")
    if pool is None:
        return {"threads": 0, "working": len(jobs), "queued": 0, "jobs": jobs}
    of_pool = heap.fields(pool)
    team = heap.fields(of_pool.get("_team"))
    workers, queue = of_pool.get("threads"), team.get("_pending")
    return {
        "threads": len(workers) if type(workers) is list else 0,
        "working": len(jobs),
        "queued": len(queue) if queue is not None else 0,
        "jobs": jobs,
    }
