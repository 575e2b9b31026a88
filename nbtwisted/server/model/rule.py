"""Rules: what is asked of a request that does not ask for it itself. Pure.

A rule has the requests that it is for (`match`), and the controls that hold for them,
by the names that requests have for them, without `_`. docs/rules.md has the language.
"""

from __future__ import annotations

import json
import math
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from nbtwisted.duration import EXPECTED, parse_duration
from nbtwisted.printable import printable
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.browsers import is_for_operators
from nbtwisted.server.model.controls import (
    CONTROLS,
    JSON,
    LONGEST_NAME,
    Content,
    Controls,
    UnreadableControl,
    read_controls,
)
from nbtwisted.server.model.key import shortened
from nbtwisted.server.model.match import Match, parse_match
from nbtwisted.server.model.request import Request
from nbtwisted.server.model.template import (
    Template,
    TextBody,
    Values,
    placeholders,
)

__all__ = ["Phase", "Reading", "Rule", "UnreadableRule", "parse_rule"]

MOST_STEPS = 10_000
MOST_PHASES = 100
LONGEST_RULE_NAME = 100

_OF_A_PART = (*CONTROLS, "body_file")
_NOT_OF_A_STEP = ("seq", "limit", "key", "read")
_FIELDS = (
    *("name", "match", *_OF_A_PART),
    *("steps", "during", "for", "strict", "enabled"),
)

_EMPTY = Behaviour(Whole(b""), headers=())


class UnreadableRule(ValueError):
    """A rule cannot be read.

    rule       its name, or its number as `rule 3`
    field      the field that is wrong, such as `delay` or `match.path`
    value      as it was given, as text
    expected   what would have been right
    error      says whether the field is unknown or its value is wrong
    line       of the file that it is from, if that is known
    """

    def __init__(
        self, rule: str, field: str, value: str, expected: str, error: str = ""
    ) -> None:
        super().__init__(rule, field, value, expected, error)
        self.rule = rule
        self.field = field
        self.value = printable(value, longest=80)
        self.expected = expected
        self.error = error or f"bad value for {field}"
        self.line: int | None = None

    def __str__(self) -> str:
        where = "" if self.line is None else f"line {self.line}: "
        rule = "" if self.rule == "rule" else f"rule {self.rule!r}: "
        return f"{where}{rule}{self.error} ({self.value!r}): expected {self.expected}"

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

    def over(
        self,
        behaviour: Behaviour | None,
        request: Request,
        captures: Mapping[str, str],
        seconds: float,
    ) -> Behaviour:
        """What a route's behaviour becomes; None if there is no route.

        `seconds` are those since the start, or since the last reset.
        """
        changed = (behaviour or _EMPTY).under(self.controls)
        for phase in self.phases:
            if phase.begins <= seconds < phase.ends:
                changed = changed.under(phase.controls)
        if not self.has_values:
            return changed._replace(rule=self.name)
        values = Values(captures, request.fields, request.headers)
        key = changed.key
        if isinstance(key, Template):
            filled = shortened(values.fill(key, str).encode())
            key = filled.decode("utf-8", "replace")
        return changed._replace(rule=self.name, values=values, key=key)


@dataclass(frozen=True)
class Reading:
    """What rules are read with.

    max_delay    seconds: the longest delay that a rule may have
    read_file    the content of a `body_file`; raises `ValueError` with what was
                 expected
    """

    max_delay: float
    read_file: Callable[[str], bytes]


def parse_rule(given: object, number: int, reading: Reading) -> Rule:
    """Read a rule, the `number`th of its file; raises `UnreadableRule`."""
    return _Parser(f"rule {number}", reading).rule(given)


