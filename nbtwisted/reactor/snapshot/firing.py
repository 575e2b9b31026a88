"""Who will fire a Deferred: found by who holds it, and who holds that, and so on.

To fire a Deferred takes a reference to it. So what will fire it is at the end of one of
the ways that lead to it: an event (a timer, a connection), a coroutine that goes on
when something else has happened, or what any code can reach (a module). Those who wait
for it have one, too, and cannot go on before. If all ways end there, nobody fires it.

An object with several holders, such as a list of all that waits for a pool, is looked
behind once: what is there is the same for all that it holds. What is found behind such
a one may have other business than this Deferred, and counts for less than what is near.
"""

from __future__ import annotations

import sys
from collections import deque
from time import monotonic
from types import CellType, FrameType, ModuleType
from typing import Any
from weakref import getweakrefcount, getweakrefs

from nbtwisted.reactor.naming import class_name, name_of
from nbtwisted.reactor.snapshot.events import Event, Events
from nbtwisted.reactor.snapshot.heap import Heap
from nbtwisted.reactor.snapshot.kinds import Kind, Kinds
from nbtwisted.reactor.snapshot.locks import Locks
from nbtwisted.reactor.snapshot.stuck import Undecided, settle, waiters_of
from nbtwisted.reactor.snapshot.waits import Waiting, Waits

__all__ = ["Firing"]

_MOST_SEEN = 3000
"""Objects that are looked at behind one; beyond them the search is not complete."""

_MOST_FOUND = 100
_OPTIMIZED = 1
"""Flag of a code whose variables are not a dictionary already."""


class Found:
    """What the ways from an object lead to, the nearest first.

    `holder` names the first attribute that holds it, `reached` the first variable or
    class by which any code can reach it. Of Deferreds, `waiting` has those whose
    callbacks hold it, and `aside` those which hold it otherwise.
    """

    __slots__ = ("aside", "events", "holder", "is_complete", "reached", "waiting")

    def __init__(self) -> None:
        self.events: list[int] = []
        self.waiting: list[Waiting] = []
        self.aside: list[Waiting] = []
        self.holder: str | None = None
        self.reached: str | None = None
        self.is_complete = True


