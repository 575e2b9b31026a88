"""The text of a file of rules, in TOML or JSON, as a list of rules. Pure."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from nbtwisted.server.rules.reading import Reading, parse_rules
from nbtwisted.server.rules.rule import Rule, UnreadableRule

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["parse_text"]

_PLACE = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)$")
"""What TOML's readers put behind their messages."""

_BEFORE_FIELDS = "[[rule]] before the fields of a rule"

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"'
    r"|'''.*?'''|'[^'\n]*'|#[^\n]*|[{}]",
    re.S,
)
"""A brace, or what may have one that is none: a text, a comment."""

_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*(?:rule|\"rule\"|'rule')[ \t]*\]\]", re.M)


def parse_text(text: str, reading: Reading) -> list[Rule]:
    """Read the rules of a file; raises `UnreadableRule`, with the line if it is known.

    It is JSON if it begins with `{` or `[{`, which no TOML does.
    """
    is_json = re.match(r"\s*(?:\{|\[\s*\{)", text) is not None
    given = _json(text) if is_json else _toml(text)
    if isinstance(given, list):
        expected = '{"rule": [...]} around the list'
        raise UnreadableRule("", "", text, expected, error="this is a list alone")
    whole = '{"rule": [...]} around all rules' if is_json else _BEFORE_FIELDS
    for name in given:
        if name != "rule":
            error = f"{name} is no part of a rule"
            unreadable = UnreadableRule("", name, given[name], whole, error=error)
            raise _in_line(unreadable, _line_of(text, unreadable))
    try:
        return parse_rules(given.get("rule", []), reading)
    except UnreadableRule as error:
        raise _in_line(error, None if is_json else _line_of(text, error)) from None


def _json(text: str) -> Mapping[str, Any] | list[Any]:
    try:
        given: Mapping[str, Any] | list[Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise _no_document("JSON", text, error.lineno, error.msg) from None
    except (ValueError, RecursionError) as why:
        raise _no_document("JSON", text, None, str(why)) from None
    return given


def _toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # One that is no TOMLDecodeError is about a number of thousands of digits.
        found = _PLACE.search(str(error))
        said = str(error)[: found.start()] if found else str(error)
        last = len(_lines(text))
        line = int(found[1] or last) if found else None
        raise _no_document("TOML", text, line, said) from None


def _no_document(kind: str, text: str, line: int | None, said: str) -> UnreadableRule:
    lines = _lines(text)
    shown = lines[line - 1].strip() if line and line <= len(lines) else ""
    said = re.sub("^Expected ", "", said)
    expected = f"{kind}: {said[:1].lower()}{said[1:]}"
    return _in_line(
        UnreadableRule("", "", shown, expected, error=f"this is not {kind}"), line
    )


def _lines(text: str) -> Sequence[str]:
    """As TOML and JSON have them: other separators of lines are part of texts."""
    return text.removesuffix("\n").split("\n")


def _in_line(error: UnreadableRule, line: int | None) -> UnreadableRule:
    error.line = line
    return error


def _line_of(text: str, error: UnreadableRule) -> int | None:
    """The line of the field that is wrong, or that its rule begins with.

    TOML's readers tell no lines of values, so this looks for the field's name behind
    the `[[rule]]` of its number, or in all of the text if it is about no rule.
    """
    if error.number == 0:
        place = _end_of_field(text, error.field, 0, len(text))
        return None if place is None else _line_at(text, place)
    headers = [match.start() for match in _HEADER.finditer(text)]
    if not 0 < error.number <= len(headers):
        return None
    start = headers[error.number - 1]
    end = headers[error.number] if error.number < len(headers) else len(text)
    name = ""
    for number, found in re.findall(r"\[(\d+)\]|([^.\[\]]+)", error.field):
        if number:
            start = _nth_table(text, name, int(number), start, end) or start
        else:
            # A field of a table is behind the table's name.
            name = found
            start = _end_of_field(text, name, start, end) or start
    return _line_at(text, start)


def _nth_table(text: str, name: str, number: int, start: int, end: int) -> int | None:
    """Where a table of a list begins; `start` is where the list's name ends."""
    places: Iterator[int]
    if text[start] == "]":
        header = re.compile(rf"^[ \t]*\[\[[^\]\n]*\b{re.escape(name)}[ \t]*\]\]", re.M)
        at_line = text.rfind("\n", 0, start) + 1
        places = (found.start() for found in header.finditer(text, at_line, end))
    else:
        places = _tables(text, start, end)
    return next(islice(places, number - 1, None), None)


def _tables(text: str, start: int, end: int) -> Iterator[int]:
    """Where the tables of a list begin, but for those within others."""
    depth = 0
    for token in _TOKEN.finditer(text, start, end):
        if token[0] == "{":
            if depth == 0:
                yield token.start()
            depth += 1
        elif token[0] == "}":
            depth -= 1


def _end_of_field(text: str, name: str, start: int, end: int) -> int | None:
    """Where the name of a field ends: before its `=`, or the `.` or `]` behind it."""
    field = re.compile(
        rf"(?:^|[{{,.])[ \t]*(\"?){re.escape(name)}\1[ \t]*[.=]"
        rf"|^[ \t]*\[\[?[^\]\n]*\b{re.escape(name)}[ \t]*\]",
        re.M,
    )
    found = field.search(text, start, end)
    return None if found is None else found.end() - 1


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
