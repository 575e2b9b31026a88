"""A list of jobs as text: each line is a URL, or an object of JSON. Pure."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from nbtwisted.client.errors import BadJob
from nbtwisted.client.header import Headers, merged
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.target import LONGEST_URL, presentable
from nbtwisted.duration import parse_duration
from nbtwisted.printable import printable

__all__ = [
    "LONGEST_JSON",
    "Line",
    "LineReader",
    "bad_job",
    "encoded",
    "from_base64",
    "header_value",
    "of_kind",
    "read_job",
    "read_line",
    "write_job",
]

LONGEST_JSON = 16 * 1024 * 1024
"""Bytes of a line that is JSON: twelve megabytes of a body in base64, and some more."""

_BLANK = b" \t\r"
_BODIES = ("body", "body_base64", "json")
_KEYS = ("url", "method", "headers", *_BODIES, "max_time", "label", "weight")
_KNOWS_ALL = frozenset(_KEYS).issuperset
_HAS_NO_BODY = frozenset(_BODIES).isdisjoint
_CONTENT_TYPE = ("Content-Type", "application/json")
_MOST_DIGITS = 300
"""Of an integer: a float has no more, and `int` takes quadratic time for long ones."""

_KINDS: Mapping[type, str] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
    type(None): "null",
}


class Line(NamedTuple):
    """A line that is neither blank nor a comment."""

    number: int
    """From 1; all lines are counted."""
    content: bytes
    """Without white space around; one byte too long if it is longer than it may be."""


class LineReader:
    """Takes the bytes of a list, however they are cut, and gives its lines.

    Lines that begin with `#` are comments.
    """

    def __init__(self) -> None:
        self._number = 0
        self._begun = bytearray()

    def feed(self, data: bytes) -> Iterator[Line]:
        """The lines that end in these bytes."""
        *lines, begun = data.split(b"\n")
        for line in lines:
            if self._begun:
                self._keep(line)
                line = bytes(self._begun)
                self._begun.clear()
            self._number += 1
            content = line.strip(_BLANK) if len(line) <= LONGEST_URL else _cut(line)
            if content and not content.startswith(b"#"):
                yield Line(self._number, content)
        self._keep(begun)

    def end(self) -> Iterator[Line]:
        """The last line, if no line end is behind it."""
        return self.feed(b"\n")

    def _keep(self, begun: bytes) -> None:
        # No more is kept of an endless line than shows that it is too long.
        self._begun += begun if self._begun else begun.lstrip(_BLANK)
        del self._begun[_longest(self._begun) + 1 :]


def _cut(line: bytes) -> bytes:
    """A line with what is behind it, unless it is short: it may be cut already."""
    line = line.lstrip(_BLANK)
    longest = _longest(line)
    return line.rstrip(_BLANK) if len(line) <= longest else line[: longest + 1]


def _longest(content: bytes | bytearray) -> int:
    return LONGEST_JSON if content.startswith(b"{") else LONGEST_URL


def read_line(line: Line, template: JobTemplate) -> Job | BadJob:
    """The job of a line, made of the template where the line does not say more."""
    number, content = line
    if content.startswith(b"{"):
        return _read_object(number, content, template)
    # Of one that is too long, no character may be more bytes than one.
    is_long = len(content) > LONGEST_URL
    encoding = "latin-1" if is_long else "utf-8"
    return template.job(content.decode(encoding, "surrogateescape"))


def _read_object(number: int, content: bytes, template: JobTemplate) -> Job | BadJob:
    given: dict[str, Any] = {}
    try:
        given = _parse(content)
        return _job(given, template)
    except ValueError as error:
        return bad_job(f"line {number}", error, given.get("url"))


def bad_job(where: str, error: ValueError, url: object) -> BadJob:
    """What stands in the place of an entry that is no job, whose URL may be known."""
    return BadJob(
        f"{where}: {error}", shown=presentable(url) if isinstance(url, str) else "{...}"
    )


def _parse(content: bytes) -> dict[str, Any]:
    if len(content) > LONGEST_JSON:
        raise ValueError(f"longer than {LONGEST_JSON} bytes: expected a shorter line")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"byte {error.start + 1} is not UTF-8: expected UTF-8"
        ) from None
    try:
        given: dict[str, Any] = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text) or error.msg.startswith("Unterminated string"):
            what = "it is cut short: expected a JSON object on one line"
        elif error.msg == "Extra data":
            what = f"column {error.colno}: expected nothing behind the object"
        else:
            what = f"column {error.colno}: {error.msg[:1].lower()}{error.msg[1:]}"
        raise ValueError(what) from None
    except RecursionError:
        raise ValueError("nested too deeply: expected less") from None
    return given


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name, number in times.items() if number > 1)
        raise ValueError(f"key {_quoted(twice)} more than once: expected it once")
    return made


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits: expected a smaller one")
    return int(digits)


def _constant(name: str) -> None:
    raise ValueError(f"{name}: expected a number that JSON has")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_constant=_constant,
)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _job(given: Mapping[str, Any], template: JobTemplate) -> Job:
    if not _KNOWS_ALL(given):
        key = next(key for key in given if key not in _KEYS)
        expected = f"{', '.join(_KEYS[:-1])} or {_KEYS[-1]}"
        raise ValueError(f"unknown key {_quoted(key)}: expected {expected}")
    if "url" not in given:
        raise ValueError('no url: expected one, as in {"url": "http://localhost/"}')
    url = of_kind(str, given["url"], "url")
    method = None
    if "method" in given:
        method = of_kind(str, given["method"], "method")
    headers: Headers = ()
    if "headers" in given:
        headers = tuple(_headers(given["headers"]))
    body = None
    if not _HAS_NO_BODY(given):
        bodies = [key for key in _BODIES if key in given]
        if len(bodies) > 1:
            raise ValueError(f"{bodies[0]} and {bodies[1]}: expected one of them")
        key = bodies[0]
        body = _body(key, given[key])
        if key == "json":
            headers = merged((_CONTENT_TYPE,), headers)
    max_time = _seconds(given["max_time"]) if "max_time" in given else None
    label, weight = "", 1
    if "label" in given:
        label = of_kind(str, given["label"], "label")
    if "weight" in given:
        weight = _weight(given["weight"])
    return template.job(url, method, headers, body, max_time, label, weight)


def of_kind(kind: type, value: Any, name: str) -> Any:
    """The value, which has the name, if it is of this type.

    Raises `ValueError`, whose text says what was expected.
    """
    if type(value) is not kind:
        raise ValueError(f"{name} is {_KINDS[type(value)]}: expected {_KINDS[kind]}")
    return value


def _headers(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        pairs: list[Any] = list(value.items())
    elif isinstance(value, list):
        pairs = value
    else:
        kind = _KINDS[type(value)]
        raise ValueError(f"headers is {kind}: expected an object, or a list of pairs")
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError('a header is no pair: expected ["Name", "value"]')
        name = of_kind(str, pair[0], "a header's name")
        what = f"header {_quoted(name)}"
        yield name, header_value(of_kind(str, pair[1], what), what)


def header_value(text: str, what: str) -> str:
    """A value with a character for each byte: those of UTF-8 if it needs that."""
    text = text.strip(" \t")
    if text.isascii():
        return text
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return encoded(text, what).decode("latin-1")
    return text


def encoded(text: str, what: str) -> bytes:
    """The text as UTF-8; raises `ValueError` for what is not Unicode."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{what} has half of a character (a surrogate): expected both halves"
        ) from None


