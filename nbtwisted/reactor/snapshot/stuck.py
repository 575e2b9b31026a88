"""Of coroutines that may fire each other's Deferreds, which can go on."""

from __future__ import annotations

from dataclasses import dataclass

from nbtwisted.reactor.snapshot.events import Event
from nbtwisted.reactor.snapshot.waits import Waiting

__all__ = ["Undecided", "settle", "waiters_of"]

_MOST_WAITERS = 10_000


@dataclass(frozen=True)
class Undecided:
    """A leaf that one of these coroutines may fire, if it can go on."""

    leaf: Waiting
    routines: list[Waiting]
    otherwise: Event


def settle(undecided: list[Undecided]) -> None:
    """Of coroutines that could fire each other's Deferreds, find those that go on."""
    needs = {
        id(each.leaf): [_leaves(one) for one in each.routines] for each in undecided
    }
    stuck = _free(set(needs), needs)
    # Of others, something that is not known may have them go on.
    uncertain = {
        id(each.leaf)
        for each in undecided
        if id(each.leaf) in stuck and each.otherwise["kind"] != "nobody"
    }
    stuck = _free(stuck - uncertain, needs)
    for each in undecided:
        able = [one for one in each.routines if not _leaves(one) <= stuck]
        each.leaf.fired_by = each.otherwise
        if able and id(each.leaf) not in stuck and id(each.leaf) not in uncertain:
            each.leaf.fired_by = {"kind": "task", "name": able[0].name}
            if len(able) > 1:
                each.leaf.fired_by["others"] = len(able) - 1


def waiters_of(leaf: Waiting) -> set[int]:
    """The `id`s of all who wait for it, and of itself."""
    found = {id(leaf)}
    queue = [leaf]
    while queue and len(found) < _MOST_WAITERS:
        for one in queue.pop().awaited_by:
            if id(one) not in found:
                found.add(id(one))
                queue.append(one)
    return found


def _free(stuck: set[int], needs: dict[int, list[set[int]]]) -> set[int]:
    """Those which are stuck if whoever needs one that is not, is not."""
    stuck = set(stuck)
    has_changed = True
    while has_changed:
        has_changed = False
        for name in list(stuck):
            if any(not below <= stuck for below in needs[name]):
                stuck.discard(name)
                has_changed = True
    return stuck


def _leaves(one: Waiting) -> set[int]:
    """The `id`s of those that it waits for at the end."""
    found: set[int] = set()
    seen = {id(one)}
    queue = [one]
    while queue and len(seen) < _MOST_WAITERS:
        current = queue.pop()
        if not current.waits_for:
            found.add(id(current))
        for other in current.waits_for:
            if id(other) not in seen:
                seen.add(id(other))
                queue.append(other)
    return found
