"""The snapshot's tree: those alike are one, with a count; cycles end."""

from __future__ import annotations

from typing import Any

from nbtwisted.printable import printable
from nbtwisted.reactor.snapshot.waits import Waiting, Waits

__all__ = ["MOST_NODES", "Tree"]

MOST_NODES = 10_000
_DEEPEST = 150
"""Levels; JSON has two for each, and Python's reader of it ends at some hundreds."""

_LONGEST = 200

Node = dict[str, Any]


class Tree:
    """Nodes for what waits, as the snapshot has them.

    `left_out` is how many of those that wait are in none of the nodes.
    """

    def __init__(self, waits: Waits, now: float) -> None:
        self._now = now
        self._room = MOST_NODES
        self._shown: set[int] = set()
        shown = [
            one for one in waits.all if one.waits_for or one.awaited_by or one.then
        ]
        shown += [one for one in waits.all if one.kind == "task" and not one.waits_for]
        roots = [one for one in shown if not one.awaited_by]
        self.nodes = self._build(roots, ())
        # Those that wait for one another in a circle have no root.
        for one in shown:
            if id(one) not in self._shown and not one.passes and self._room > 0:
                self.nodes += self._build([one], ())
        self.left_out = sum(
            id(one) not in self._shown and not one.passes for one in shown
        )

    def _build(
        self, waiting: list[Waiting], above: tuple[frozenset[int], ...]
    ) -> list[Node]:
        groups: dict[Any, list[Waiting]] = {}
        for one in _without_those_between(waiting):
            groups.setdefault(_alike(one), []).append(one)
        nodes = []
        for key, group in groups.items():
            if self._room <= 0:
                break
            self._room -= 1
            nodes.append(self._node(key, group, above))
        nodes.sort(key=_order)
        return nodes

    def _node(
        self, key: Any, group: list[Waiting], above: tuple[frozenset[int], ...]
    ) -> Node:
        # A chain of those alike is one node: recursion, or a Deferred for a Deferred.
        members = {id(one): one for one in group}
        below: dict[int, Waiting] = {}
        queue = list(group)
        while queue:
            for other in _without_those_between(queue.pop().waits_for):
                if id(other) in members:
                    continue
                if _alike(other) == key and other.fired_by is None:
                    members[id(other)] = other
                    queue.append(other)
                else:
                    below[id(other)] = other
        self._shown |= members.keys()
        node = _plain(group[0])
        node["count"] = len(members)
        since = [one.since for one in members.values() if one.since is not None]
        node["since"] = round(self._now - min(since), 3) if since else None
        node["fired_by"] = _fired_by(group)
        path = (*above, frozenset(members))
        following = [
            one for one in below.values() if not any(id(one) in level for level in path)
        ]
        waits = any(one.waits_for for one in members.values())
        ends_in_itself = waits and not below and node["fired_by"] is None
        if len(following) < len(below) or ends_in_itself:
            node["circle"] = True
        node["waits_for"] = self._build(following, path) if len(path) < _DEEPEST else []
        return node


def _order(node: Node) -> tuple[Any, ...]:
    """Most first, then what nobody fires, then by place: the same each time."""
    by = node["fired_by"]
    is_fired = by is None or by["kind"] != "nobody"
    return -node["count"], is_fired, node["file"] or "", node["line"] or 0


def _plain(one: Waiting) -> Node:
    file, line = one.place or (None, None)
    made = None
    if one.made is not None:
        made = {"file": _text(one.made.file), "line": one.made.line}
    return {
        "kind": one.kind,
        "name": _text(one.name),
        "file": _text(file),
        "line": line,
        "since": None,
        "count": 1,
        "then": [_text(name) for name in one.then],
        "made": made,
        "waits_for": [],
        "fired_by": None,
    }


def _alike(one: Waiting) -> Any:
    made = one.made and (one.made.file, one.made.line)
    fired_by = one.fired_by and (one.fired_by["kind"], one.fired_by.get("name"))
    return one.kind, one.name, one.place, made, one.then, fired_by


def _fired_by(group: list[Waiting]) -> dict[str, Any] | None:
    """That of the one that is fired first; a peer only if it is that of all."""
    events = [one.fired_by for one in group if one.fired_by is not None]
    if not events:
        return None
    first = min(events, key=lambda event: _seconds(event.get("in")))
    found = dict(first)
    for name in ("peer", "pid", "held_by", "within"):
        if any(event.get(name) != found.get(name) for event in events):
            found[name] = None
    return found


def _seconds(value: Any) -> float:
    return float("inf") if value is None else float(value)


def _without_those_between(waiting: list[Waiting]) -> list[Waiting]:
    """In the place of those that only stand between two others, what they wait for."""
    found: dict[int, Waiting] = {}
    seen: set[int] = set()
    queue = list(reversed(waiting))
    while queue:
        one = queue.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.passes and one.waits_for and not one.then:
            queue += reversed(one.waits_for)
        else:
            found[id(one)] = one
    return list(found.values())


def _text(text: str | None) -> str | None:
    return None if text is None else printable(text, longest=_LONGEST)
