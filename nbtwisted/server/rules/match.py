"""The condition of a rule: which requests it is for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbtwisted.http1.syntax import is_token
from nbtwisted.server.model.request import Request
from nbtwisted.server.rules.pattern import LONGEST_PATTERN, Glob, PathPattern

__all__ = ["Condition", "Match", "parse_match"]

MOST_CONDITIONS = 32
"""Parameters, and header fields, of one rule."""

Condition = Glob | bool
"""What a value is like; or whether there is one."""


@dataclass(frozen=True)
class Match:
    """The requests that a rule is for: those that fulfil all of it.

    methods   None for all of them
    path      the pattern of the path; None for any
    target    the whole target; None for any
    query     conditions for parameters of the target, by name
    headers   conditions for header fields, by name in lower case
    """

    methods: frozenset[bytes] | None = None
    path: PathPattern | None = None
    target: bytes | None = None
    query: tuple[tuple[bytes, Condition], ...] = ()
    headers: tuple[tuple[bytes, Condition], ...] = ()

    def holds(self, request: Request) -> bool:
        """Whether a request to the path or the target fulfils the rest.

        Raises `TooMany` for a query with too many fields.
        """
        return (
            (self.methods is None or request.method in self.methods)
            and (not self.query or _hold(self.query, request.fields))
            and (not self.headers or _hold(self.headers, request.headers.by_name))
        )

    def differences(self, request: Request) -> Iterator[str]:
        """The conditions that a request breaks: `method`, `query page` and so on.

        Raises `TooMany` for a query with too many fields.
        """
        if self.methods is not None and request.method not in self.methods:
            yield "method"
        for condition in self.query:
            if not _hold([condition], request.fields):
                yield f"query {condition[0].decode()}"
        for condition in self.headers:
            if not _hold([condition], request.headers.by_name):
                yield f"header {condition[0].decode()}"

    def covers(self, other: Match) -> bool:
        """Whether this is surely for all requests that the other one is for."""
        if self.methods is not None and not (
            other.methods is not None and other.methods <= self.methods
        ):
            return False
        if self.target is not None and self.target != other.target:
            return False
        if self.path is not None and not (
            other.path is not None and self.path.covers(other.path)
        ):
            return False
        return _covers(self.query, other.query) and _covers(self.headers, other.headers)


def _hold(
    conditions: Iterable[tuple[bytes, Condition]],
    values: Mapping[bytes, Sequence[bytes]],
) -> bool:
    for name, condition in conditions:
        given = values.get(name)
        if isinstance(condition, bool):
            if (given is not None) is not condition:
                return False
        elif given is None or not condition.matches_one_of(given):
            return False
    return True


def _covers(
    ours: Iterable[tuple[bytes, Condition]], theirs: Iterable[tuple[bytes, Condition]]
) -> bool:
    known = dict(theirs)
    return all(
        name in known and _implies(known[name], condition) for name, condition in ours
    )


def _implies(theirs: Condition, ours: Condition) -> bool:
    if isinstance(theirs, bool) or isinstance(ours, bool):
        return theirs == ours or (ours is True and isinstance(theirs, Glob))
    return ours.covers(theirs)


def parse_match(
    table: Mapping[str, Any], refuse: Callable[[str, object, str], Exception]
) -> Match:
    """Read a condition.

    Raises what `refuse` makes of a field, its value, and what was expected.
    """
    path, target = table.get("path"), table.get("target")
    pattern = None
    if path is not None:
        try:
            if not isinstance(path, str):
                raise ValueError("a path such as /orders/{id}")
            pattern = PathPattern.parse(path)
        except ValueError as error:
            raise refuse("path", path, str(error)) from None
    raw = None
    if target is not None:
        if path is not None:
            raise refuse("target", target, "either path or target")
        if not isinstance(target, str) or not target.startswith("/"):
            raise refuse("target", target, "a path and a query such as /orders?page=1")
        raw = target.encode("utf-8", "replace")
    return Match(
        _methods(table.get("method"), refuse),
        pattern,
        raw,
        _conditions("query", table.get("query", {}), refuse),
        _conditions("header", table.get("header", {}), refuse),
    )


def _methods(
    given: object, refuse: Callable[[str, object, str], Exception]
) -> frozenset[bytes] | None:
    if given is None:
        return None
    methods: set[bytes] = set()
    for method in given if isinstance(given, list) and given else [given]:
        if not isinstance(method, str) or not is_token(method):
            raise refuse("method", given, "a method such as GET, or a list of them")
        methods.add(method.encode())
    return frozenset(methods | {b"HEAD"} if b"GET" in methods else methods)


def _conditions(
    kind: str, given: object, refuse: Callable[[str, object, str], Exception]
) -> tuple[tuple[bytes, Condition], ...]:
    if not isinstance(given, Mapping) or len(given) > MOST_CONDITIONS:
        expected = f"a table of names and values, of at most {MOST_CONDITIONS}"
        raise refuse(kind, given, expected)
    conditions: list[tuple[bytes, Condition]] = []
    for name, value in given.items():
        if kind == "header" and not is_token(name):
            raise refuse(f"{kind}.{name}", value, "the name of a header")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, (str, bool)) or len(str(value)) > LONGEST_PATTERN:
            expected = "a text, in which * is any text; or true or false"
            raise refuse(f"{kind}.{name}", value, expected)
        wanted = name.lower() if kind == "header" else name
        condition = value if isinstance(value, bool) else Glob(value)
        conditions.append((wanted.encode("utf-8", "replace"), condition))
    return tuple(conditions)
