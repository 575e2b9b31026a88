"""An ordered list of rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from heapq import nsmallest
from itertools import chain, islice
from operator import itemgetter
from urllib.parse import unquote

from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.server.model.request import Request
from nbtwisted.server.rules.index import MOST_ALIKE, Group, Place, Tree
from nbtwisted.server.rules.match import Condition
from nbtwisted.server.rules.rule import Rule

__all__ = ["MOST_RULES", "NO_RULES", "RuleSet", "TooManyRules"]

MOST_RULES = 10_000

MOST_COMPARED = 200_000
"""Pairs of segments that are compared to find rules that can never act."""

MOST_SEGMENTS = 256
"""Segments of a request's path that is compared with patterns."""

MOST_WARNINGS = 100

MOST_NEAR = 5
"""Rules that are named when none is for a request."""


class TooManyRules(ValueError):
    """There are more rules than can be looked through for each request."""


class RuleSet:
    """Rules in their order, of which the first that is for a request decides.

    rules     all of them
    all_act   whether all decide together: then none is in the way of another

    Raises `TooManyRules`.
    """

    def __init__(self, rules: Iterable[Rule], *, all_act: bool = False) -> None:
        self._all_act = all_act
        self.rules: Sequence[Rule] = tuple(rules)
        if len(self.rules) > MOST_RULES:
            raise TooManyRules(f"at most {MOST_RULES} rules")
        self._by_target: dict[bytes, Group] = {}
        self._tree = Tree()
        self._is_empty = True
        for place in map(Place._make, enumerate(self.rules)):
            rule = place.rule
            if not rule.is_enabled:
                continue
            self._is_empty = False
            target = rule.match.target
            if target is None:
                alike = self._tree.add(place)
            else:
                alike = self._by_target.setdefault(target, Group()).add(place)
            if alike > MOST_ALIKE:
                raise TooManyRules(
                    f"at most {MOST_ALIKE} rules such as {rule.name!r}, which only "
                    "wildcards tell apart"
                )
        self._parameters = _names(rule.match.query for rule in self.rules)
        self._headers = _names(rule.match.headers for rule in self.rules)
        # Not a Memo, to which a path that comes once costs a microsecond: all may be
        # different. No method of its own: that would be a circle, and the rules many.
        most = Memo.MOST if Memo.is_on else 0
        self._groups = lru_cache(most)(partial(_find_groups, self._tree))

    def __bool__(self) -> bool:
        return not self._is_empty

    def find(self, request: Request) -> tuple[Rule, Mapping[str, str]] | None:
        """The rule for a request, and the captures of its path if it needs them.

        Raises `TooMany` for a query with too many fields, if some rule needs to know.
        """
        found = None
        path = request.path
        is_short = len(path) <= LONGEST_REMEMBERED
        groups = self._groups(path) if is_short else _find_groups(self._tree, path)
        # Most requests have nothing that rules ask for, which is seen at once.
        names = self._parameters
        has_parameter = bool(names) and not names.isdisjoint(request.fields)
        has_header = not self._headers.isdisjoint(request.headers.by_name)
        for group in groups:
            place = group.first(request, has_parameter, has_header)
            if place is not None and (found is None or place.number < found.number):
                found = place
        if self._by_target:
            group_of_target = self._by_target.get(request.target)
            if group_of_target is not None:
                place = group_of_target.first(request)
                if place is not None and (found is None or place.number < found.number):
                    found = place
        if found is None:
            return None
        rule = found.rule
        pattern = rule.match.path
        if pattern is None or not (rule.has_values and pattern.names):
            return rule, _NO_CAPTURES
        return rule, pattern.match(_segments(path)) or _NO_CAPTURES

    def near(self, request: Request) -> Mapping[str, Sequence[str]]:
        """The first rules of a path that are not for a request to it, and why.

        Raises `TooMany` for a query with too many fields.
        """
        places = chain.from_iterable(_find_groups(self._tree, request.path))
        of_path = (place for place in places if place.rule.names_a_path)
        return {
            place.rule.name: list(place.rule.match.differences(request))
            for place in nsmallest(MOST_NEAR, of_path, key=itemgetter(0))
        }

    @cached_property
    def warnings(self) -> Sequence[str]:
        """Sentences about rules that can never act, or are not what they look like."""
        of_rules = chain.from_iterable(rule.warnings for rule in self.rules)
        shadowed = () if self._all_act else self._shadowed()
        about_all = chain(self._of_one_name(), shadowed)
        return list(islice(chain(of_rules, about_all), MOST_WARNINGS))

    def _of_one_name(self) -> Iterable[str]:
        """Warnings about names that several rules have, each of another origin."""
        for name, count in Counter(rule.name for rule in self.rules).items():
            if count > 1:
                yield (
                    f"{count} rules are called {name!r}: by this name operators reach "
                    "only the first, and they share one count"
                )

    def _shadowed(self) -> Iterable[str]:
        """Warnings about rules of which none can act because of one before it."""
        left = MOST_COMPARED
        before: dict[bytes | tuple[str, ...], list[Rule]] = {}
        """By the target, or by the beginning of the path."""
        for rule in self.rules:
            if not rule.is_enabled:
                continue
            places = _places(rule)
            for other in chain.from_iterable(before.get(each, ()) for each in places):
                left -= _length(rule) * _length(other)
                if left < 0:
                    return
                if other.expires is None and other.match.covers(rule.match):
                    yield (
                        f"rule {rule.name!r} can never act: rule {other.name!r} before "
                        "it is for all of its requests"
                    )
                    break
            before.setdefault(places[-1], []).append(rule)


def _length(rule: Rule) -> int:
    """Segments of its path."""
    return 1 if rule.match.path is None else len(rule.match.path.segments)


def _places(rule: Rule) -> Sequence[bytes | tuple[str, ...]]:
    """The places of rules for all of its requests, if any; its own is the last."""
    if rule.match.target is not None:
        return [(), rule.match.target]
    prefix = () if rule.match.path is None else rule.match.path.prefix
    return [prefix[:depth] for depth in range(len(prefix) + 1)]


def _names(given: Iterable[Iterable[tuple[bytes, Condition]]]) -> frozenset[bytes]:
    """The names of what has to be there."""
    conditions = chain.from_iterable(given)
    return frozenset(name for name, condition in conditions if condition is not False)


def _find_groups(tree: Tree, path: bytes) -> tuple[Group, ...]:
    return tuple(tree.groups(_segments(path)))


def _segments(path: bytes) -> Sequence[str]:
    """The parts of a path between its slashes, unquoted."""
    parts = path.decode("utf-8", "backslashreplace").split("/", MOST_SEGMENTS + 1)[1:]
    if len(parts) > MOST_SEGMENTS:
        return ()
    return [unquote(part) for part in parts] if b"%" in path else parts


_NO_CAPTURES: Mapping[str, str] = {}

NO_RULES = RuleSet(())
