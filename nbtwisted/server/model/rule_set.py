"""An ordered list of rules, and an index of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from urllib.parse import unquote

from nbtwisted.server.model.request import Request
from nbtwisted.server.model.rule import Rule

__all__ = ["MOST_ALIKE", "MOST_RULES", "NO_RULES", "RuleSet", "TooManyRules"]

MOST_RULES = 10_000

MOST_ALIKE = 1_000
"""Rules whose paths are the same up to their first wildcard: a request is compared with
all of these, one by one."""

MOST_COMPARED = 20_000
"""Pairs of rules that are compared to find those that can never act."""

MOST_SEGMENTS = 256
"""Segments of a request's path that is compared with patterns."""

MOST_WARNINGS = 100

_Place = tuple[int, Rule]


class TooManyRules(ValueError):
    """There are more rules than can be looked through for each request."""


class RuleSet:
    """Rules in their order, of which the first that is for a request decides.

    `rules` has all of them. They are indexed by their path up to its first wildcard, or
    by their target. Raises `TooManyRules`.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Sequence[Rule] = tuple(rules)
        if len(self.rules) > MOST_RULES:
            raise TooManyRules(f"at most {MOST_RULES} rules")
        self._by_target: dict[bytes, list[_Place]] = {}
        self._by_prefix: dict[tuple[str, ...], list[_Place]] = {}
        for place in enumerate(self.rules):
            rule = place[1]
            if not rule.is_enabled:
                continue
            if rule.match.target is not None:
                self._by_target.setdefault(rule.match.target, []).append(place)
            else:
                path = rule.match.path
                prefix = () if path is None else path.prefix
                alike = self._by_prefix.setdefault(prefix, [])
                alike.append(place)
                if len(alike) > MOST_ALIKE:
                    beginning = "/" + "/".join(prefix)
                    raise TooManyRules(
                        f"at most {MOST_ALIKE} rules whose path is {beginning}, or has "
                        "its first wildcard behind that"
                    )
        self._depths = sorted({len(prefix) for prefix in self._by_prefix})

    @cached_property
    def warnings(self) -> Sequence[str]:
        """Sentences about rules that never act, or are not what they look like."""
        of_rules = chain.from_iterable(rule.warnings for rule in self.rules)
        return list(islice(chain(of_rules, self._shadowed()), MOST_WARNINGS))

    def __bool__(self) -> bool:
        return bool(self._by_target or self._by_prefix)

    def find(self, request: Request) -> tuple[Rule, Mapping[str, str]] | None:
        """The rule for a request, and the captures of its path.

        Raises `TooMany` for a query with too many fields, if some rule needs to know.
        """
        segments = _segments(request.path)
        for _, rule in self._candidates(request.target, segments):
            captures = rule.match.captures(request, segments)
            if captures is not None:
                return rule, captures
        return None

    def _candidates(self, target: bytes, segments: Sequence[str]) -> Sequence[_Place]:
        """The rules that may be for a request, in their order."""
        found = [self._by_target[target]] if target in self._by_target else []
        for depth in self._depths:
            if depth > len(segments):
                break
            alike = self._by_prefix.get(tuple(segments[:depth]))
            if alike is not None:
                found.append(alike)
        if len(found) < 2:
            return found[0] if found else ()
        return sorted(chain.from_iterable(found), key=_order)

    def _shadowed(self) -> Iterable[str]:
        """Warnings about rules of which none can act because of one before it."""
        left = MOST_COMPARED
        for order, rule in enumerate(self.rules):
            if not rule.is_enabled:
                continue
            match = rule.match
            if match.target is not None:
                segments = _segments(match.target.partition(b"?")[0])
            else:
                segments = () if match.path is None else match.path.prefix
            for before, other in self._candidates(match.target or b"", segments):
                left -= 1
                if before >= order or left < 0:
                    break
                if other.expires is None and other.match.covers(match):
                    yield (
                        f"rule {rule.name!r} can never act: rule {other.name!r} before "
                        "it is for all of its requests"
                    )
                    break


def _order(place: _Place) -> int:
    return place[0]


def _segments(path: bytes) -> Sequence[str]:
    """The parts of a path between its slashes, unquoted."""
    parts = path.decode("utf-8", "backslashreplace").split("/", MOST_SEGMENTS + 1)[1:]
    if len(parts) > MOST_SEGMENTS:
        return ()
    return [unquote(part) for part in parts] if b"%" in path else parts


NO_RULES = RuleSet(())
