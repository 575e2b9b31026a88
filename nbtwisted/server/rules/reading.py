"""Reads rules from tables such as TOML and JSON have. Pure."""

from __future__ import annotations

import json
import math
import mimetypes
import re
from base64 import b64decode
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote

from nbtwisted.duration import EXPECTED, parse_duration
from nbtwisted.printable import printable
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.browsers import is_for_operators
from nbtwisted.server.model.control_text import (
    JSON,
    LONGEST_NAME,
    SERVED,
    UnreadableControl,
    Vocabulary,
    read_controls,
)
from nbtwisted.server.model.controls import Content, Controls
from nbtwisted.server.model.json_values import check_json
from nbtwisted.server.model.padded_body import lengthened
from nbtwisted.server.model.query import TooMany, parse_fields
from nbtwisted.server.model.template import (
    Template,
    TextBody,
    placeholders,
    unknown_parts,
)
from nbtwisted.server.rules.match import Match, parse_match
from nbtwisted.server.rules.pattern import foreign_syntax
from nbtwisted.server.rules.rule import Phase, Rule, UnreadableRule

__all__ = ["Reading", "no_file", "parse_default", "parse_rules"]

MOST_STEPS = 10_000
MOST_PHASES = 100
LONGEST_RULE_NAME = 100

_ONLY_OF_MATCH = ("method", "path", "target", "query")
_METHOD = re.compile(rb"[A-Z][A-Z0-9_-]*")
_NOT_OF_A_STEP = ("seq", "limit", "key", "read")
_OF_REQUESTS = ("match", "strict", "literal")
"""Fields of rules that are for requests, and not for streams."""


