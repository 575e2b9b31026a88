"""An index of rules: which of them is the first for a request. Pure.

Rules of one path are a `Group`. A tree of the paths' segments leads to the groups of a
request's path; in each, the values without `*` of parameters and header fields lead to
the rules that ask for them. So a hundred rules cost a request little more than one.
Only those that wildcards alone tell apart are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from nbtwisted.server.model.match import Match
from nbtwisted.server.model.pattern import REST, Glob, PathPattern, Segment
from nbtwisted.server.model.request import Request
from nbtwisted.server.model.rule import Rule

__all__ = ["MOST_ALIKE", "Group", "Place", "Tree"]

MOST_ALIKE = 1_000
"""Rules that a request is compared with one by one, of one path."""


class Place(NamedTuple):
    """A rule, and its number in the order of all."""

    number: int
    rule: Rule


class Group:
    """Rules of one path, of which the first whose other conditions hold decides."""

    def __init__(self) -> None:
        self._by_value: dict[tuple[str, bytes], dict[str, list[Place]]] = {}
        """By the parameter or the header field, and by its value."""
        self._others: list[Place] = []
        self._is_full = False

    def add(self, place: Place) -> int:
        """Add a rule behind all others; returns with how many it has to be compared."""
        if self._is_full:
            # One before it is for all of its requests.
            return 0
        match = place.rule.match
        for kind, conditions in (("query", match.query), ("header", match.headers)):
            for name, condition in conditions:
                if isinstance(condition, Glob) and "*" not in condition.text:
                    by_value = self._by_value.setdefault((kind, name), {})
                    alike = by_value.setdefault(condition.text, [])
                    alike.append(place)
                    return len(alike)
        self._others.append(place)
        self._is_full = match == Match(path=match.path, target=match.target)
        return len(self._others)

    def __iter__(self) -> Iterator[Place]:
        """All of its rules, in no order."""
        yield from self._others
        for by_value in self._by_value.values():
            yield from chain.from_iterable(by_value.values())

    def first(self, request: Request) -> Place | None:
        """The first rule for a request to the path; raises `TooMany`."""
        found = None
        for place in self._others:
            if place.rule.match.holds(request):
                found = place
                break
        for (kind, name), by_value in self._by_value.items():
            given = request.headers.by_name if kind == "header" else request.fields
            for value in given.get(name, ()):
                for place in by_value.get(value.decode("utf-8", "replace"), ()):
                    if found is not None and found.number < place.number:
                        break
                    if place.rule.match.holds(request):
                        found = place
                        break
        return found


class _Node:
    """A place in the tree: what there is behind the segments that lead to it."""

    __slots__ = ("ends", "literal", "rest", "runs", "wild")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.wild: list[tuple[Segment, _Node]] = []
        self.ends: Group | None = None
        """The rules whose path ends here."""
        self.rest: Group | None = None
        """Those whose path ends in `**` here."""
        self.runs: dict[str | None, list[tuple[PathPattern, Group]]] = {}
        """Those whose path goes on with `**` here, by its last segment; None for one
        with a wildcard."""


class Tree:
    """The groups of rules by their paths."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, place: Place) -> int:
        """Add a rule behind all others; returns with how many it has to be compared."""
        path = place.rule.match.path
        segments = (REST,) if path is None else path.segments
        node, alike = self._root, 0
        for depth, segment in enumerate(segments):
            if segment is REST:
                if depth + 1 == len(segments):
                    node.rest = group = node.rest or Group()
                else:
                    assert path is not None
                    last = None if segments[-1].is_wild else segments[-1].before
                    runs = node.runs.setdefault(last, [])
                    group = _of(path, runs)
                    alike = max(alike, len(runs))
                return max(alike, group.add(place))
            if segment.is_wild:
                node, count = _behind(segment, node.wild)
                alike = max(alike, count)
            else:
                node = node.literal.setdefault(segment.before, _Node())
        node.ends = group = node.ends or Group()
        return max(alike, group.add(place))

    def groups(self, path: Sequence[str]) -> Iterator[Group]:
        """The groups whose path is this one, which is given by its segments."""
        nodes = [self._root]
        for segment in path:
            behind: list[_Node] = []
            for node in nodes:
                yield from _with_rest(node, path)
                child = node.literal.get(segment)
                if child is not None:
                    behind.append(child)
                for wild, child in node.wild:
                    if wild.matches(segment):
                        behind.append(child)
            nodes = behind
        for node in nodes:
            yield from _with_rest(node, path)
            if node.ends is not None:
                yield node.ends


def _with_rest(node: _Node, path: Sequence[str]) -> Iterator[Group]:
    """The groups whose `**` is here."""
    if node.rest is not None:
        yield node.rest
    if node.runs:
        for last in (path[-1] if path else None, None):
            for pattern, group in node.runs.get(last, ()):
                if pattern.match(path) is not None:
                    yield group


def _of(path: PathPattern, runs: list[tuple[PathPattern, Group]]) -> Group:
    for pattern, group in runs:
        if pattern == path:
            return group
    group = Group()
    runs.append((path, group))
    return group


def _behind(segment: Segment, wild: list[tuple[Segment, _Node]]) -> tuple[_Node, int]:
    """The node behind a segment with a wildcard, and how many of these there are."""
    for other, node in wild:
        if (other.before, other.after) == (segment.before, segment.after):
            return node, len(wild)
    node = _Node()
    wild.append((segment, node))
    return node, len(wild)
