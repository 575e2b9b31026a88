"""Who has the lock or the semaphore that others wait for.

Twisted does not note it. But whoever is to give it back has the method for this: `async
with` keeps the lock's `__aexit__`, and `run` has added its `_releaseAndReturn`.
"""

from __future__ import annotations

import gc
import itertools
from types import FunctionType, MethodType
from typing import Any

from twisted.internet.defer import DeferredLock

from nbtwisted.reactor.snapshot.heap import Heap, is_just
from nbtwisted.reactor.snapshot.routines import code_of, qualname
from nbtwisted.reactor.snapshot.waits import Waiting, Waits

__all__ = ["Locks"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# DeferredLock, DeferredSemaphore: _cancelAcquire, _releaseAndReturn

_AEXIT = DeferredLock.__aexit__
_GIVE_BACK = {"__aexit__", "_releaseAndReturn", "release"}
_MOST_STEPS = 100
"""From such a method to a coroutine or a Deferred; there are five."""


class Locks:
    """The locks of a heap; each is looked at once."""

    def __init__(self, heap: Heap, waits: Waits) -> None:
        self._heap = heap
        self._waits = waits
        self._known: dict[int, list[Waiting]] = {}

    def had_by(self, leaf: Waiting) -> list[Waiting]:
        """Those that give back what a Deferred of `acquire` waits for.

        None of another Deferred.
        """
        lock = _lock(self._heap, leaf.thing)
        if lock is None:
            return []
        if id(lock) not in self._known:
            self._known[id(lock)] = self._find(lock)
        return self._known[id(lock)]

    def _find(self, lock: Any) -> list[Waiting]:
        found: dict[int, Waiting] = {}
        for holder in self._heap.holders(lock):
            owners: list[Waiting] = []
            if _name(holder) in _GIVE_BACK:
                owners = _owners(self._heap, self._waits, holder)
            elif id(holder) in self._waits.of and _is_within(holder, lock):
                owners = [self._waits.of[id(holder)]]
            for one in owners:
                if not any(_lock(self._heap, end.thing) is lock for end in _ends(one)):
                    found[id(one)] = one
        return list(found.values())


def _lock(heap: Heap, thing: Any) -> Any:
    canceller: Any = heap.fields(thing).get("_canceller")
    if _name(canceller) == "_cancelAcquire":
        return canceller.__self__
    return None


def _is_within(routine: Any, lock: Any) -> bool:
    """Whether a coroutine is in an `async with` of the lock.

    Since Python 3.14, it has the function and the lock one after the other there.
    """
    if code_of(routine) is None:
        return False
    held = gc.get_referents(routine)
    return any(
        function is _AEXIT and following is lock
        for function, following in itertools.pairwise(held)
    )


def _name(method: Any) -> str:
    if type(method) is MethodType and type(method.__func__) is FunctionType:
        return qualname(method.__func__).rpartition(".")[2]
    return ""


def _owners(heap: Heap, waits: Waits, method: Any) -> list[Waiting]:
    found = []
    queue = [method]
    for _ in range(_MOST_STEPS):
        if not queue:
            break
        for holder in heap.holders(queue.pop(0)):
            one = waits.of.get(id(holder))
            if one is not None:
                found.append(one)
            elif is_just(holder, list, tuple, dict):
                queue.append(holder)
    return found


def _ends(one: Waiting) -> list[Waiting]:
    """What a coroutine waits for itself, those within it passed by."""
    while len(one.waits_for) == 1 and one.waits_for[0].kind == "coroutine":
        one = one.waits_for[0]
    return one.waits_for or [one]