def _body(key: str, value: object) -> bytes:
    if key == "json":
        return _compact(value)
    text = of_kind(str, value, key)
    if key == "body":
        return encoded(text, key)
    return from_base64(text, key)


def from_base64(text: str, what: str) -> bytes:
    """The bytes; raises `ValueError` for what is not base64."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"{what} is not base64: expected base64") from None


def _compact(value: object) -> bytes:
    try:
        text = _ENCODER.encode(value)
    except RecursionError:
        raise ValueError("nested too deeply: expected less") from None
    except ValueError:
        raise ValueError(
            "a number that no float holds: expected a smaller one"
        ) from None
    return encoded(text, "json")


def _seconds(value: object) -> float:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ValueError(f"max_time {_quoted(value)}: {error}") from None
    if type(value) not in (int, float):
        raise ValueError(
            f"max_time is {_KINDS[type(value)]}: expected seconds, or a text such as 2s"
        )
    return float(value)  # type: ignore[arg-type]


def _weight(value: object) -> int:
    if type(value) is not int:
        raise ValueError(
            f"weight is {_KINDS[type(value)]}: expected a whole number such as 3"
        )
    return value


def _quoted(text: str) -> str:
    return f"'{printable(text, longest=100)}'"


_DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in fields(Job)}


def write_job(job: Job | BadJob) -> str | dict[str, Any]:
    """The job as a value that JSON has: a plain one is its URL.

    Another is an object, as in a line, of what is not as usual. What stands in the
    place of a job is its `error`, and what is `shown` of it.
    """
    if isinstance(job, BadJob):
        return {"error": str(job), "shown": job.shown}
    values = {
        name: value
        for name, usual in _DEFAULTS.items()
        if (value := getattr(job, name)) != usual
    }
    if len(values) == 1:
        return job.url
    if "body" in values:
        try:
            values["body"] = job.body.decode()
        except UnicodeDecodeError:
            del values["body"]
            values["body_base64"] = b64encode(job.body).decode()
    return values


def read_job(written: str | Mapping[str, Any]) -> Job | BadJob:
    """The job that `write_job` wrote so."""
    if isinstance(written, str):
        return Job(written)
    values = dict(written)
    if "error" in values:
        return BadJob(values["error"], shown=values["shown"])
    values["headers"] = tuple(
        (name, value) for name, value in values.get("headers", ())
    )
    if "body_base64" in values:
        values["body"] = b64decode(values.pop("body_base64"))
    elif "body" in values:
        values["body"] = values["body"].encode()
    return Job(**values)
