"""Rules: what is asked of a request that does not ask for it itself. Pure.

A rule has the requests that it is for (`match`), and the controls that hold for them,
by the names that requests have for them, without `_`. docs/rules.md has the language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbtwisted.printable import printable
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.controls import Controls
from nbtwisted.server.model.request import Request
from nbtwisted.server.model.template import Template, Values
from nbtwisted.server.rules.match import Match

__all__ = ["Phase", "Rule", "UnreadableRule"]


class UnreadableRule(ValueError):
    """A rule cannot be read.

    rule       its name, or its number as `rule 3`; empty where it is not about one
    number     of the rule in its list; 0 where it is not about one
    field      the field that is wrong, such as `delay` or `match.path`
    value      as it was given
    expected   what would have been right
    error      says whether the field is unknown or its value is wrong
    line       of the file that it is from, if that is known
    """

    def __init__(
        self,
        rule: str,
        field: str,
        value: object,
        expected: str,
        *,
        error: str = "",
        number: int = 0,
    ) -> None:
        super().__init__(rule, field, expected)
        self.rule = rule
        self.number = number
        self.field = printable(field, longest=80)
        self.value = printable(_as_text(value), longest=80)
        self.expected = expected
        self.error = error or f"bad value for {self.field}"
        self.line: int | None = None

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        rule = f"rule {self.rule!r}: " if self.rule else ""
        value = f" ({self.value!r})" if self.value else ""
        return f"{where}{rule}{self.error}{value}: expected {self.expected}"

    def as_json(self) -> dict[str, Any]:
        """The error as JSON values."""
        return {
            "error": self.error,
            "rule": self.rule,
            "control": self.field,
            "value": self.value,
            "expected": self.expected,
            **({} if self.line is None else {"line": self.line}),
        }


@dataclass(frozen=True)
class Phase:
    """Controls that hold for some time.

    begins, ends   seconds since the server's start, or since the last reset
    """

    begins: float
    ends: float
    controls: Controls

    def holds_at(self, seconds: float) -> bool:
        """Whether it is between its times."""
        return self.begins <= seconds < self.ends


@dataclass(frozen=True)
class Rule:
    """One rule.

    name         tells it from others
    match        the requests that it is for
    controls     of all of them, with steps by the number of requests before
    phases       what holds over these for some time
    source       as it was given: values that JSON has
    has_content  whether it has a body, in some step or phase at least
    has_values   whether something in it has to be filled in
    is_strict    whether the request's own controls are left to the path
    is_enabled   whether it acts
    expires      seconds from when it is set until it is gone; None for never
    warnings     sentences about what is probably not meant
    """

    name: str
    match: Match
    controls: Controls
    phases: tuple[Phase, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict, compare=False)
    has_content: bool = False
    has_values: bool = False
    is_strict: bool = False
    is_enabled: bool = True
    expires: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_route(self) -> bool:
        """Whether it is the whole answer, whatever route there is."""
        return self.has_content and self.names_a_path

    @property
    def names_a_path(self) -> bool:
        """Whether it is the route where there is none."""
        return self.match.path is not None or self.match.target is not None

    @property
    def is_fixed(self) -> bool:
        """Whether the same request gets the same behaviour at any time."""
        return not self.phases

    def reading_rate(self, seconds: float) -> float | None:
        """Bytes a second at which bodies of requests are read; None for no limit.

        `seconds` are those of `over`.
        """
        rate = self.controls.read
        for phase in self.phases:
            if phase.holds_at(seconds) and phase.controls.read is not None:
                rate = phase.controls.read
        return rate

    def over(
        self,
        behaviour: Behaviour,
        request: Request,
        captures: Mapping[str, str],
        seconds: float,
    ) -> Behaviour:
        """Lay the rule over a route's behaviour; over an empty one, if there is none.

        `seconds` are those since the start, or since the last reset.
        """
        changed = behaviour.under(self.controls)
        for phase in self.phases:
            if phase.holds_at(seconds):
                changed = changed.under(phase.controls)
        if not self.has_values:
            return changed
        values = Values(captures, request.fields, request.headers)
        key = changed.key
        if isinstance(key, Template):
            key = values.fill_key(key)
        return changed._replace(values=values, key=key)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        # A number of thousands of digits, or lists without end.
        return ""