class _Parser:
    """Reads one rule."""

    def __init__(self, name: str, reading: Reading) -> None:
        self._name = name
        self._reading = reading
        self._warnings: list[str] = []
        self._has_values = False
        self._captures: Sequence[str] = ()

    def rule(self, given: object) -> Rule:
        table = self._table("rule", given, _FIELDS)
        self._name = self._read_name(table.get("name", self._name))
        match = self._match(table.get("match", {}))
        controls = self._controls("", table)
        if "steps" in table:
            if controls.steps:
                raise self._error("steps", table["steps"], "either steps or seq")
            steps = self._list("steps", table["steps"], MOST_STEPS)
            controls = replace(controls, steps=tuple(self._steps(steps)))
        phases = self._list("during", table.get("during", []), MOST_PHASES)
        parts = [controls, *controls.steps]
        read_phases = tuple(map(self._phase, phases))
        parts += [phase.controls for phase in read_phases]
        return Rule(
            self._name,
            match,
            controls,
            read_phases,
            source={**table, "name": self._name},
            has_content=any(part.content for part in parts),
            has_values=self._has_values,
            is_strict=self._switch(table, "strict", False),
            is_enabled=self._switch(table, "enabled", True),
            expires=self._seconds("for", table["for"]) if "for" in table else None,
            warnings=tuple(self._warnings),
        )

    def _read_name(self, name: object) -> str:
        if (
            not isinstance(name, str)
            or not 0 < len(name) <= LONGEST_RULE_NAME
            or not name.isprintable()
        ):
            expected = f"a text of 1 to {LONGEST_RULE_NAME} printable characters"
            raise self._error("name", name, expected)
        return name

    def _match(self, given: object) -> Match:
        names = ("method", "path", "target", "query", "header")
        table = self._table("match", given, names)

        def refuse(field: str, value: object, expected: str) -> UnreadableRule:
            return self._error(f"match.{field}", value, expected)

        match = parse_match(table, refuse)
        beginning = "" if match.path is None else "/".join(["", *match.path.prefix])
        place = match.target or beginning.encode()
        if is_for_operators(place.partition(b"?")[0]):
            raise refuse("path", place.decode(), "a path that is not for operators")
        self._captures = () if match.path is None else match.path.names
        return match

    def _steps(self, given: Sequence[object]) -> list[Controls]:
        allowed = tuple(name for name in _OF_A_PART if name not in _NOT_OF_A_STEP)
        return [
            self._controls(f"steps[{n}].", self._table(f"steps[{n}]", step, allowed))
            for n, step in enumerate(given, 1)
        ]

    def _phase(self, given: object) -> Phase:
        table = self._table("during", given, ("from", "until", *_OF_A_PART))
        begins = self._seconds("during.from", table.get("from", 0))
        ends = math.inf
        if "until" in table:
            ends = self._seconds("during.until", table["until"])
            if ends <= begins:
                raise self._error("during.until", table["until"], "a time after from")
        return Phase(begins, ends, self._controls("during.", table))

    def _controls(self, where: str, table: Mapping[str, Any]) -> Controls:
        """The controls among the fields of a table."""
        texts = {
            name: self._texts(f"{where}{name}", name, table[name])
            for name in CONTROLS
            if name in table
        }
        try:
            read = read_controls(texts, max_delay=self._reading.max_delay)
        except UnreadableControl as error:
            name = error.control[1:]
            raise self._error(f"{where}{name}", error.value, error.expected) from None
        read = self._as_templates(where, read)
        if "body_file" not in table:
            return read
        if read.content is not None:
            expected = "one of body, body_file, json and size"
            raise self._error(f"{where}body_file", table["body_file"], expected)
        return replace(read, content=self._file(where, table["body_file"]))

    def _texts(self, where: str, name: str, value: object) -> list[str]:
        """The values of a control, as texts such as requests have."""
        if name == "json":
            try:
                return [json.dumps(value, ensure_ascii=False, allow_nan=False)]
            except (TypeError, ValueError):
                raise self._error(where, value, "values that JSON has") from None
        if name == "header" and isinstance(value, Mapping):
            value = [f"{key}: {text}" for key, text in value.items()]
        values = value if isinstance(value, list) else [value]
        for each in values:
            if isinstance(each, bool) or not isinstance(each, (str, int, float)):
                raise self._error(where, value, "a text or a number")
        texts = list(map(str, values))
        return texts if name == "header" else [",".join(texts)]

    def _file(self, where: str, path: object) -> Content:
        if not isinstance(path, str) or "\0" in path:
            raise self._error(f"{where}body_file", path, "the path of a file")
        try:
            content = self._reading.read_file(path)
        except ValueError as error:
            raise self._error(f"{where}body_file", path, str(error)) from None
        kind, encoding = mimetypes.guess_type(path)
        if kind is None or encoding is not None:
            kind = "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return Content(Whole(content), kind)

    def _as_templates(self, where: str, read: Controls) -> Controls:
        """The controls, with templates for the texts that have placeholders."""
        headers = tuple(
            (name, self._template(f"{where}header", text))
            for name, text in read.headers
        )
        key = None if read.key is None else self._template(f"{where}key", read.key)
        content = read.content
        if content is not None and isinstance(content.body, Whole):
            text = self._template(f"{where}body", content.body.content.decode())
            if isinstance(text, Template):
                is_json = content.content_type == JSON
                content = content._replace(body=TextBody(text, is_json))
        return replace(read, headers=headers, content=content, key=key)

    def _template(self, where: str, text: str) -> str:
        known = (*self._captures, "now", *(() if where.endswith("key") else "n"))
        names = placeholders(text)
        unknown = [n for n in names if "." not in n and n not in known]
        if unknown:
            self._warnings.append(
                f"rule {self._name!r}: {where} has {{{unknown[0]}}}, which stays as it "
                f"is: expected one of {', '.join(known)}, query.NAME or header.NAME"
            )
        if len(unknown) == len(names):
            return text
        self._has_values = True
        return Template(text)

    # What is not of this language alone.

    def _table(self, where: str, given: object, known: Sequence[str]) -> Any:
        if not isinstance(given, Mapping):
            raise self._error(where, given, f"a table of {', '.join(known)}")
        for name in given:
            if name not in known:
                expected = f"one of {', '.join(known)}"
                short = str(name)[:LONGEST_NAME].removeprefix("_").lower()
                nearest = get_close_matches(short, known, n=1)
                if nearest:
                    expected = f"{nearest[0]}, or another {expected}"
                raise self._error(
                    f"{where}.{name}" if where != "rule" else str(name),
                    given[name],
                    expected,
                    "no such field",
                )
        return given

    def _list(self, where: str, given: object, most: int) -> Sequence[object]:
        if not isinstance(given, list) or len(given) > most:
            raise self._error(where, given, f"a list of at most {most} tables")
        return given

    def _seconds(self, where: str, given: object) -> float:
        try:
            if isinstance(given, (str, int, float)) and not isinstance(given, bool):
                return parse_duration(str(given))
        except ValueError:
            pass
        raise self._error(where, given, EXPECTED)

    def _switch(self, table: Mapping[str, Any], name: str, default: bool) -> bool:
        given = table.get(name, default)
        if not isinstance(given, bool):
            raise self._error(name, given, "true or false")
        return given

    def _error(
        self, where: str, value: object, expected: str, error: str = ""
    ) -> UnreadableRule:
        text = value if isinstance(value, str) else _as_json(value)
        return UnreadableRule(self._name, where, text, expected, error)


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