class Firing:
    """The search in one heap; it ends at `until`, by `time.monotonic`."""

    def __init__(
        self,
        heap: Heap,
        kinds: Kinds,
        waits: Waits,
        events: Events,
        *,
        reactor: Any,
        until: float,
    ) -> None:
        self._heap = heap
        self._kinds = kinds
        self._waits = waits
        self._events = events
        self._reactor = reactor
        self._until = until
        self._behind: dict[int, Found] = {}
        self._modules = {
            id(vars(module)): name
            for name, module in list(sys.modules.items())
            if type(module) is ModuleType
        }
        # What gives up one that waits gives up what it waits for.
        self._given_up = {
            id(waits.of[id(thing)]): event
            for thing, event in events.cancels
            if id(thing) in waits.of
        }
        # Variables of running functions, which the collector does not know.
        self._on_stack: dict[int, str] = {}
        self._in_cells: dict[int, str] = {}
        self._see_stack(sys._getframe(1))

    def find(self) -> None:
        """Say of each leaf who fires it."""
        heap = self._heap
        locks = Locks(heap, self._waits)
        undecided: list[Undecided] = []
        for leaf in self._waits.leaves:
            if monotonic() > self._until:
                leaf.fired_by = {"kind": "unknown", "out_of_time": True}
                continue
            having = self._others(leaf, locks.had_by(leaf))
            if having:
                for one in having:
                    leaf.wait_for(one)
                continue
            near, far = self._look(leaf)
            by_routines = self._decide(leaf, near, far)
            if by_routines is not None:
                undecided.append(by_routines)
        settle(undecided)

    def _decide(self, leaf: Waiting, near: Found, far: Found) -> Undecided | None:
        """Set `fired_by`, unless it depends on whether coroutines can go on."""
        within = near.reached or far.reached
        about = {"held_by": near.holder or far.holder, "within": within}
        about = {name: text for name, text in about.items() if text is not None}
        timeouts = [
            self._events.of[event]
            for event in near.events + far.events
            if event in self._events.timeouts
        ] + self._timeouts_above(leaf)
        event = self._event(near.events)
        if event is None and within is None:
            event = self._event(far.events)
        if event is not None:
            if timeouts:
                event["timeout_in"] = timeouts[0]["in"]
            leaf.fired_by = event | about
            return None
        routines = self._others(leaf, near.waiting)
        deferreds = [one for one in routines if one.kind == "deferred"]
        if deferreds:
            for deferred in deferreds:
                leaf.wait_for(deferred)
            return None
        if timeouts:
            otherwise = timeouts[0] | {"timeout": True} | about
        elif within is not None or not (
            near.is_complete and far.is_complete and self._heap.is_complete
        ):
            otherwise = {"kind": "unknown"} | about
        elif self._others(leaf, near.aside + far.aside):
            # What cancels another Deferred, or has its result, may do anything.
            otherwise = {"kind": "unknown"} | about
        else:
            otherwise = {"kind": "nobody"}
        if within is None:
            routines = routines or self._others(leaf, far.waiting)
        return Undecided(leaf, routines, otherwise)

    def _timeouts_above(self, leaf: Waiting) -> list[Event]:
        """The timeouts of those who wait for it, the first to end first."""
        if not self._given_up:
            return []
        waiters = waiters_of(leaf)
        found = [event for name, event in self._given_up.items() if name in waiters]
        return sorted(found, key=lambda event: (event["in"] is None, event["in"]))

    def _event(self, events: list[int]) -> Event | None:
        found = [one for one in events if one not in self._events.timeouts]
        if not found:
            return None
        event = dict(self._events.of[found[0]])
        if len(found) > 1:
            event["others"] = len(found) - 1
        return event

    def _others(self, leaf: Waiting, found: list[Waiting]) -> list[Waiting]:
        """Those who do not wait for the leaf themselves."""
        if not found:
            return []
        waiters = waiters_of(leaf)
        return [one for one in found if id(one) not in waiters]

    # -- the ways ---------------------------------------------------------------

    def _look(self, leaf: Waiting) -> tuple[Found, Found]:
        """What is near a leaf, and behind the first objects with several holders."""
        near, far = Found(), Found()
        for fat in self._follow(leaf.thing, near, stops_at_fat=True):
            known = self._behind.get(id(fat))
            if known is None:
                known = self._behind[id(fat)] = Found()
                self._follow(fat, known, stops_at_fat=False)
            _add(far, known)
        return near, far

    def _follow(self, start: Any, found: Found, *, stops_at_fat: bool) -> list[Any]:
        """Go all ways; returns the objects with several holders, if to stop there."""
        fat: list[Any] = []
        before: dict[int, Any] = {id(start): None}
        queue = deque([start])
        while queue:
            thing = queue.popleft()
            if len(before) > _MOST_SEEN:
                found.is_complete = False
                break
            holders = [
                holder
                for holder in self._heap.holders(thing)
                if id(holder) not in before
            ]
            if stops_at_fat and thing is not start and len(holders) > 1:
                fat.append(thing)
                continue
            self._check_hidden(thing, found)
            if getweakrefcount(thing):
                holders += [
                    reference
                    for reference in getweakrefs(thing)
                    if id(reference) not in before
                ]
            for holder in holders:
                before[id(holder)] = thing
                if not self._stop(holder, thing, before, found):
                    queue.append(holder)
        return fat

    def _stop(
        self, holder: Any, thing: Any, before: dict[int, Any], found: Found
    ) -> bool:
        """Note what a way has led to; returns whether it ends there."""
        name = id(holder)
        if name in self._events.of:
            if name not in found.events and len(found.events) < _MOST_FOUND:
                found.events.append(name)
            return True
        kind = self._kinds.of(holder)
        waiting = self._waits.of.get(name)
        if waiting is not None:
            is_in_way = kind is not Kind.DEFERRED or self._is_callback(
                holder, thing, before
            )
            _append(found.waiting if is_in_way else found.aside, waiting, found)
            return True
        if name in self._modules:
            if found.reached is None:
                variable = _key(holder, thing)
                found.reached = f"{self._modules[name]}.{variable or '...'}"
            return True
        if kind is Kind.CLASS:
            # One of a function is reached by what else leads to the function.
            if found.reached is None and "<locals>" not in name_of(holder):
                held = before.get(id(thing))
                variable = _key(thing, held) if type(thing) is dict else None
                found.reached = f"{name_of(holder)}.{variable or '...'}"
            return True
        if holder is self._reactor:
            found.reached = found.reached or "reactor"
            return True
        if found.holder is None and type(holder) is not dict:
            fields = self._heap.fields(holder)
            held = before.get(id(thing)) if thing is fields else thing
            variable = _key(fields, held) if fields else None
            if variable is not None:
                found.holder = f"{class_name(type(holder))}.{variable}"
        return False

    def _is_callback(self, deferred: Any, thing: Any, before: dict[int, Any]) -> bool:
        """Whether a way comes by the callbacks, not by the canceller or the result."""
        fields = self._heap.fields(deferred)
        held = before.get(id(thing)) if thing is fields else thing
        return _key(fields, held) in ("_callbacks", "callbacks")

    def _check_hidden(self, thing: Any, found: Found) -> None:
        where = self._on_stack.get(id(thing))
        if where is None and type(thing) is CellType:
            where = self._in_cells.get(_content(thing))
        if where is not None:
            found.reached = found.reached or where
        elif self._heap.hidden_holders(thing) > 0:
            found.is_complete = False

    def _see_stack(self, frame: FrameType | None) -> None:
        while frame is not None:
            code = frame.f_code
            if (
                code.co_flags & _OPTIMIZED
                and frame.f_globals.get("__name__") not in _OURS
            ):
                outer = {*code.co_cellvars, *code.co_freevars}
                for name, value in list(frame.f_locals.items()):
                    places = self._in_cells if name in outer else self._on_stack
                    places[id(value)] = f"{name} of {code.co_name}()"
            frame = frame.f_back


_OURS = {__name__, __name__.rpartition(".")[0]}


def _add(found: Found, other: Found) -> None:
    for event in other.events:
        if event not in found.events and len(found.events) < _MOST_FOUND:
            found.events.append(event)
    for one in other.waiting:
        _append(found.waiting, one, found)
    for one in other.aside:
        _append(found.aside, one, found)
    found.holder = found.holder or other.holder
    found.reached = found.reached or other.reached
    found.is_complete = found.is_complete and other.is_complete


def _append(ones: list[Waiting], one: Waiting, found: Found) -> None:
    if any(known is one for known in ones):
        return
    if len(ones) < _MOST_FOUND:
        ones.append(one)
    else:
        found.is_complete = False


def _key(fields: dict[Any, Any], value: Any) -> str | None:
    """By which name a dictionary has this value."""
    for name, known in fields.items():
        if known is value and type(name) is str:
            return name
    return None


def _content(cell: CellType) -> int:
    try:
        return id(cell.cell_contents)
    except ValueError:
        return 0