@dataclass(frozen=True)
class Reading:
    """The limit, the files and the words with which rules are read.

    max_delay    seconds: the longest delay that a rule may have
    read_file    the content of a `body_file`; raises `ValueError` with what was
                 expected
    vocabulary   the controls that rules may have
    """

    max_delay: float
    read_file: Callable[[str], bytes]
    vocabulary: Vocabulary = SERVED

    @property
    def of_a_part(self) -> tuple[str, ...]:
        """The fields that a rule has for its controls; its steps and phases, too."""
        names = self.vocabulary.names
        bodies = ("body_file", "body_base64", "body_size") if "body" in names else ()
        return (*names, *bodies)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a rule."""
        of_requests = _OF_REQUESTS if "body" in self.vocabulary.names else ()
        return (
            *("name", *of_requests, *self.of_a_part),
            *("steps", "during", "for", "enabled"),
        )


def no_file(path: str) -> bytes:
    """Refuse to read a file, where there are none to be had."""
    raise ValueError("body or json; files need --rules or --allow-files")


def parse_rules(
    given: object, reading: Reading, taken: Container[str] = ()
) -> list[Rule]:
    """Read a list of rules, whose names are different; raises `UnreadableRule`.

    Those without a name get one that is not `taken`.
    """
    if not isinstance(given, list):
        raise UnreadableRule("", "rule", given, "a list of tables, such as [[rule]]")
    rules = []
    names: set[str] = set()
    offset = 0
    for number, each in enumerate(given, 1):
        while f"rule {number + offset}" in taken:
            offset += 1
        rule = _Parser(number, f"rule {number + offset}", reading).rule(each)
        if rule.name in names:
            raise UnreadableRule(
                *(rule.name, "name", rule.name, "a name that no other rule has"),
                number=number,
            )
        names.add(rule.name)
        rules.append(rule)
    return rules


def parse_default(text: str, reading: Reading) -> Rule:
    """Read a rule for all requests, of controls as a query has them.

    Raises `UnreadableRule`.
    """
    given: dict[str, Any] = {"name": "--default"}
    try:
        fields = parse_fields(text.encode("utf-8", "surrogateescape"))
    except TooMany as error:
        raise UnreadableRule(
            "", "", text, f"at most {error.most} {error.what}"
        ) from None
    for raw_name, values in fields.items():
        name, *texts = (raw.decode("utf-8", "replace") for raw in (raw_name, *values))
        if not name.startswith("_"):
            expected = "controls such as _delay=50ms&_fault=reset:0.01"
            told = f"{printable(name, longest=80)!r} is no control"
            raise UnreadableRule("", name, "", expected, error=told)
        if name == "_json":
            try:
                given["json"] = json.loads(texts[0])
            except (ValueError, RecursionError):
                raise UnreadableRule("", name, texts[0], "JSON") from None
        else:
            given[name[1:]] = texts if name == "_header" else ",".join(texts)
    (rule,) = parse_rules([given], reading)
    return rule


class _Parser:
    """Reads one rule."""

    def __init__(self, number: int, name: str, reading: Reading) -> None:
        self._number = number
        self._name = name
        self._reading = reading
        self._warnings: list[str] = []
        self._has_values = False
        self._is_literal = False
        self._captures: Sequence[str] = ()

    def rule(self, given: object) -> Rule:
        if isinstance(given, Mapping):
            if isinstance(given.get("name"), str):
                self._name = self._read_name(given["name"])
            self._check_json(given)
            if "name" in given:
                self._read_name(given["name"])
        table = self._table("rule", given, self._reading.fields)
        match = self._match(table.get("match", {}))
        self._is_literal = self._switch(table, "literal", False)
        controls = replace(self._controls("", table), rule=self._name)
        if "steps" in table:
            if controls.steps:
                raise self._error("steps", table["steps"], "either steps or seq")
            steps = self._list("steps", table["steps"], MOST_STEPS)
            controls = replace(controls, steps=tuple(self._steps(steps)))
        phases = self._list("during", table.get("during", []), MOST_PHASES)
        parts = [controls, *controls.steps]
        read_phases = tuple(self._phase(n, each) for n, each in enumerate(phases, 1))
        self._check_alone(table, table.get("steps", []), phases)
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
            expires=self._expiry(table["for"]) if "for" in table else None,
            warnings=tuple(self._warnings),
        )

    def _read_name(self, name: object) -> str:
        if (
            not isinstance(name, str)
            or not 0 < len(name) <= LONGEST_RULE_NAME
            or not name.isprintable()
            # Browsers and curl take these out of a URL, however they are quoted.
            or name in (".", "..")
        ):
            expected = (
                f"a text of 1 to {LONGEST_RULE_NAME} printable characters, not . or .."
            )
            raise self._error("name", name, expected)
        return name

    def _match(self, given: object) -> Match:
        table = self._table("match", given, (*_ONLY_OF_MATCH, "header"))

        def refuse(field: str, value: object, expected: str) -> UnreadableRule:
            return self._error(f"match.{field}", value, expected)

        match = parse_match(table, refuse)
        beginning = "" if match.path is None else "/".join(["", *match.path.prefix])
        place = match.target or beginning.encode()
        if is_for_operators(place.partition(b"?")[0]):
            raise refuse("path", place.decode(), "a path that is not for operators")
        self._captures = () if match.path is None else match.path.names
        self._warn_of_path(table.get("path") or "")
        for method in sorted(match.methods or ()):
            if not _METHOD.fullmatch(method):
                self._warn(
                    f"match.method has {method.decode()!r}, which is compared as it "
                    "is: expected a method such as GET, a list of them, or none for all"
                )
        return match

    def _warn_of_path(self, path: str) -> None:
        escape = re.search("%[0-9A-Fa-f]{2}", path)
        if escape is not None:
            self._warn(
                f"match.path has {escape[0]}, but paths are compared without escapes: "
                f"expected {unquote(escape[0])!r}"
            )
        foreign = foreign_syntax(path)
        if foreign is not None:
            self._warn(
                f"match.path has {printable(foreign, longest=80)}, which stands for "
                "itself: expected {name}, * or ** for what varies"
            )

    def _warn(self, sentence: str) -> None:
        self._warnings.append(f"rule {self._name!r}: {sentence}")

    def _steps(self, given: Sequence[object]) -> list[Controls]:
        allowed = tuple(n for n in self._reading.of_a_part if n not in _NOT_OF_A_STEP)
        return [
            self._controls(f"steps[{n}].", self._table(f"steps[{n}]", step, allowed))
            for n, step in enumerate(given, 1)
        ]

    def _phase(self, number: int, given: object) -> Phase:
        where = f"during[{number}]"
        table = self._table(where, given, ("from", "until", *self._reading.of_a_part))
        begins = self._seconds(f"{where}.from", table.get("from", 0))
        ends = math.inf
        if "until" in table:
            ends = self._seconds(f"{where}.until", table["until"])
            if ends <= begins:
                raise self._error(f"{where}.until", table["until"], "a time after from")
        return Phase(begins, ends, self._controls(f"{where}.", table))

    def _check_alone(
        self, table: Mapping[str, Any], steps: Sequence[Any], phases: Sequence[Any]
    ) -> None:
        """Refuse fields that do nothing, because none that they need is beside them.

        Beside a field are all parts that can hold at the same time: all but other
        steps.
        """
        for n, phase in enumerate(phases, 1):
            if phase and phase.keys() <= {"from", "until"}:
                name = min(phase)
                expected = "controls in the same table, for the time that it says"
                raise self._error(f"during[{n}].{name}", phase[name], expected)
        always = set(table).union(*phases)
        ever = always.union(*steps)
        parts = [
            ("", table, ever),
            *((f"steps[{n}].", s, always.union(s)) for n, s in enumerate(steps, 1)),
            *((f"during[{n}].", phase, ever) for n, phase in enumerate(phases, 1)),
        ]
        for name, needed in self._reading.vocabulary.needed:
            for where, part, beside in parts:
                if name in part and beside.isdisjoint(needed):
                    expected = f"{' or '.join(needed)} beside it"
                    raise self._error(f"{where}{name}", part[name], expected)

    def _controls(self, where: str, table: Mapping[str, Any]) -> Controls:
        """The controls among the fields of a table."""
        texts = {
            name: self._texts(f"{where}{name}", name, table[name])
            for name in self._reading.vocabulary.names
            if name in table
        }
        try:
            read = read_controls(
                texts,
                max_delay=self._reading.max_delay,
                vocabulary=self._reading.vocabulary,
            )
        except UnreadableControl as error:
            name = error.control[1:]
            raise self._error(f"{where}{name}", error.value, error.expected) from None
        if not self._is_literal:
            read = self._as_templates(where, read)
        for name, content_of in (
            ("body_file", self._file),
            ("body_base64", self._bytes),
        ):
            if name in table:
                if read.content is not None:
                    expected = "one of body, body_file, body_base64, json and size"
                    raise self._error(f"{where}{name}", table[name], expected)
                read = replace(read, content=content_of(where, table[name]))
        if "body_size" in table:
            try:
                content = lengthened(read.content, table["body_size"])
            except ValueError as error:
                raise self._error(
                    *(f"{where}body_size", table["body_size"], str(error))
                ) from None
            read = replace(read, content=content)
        return read

    def _texts(self, where: str, name: str, value: object) -> list[str]:
        """The values of a control, as texts such as requests have."""
        if name == "json":
            return [json.dumps(value, ensure_ascii=False)]
        if name == "header" and isinstance(value, Mapping):
            return [
                f"{key}: {text}"
                for key, values in value.items()
                for text in self._scalars(where, values)
            ]
        texts = self._scalars(where, value)
        return texts if name == "header" else [",".join(texts)]

    def _scalars(self, where: str, value: object) -> list[str]:
        """A text or a number, or a list of them, as texts."""
        values = value if isinstance(value, list) else [value]
        for each in values:
            if isinstance(each, bool) or not isinstance(each, (str, int, float)):
                raise self._error(where, value, "a text or a number")
        return list(map(str, values))

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

    def _bytes(self, where: str, given: object) -> Content:
        try:
            if isinstance(given, str):
                return Content(Whole(b64decode(given, validate=True)))
        except ValueError:
            pass
        raise self._error(f"{where}body_base64", given, "bytes in base64")

    def _as_templates(self, where: str, read: Controls) -> Controls:
        """The controls, with templates for the texts that have placeholders."""
        headers = tuple(
            (name, self._template(f"{where}header", text))
            for name, text in read.headers
        )
        key = None if read.key is None else self._template(f"{where}key", read.key)
        content = read.content
        if content is not None and isinstance(content.body, Whole):
            is_json = content.content_type == JSON
            field = f"{where}{'json' if is_json else 'body'}"
            text = self._template(field, content.body.content.decode())
            if isinstance(text, Template):
                content = content._replace(body=TextBody(text, is_json))
        return replace(read, headers=headers, content=content, key=key)

    def _template(self, where: str, text: str) -> str:
        known = (*self._captures, "now", *(() if where.endswith("key") else "n"))
        names = placeholders(text)
        unknown = [n for n in names if "." not in n and n not in known]
        for name in [*unknown, *unknown_parts(text)][:1]:
            self._warn(
                f"{where} has {{{name}}}, which stays as it is: expected one of "
                f"{', '.join(known)}, query.NAME or header.NAME"
            )
        if len(unknown) == len(names):
            return text
        self._has_values = True
        return Template(text)

    # What is not of this language alone.

    def _check_json(self, table: Mapping[str, object]) -> None:
        for name, value in table.items():
            try:
                check_json({name: value})
            except ValueError as error:
                raise self._error(name, value, str(error)) from None

    def _table(self, where: str, given: object, known: Sequence[str]) -> Any:
        if not isinstance(given, Mapping):
            raise self._error(where, given, f"a table of {', '.join(known)}")
        for name in given:
            if name not in known:
                expected = f"one of {', '.join(known)}"
                short = str(name)[:LONGEST_NAME].removeprefix("_").lower()
                nearest = get_close_matches(short, known, n=1)
                if where == "rule" and name in _ONLY_OF_MATCH:
                    nearest = [f"match.{name}"]
                if nearest:
                    expected = f"{nearest[0]}, or another {expected}"
                field = f"{where}.{name}" if where != "rule" else str(name)
                error = f"there is no field {printable(field, longest=80)}"
                raise self._error(field, given[name], expected, error)
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

    def _expiry(self, given: object) -> float:
        seconds = self._seconds("for", given)
        if seconds == 0:
            raise self._error("for", given, f"{EXPECTED}, more than 0")
        return seconds

    def _switch(self, table: Mapping[str, Any], name: str, default: bool) -> bool:
        given = table.get(name, default)
        if not isinstance(given, bool):
            raise self._error(name, given, "true or false")
        return given

    def _error(
        self, where: str, value: object, expected: str, error: str = ""
    ) -> UnreadableRule:
        return UnreadableRule(
            *(self._name, where, value, expected),
            error=error,
            number=self._number,
        )
