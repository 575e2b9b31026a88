"""An index of rules: which of them is the first for a request. Pure.

Rules of one path are a `Group`. A tree of the paths' segments leads to the groups of a
request's path; in each, the values without `*` of parameters and header fields lead to
the rules that ask for them. So a hundred rules cost a request little more than one.
Only those that wildcards alone tell apart are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from nbtwisted.server.model.request import Request
from nbtwisted.server.rules.match import Match
from nbtwisted.server.rules.pattern import REST, Glob, PathPattern, Segment
from nbtwisted.server.rules.rule import Rule

__all__ = ["MOST_ALIKE", "Group", "Place", "Tree"]

MOST_ALIKE = 1_000
"""Rules that a request is compared with one by one, of one path."""


class Place(NamedTuple):
    """A rule, and its number in the order of all."""

    number: int
    rule: Rule


class _Asking:
    """Rules that ask for a parameter, or for a header field, of one name."""

    __slots__ = ("by_value", "others")

    def __init__(self) -> None:
        self.by_value: dict[str, list[Place]] = {}
        self.others: list[Place] = []
        """Those that take more than one value."""

    def places(self) -> Iterator[Place]:
        """All of them, in no order."""
        return chain(self.others, *self.by_value.values())


class Group:
    """Rules of one path, of which the first whose other conditions hold decides."""

    __slots__ = ("_by_header", "_by_parameter", "_is_full", "_others")

    def __init__(self) -> None:
        self._by_parameter: dict[bytes, _Asking] = {}
        self._by_header: dict[bytes, _Asking] = {}
        self._others: list[Place] = []
        """Those that ask for neither."""
        self._is_full = False

    def add(self, place: Place) -> int:
        """Add a rule behind all others; returns with how many it has to be compared."""
        if self._is_full:
            # One before it is for all of its requests.
            return 0
        match = place.rule.match
        wanted = [
            (asking, name, condition)
            for asking, conditions in (
                (self._by_parameter, match.query),
                (self._by_header, match.headers),
            )
            for name, condition in conditions
            if condition is not False
        ]
        for asking, name, condition in wanted:
            if isinstance(condition, Glob) and "*" not in condition.text:
                by_value = asking.setdefault(name, _Asking()).by_value
                alike = by_value.setdefault(condition.text, [])
                break
        else:
            alike = self._others
            if wanted:
                asking, name, _ = wanted[0]
                alike = asking.setdefault(name, _Asking()).others
            self._is_full = match == Match(path=match.path, target=match.target)
        alike.append(place)
        return len(alike)

    def __iter__(self) -> Iterator[Place]:
        """All of its rules, in no order."""
        yield from self._others
        for asking in (*self._by_parameter.values(), *self._by_header.values()):
            yield from asking.places()

    def first(
        self, request: Request, has_parameter: bool = True, has_header: bool = True
    ) -> Place | None:
        """The first rule for a request to the path; raises `TooMany`.

        `has_parameter` and `has_header` are whether the request has one of those that
        rules ask for, as far as that is known.
        """
        found = None
        for place in self._others:
            if place.rule.match.holds(request):
                found = place
                break
        if has_parameter and self._by_parameter:
            found = _first(self._by_parameter, request.fields, request, found)
        if has_header and self._by_header:
            found = _first(self._by_header, request.headers.by_name, request, found)
        return found


def _first(
    by_name: Mapping[bytes, _Asking],
    values: Mapping[bytes, Sequence[bytes]],
    request: Request,
    found: Place | None,
) -> Place | None:
    """The first of these rules, if there is one before `found`."""
    for name, asking in by_name.items():
        given = values.get(name)
        if given is None:
            continue
        candidates = [asking.others]
        for value in given:
            alike = asking.by_value.get(value.decode("utf-8", "replace"))
            if alike is not None:
                candidates.append(alike)
        for places in candidates:
            for place in places:
                if found is not None and found.number < place.number:
                    break
                if place.rule.match.holds(request):
                    found = place
                    break
    return found


class _Node:
    """A place in the tree: what there is behind the segments that lead to it.

    Most of it is None in most nodes, of which ten thousand rules have many.
    """

    __slots__ = ("any", "ends", "literal", "rest", "runs", "wild")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] | None = None
        self.any: _Node | None = None
        """Behind a wildcard that is a whole segment."""
        self.wild: list[tuple[Segment, _Node]] | None = None
        """Behind other wildcards."""
        self.ends: Group | None = None
        """The rules whose path ends here."""
        self.rest: Group | None = None
        """Those whose path ends in `**` here."""
        self.runs: dict[str | None, list[tuple[PathPattern, Group]]] | None = None
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
                    if node.runs is None:
                        node.runs = {}
                    runs = node.runs.setdefault(last, [])
                    group = _of(path, runs)
                    alike = max(alike, len(runs))
                return max(alike, group.add(place))
            if not segment.is_wild:
                if node.literal is None:
                    node.literal = {}
                behind = node.literal.get(segment.before)
                if behind is None:
                    node.literal[segment.before] = behind = _Node()
                node = behind
            elif not (segment.before or segment.after):
                node.any = node = node.any or _Node()
            else:
                if node.wild is None:
                    node.wild = []
                node, count = _behind(segment, node.wild)
                alike = max(alike, count)
        node.ends = group = node.ends or Group()
        return max(alike, group.add(place))

    def groups(self, path: Sequence[str]) -> list[Group]:
        """The groups whose path is this one, which is given by its segments."""
        found: list[Group] = []
        nodes = [self._root]
        # None stands for the end of the path.
        for segment in (*path, None):
            behind: list[_Node] = []
            for node in nodes:
                if node.rest is not None:
                    found.append(node.rest)
                if node.runs is not None:
                    found += _of_runs(node.runs, path)
                if segment is None:
                    if node.ends is not None:
                        found.append(node.ends)
                    continue
                if node.literal is not None:
                    child = node.literal.get(segment)
                    if child is not None:
                        behind.append(child)
                if node.any is not None and segment:
                    behind.append(node.any)
                for wild, child in node.wild or ():
                    if wild.matches(segment):
                        behind.append(child)
            nodes = behind
        return found


def _of_runs(
    runs: Mapping[str | None, Sequence[tuple[PathPattern, Group]]], path: Sequence[str]
) -> Iterator[Group]:
    """Those of the groups whose pattern is for the path."""
    for last in (path[-1], None) if path else ():
        for pattern, group in runs.get(last, ()):
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
