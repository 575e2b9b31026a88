"""A rule in few words, for somebody who looks at many. Pure.

    GET /orders/{id}, ?page=1      delay lognormal(200ms,0.4), status 200:9,503:1

It is made of the rule as it was given, and never longer than `LONGEST_SUMMARY`. A body
of a megabyte is looked at only as far as it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nbtwisted.printable import printable

__all__ = ["LONGEST_SUMMARY", "does", "matches"]

LONGEST_SUMMARY = 256
"""Characters."""

LONGEST_VALUE = 60
"""Characters of one value: a body, a header, a pattern."""

_NOT_DONE = frozenset(("name", "match", "for", "enabled"))
"""What is in a rule and is nothing that it does."""

_LAST = (
    *("body", "body_file", "body_base64", "body_size", "json", "header"),
    *("key", "strict", "literal"),
)
"""What is long, or seldom looked for; the rest is in the order in which it is given."""


def matches(rule: Mapping[str, Any]) -> str:
    """Describe the requests that a rule is for."""
    return _joined(", ", _conditions(rule.get("match") or {}))


def does(rule: Mapping[str, Any]) -> str:
    """Describe what a rule does to them."""
    return _joined(", ", _effects(rule)) or "nothing"


def _conditions(match: Mapping[str, Any]) -> Iterator[str]:
    method = "|".join(_list(match.get("method", ())))
    where = match.get("target", match.get("path"))
    if where is None:
        yield f"every {_value(method) or 'request'}"
    else:
        yield f"{_value(method)} {_value(where)}".lstrip()
    for name, wanted in (match.get("query") or {}).items():
        yield _condition(f"?{_value(name)}", "=", wanted)
    for name, wanted in (match.get("header") or {}).items():
        yield _condition(f"{_value(name)}:", " ", wanted)


def _condition(name: str, separator: str, wanted: object) -> str:
    if wanted is False:
        return f"no {name}"
    return f"{name}{separator}{'*' if wanted is True else _value(wanted)}"


def _effects(rule: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(rule.items(), key=_place):
        if name in _NOT_DONE:
            continue
        if name == "steps":
            yield f"steps {_joined(' / ', map(does, value))}"
        elif name == "during":
            for part in value:
                yield f"{_span(part)}: {does(_without_span(part))}"
        elif name == "json":
            yield f"json {_value(_json(value))}"
        elif isinstance(value, bool):
            if value:
                yield name
        elif isinstance(value, Mapping):
            for key, texts in value.items():
                for text in _list(texts):
                    yield f"{name} {_value(f'{key}: {text}')}"
        else:
            for each in _list(value):
                yield f"{name} {_value(each)}"


def _place(field: tuple[str, Any]) -> int:
    return _LAST.index(field[0]) + 1 if field[0] in _LAST else 0


def _span(part: Mapping[str, Any]) -> str:
    begin = f"from {_value(part.get('from', '0s'))}"
    return f"{begin} to {_value(part['until'])}" if "until" in part else begin


def _without_span(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in part if name not in ("from", "until")}


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _json(value: object) -> str:
    # The whole of a large one would take long to write.
    pieces = json.JSONEncoder(ensure_ascii=False).iterencode(value)
    return _joined("", pieces, longest=LONGEST_VALUE + 1)


def _value(value: object) -> str:
    return printable(str(value), longest=LONGEST_VALUE)


def _joined(
    separator: str, parts: Iterable[str], *, longest: int = LONGEST_SUMMARY
) -> str:
    """The parts, of which no more are made than there is room for."""
    parts = iter(parts)
    text = next(parts, "")
    for part in parts:
        if len(text) > longest:
            break
        text += separator + part
    return printable(text, longest=longest)
