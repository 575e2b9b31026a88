"""The echo: what the server saw of a request, in httpbin's fields and types."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from werkzeug.http import parse_options_header

from nbtwisted.server.model.behaviour import Behaviour, json_body
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.origin import client, root_url
from nbtwisted.server.routes.parameters import arguments, read_fields, read_parts

__all__ = ["behaviour_with_body", "echo", "headers"]

LONGEST_INDENTED = 10_000
"""Bytes of a body whose echo is laid out as httpbin's."""

DEEPEST_INDENTED = 20
"""Levels of such a body's JSON: Python takes for each value what its level is."""

LARGEST_JSON = 512 * 1024
"""Bytes of a body that is read as JSON: written again, it takes up to 6 ms."""

MOST_JSON_MARKS = 10_000
"""Commas, opening brackets and dots of such a body, and so about its values: floats of
many digits take 1.5 µs each, and count twice; others take half."""

LONGEST_INTEGER = 309
"""Digits of a whole number in JSON: a double has no more, and `int` takes quadratic
time."""

LONGEST_CONTENT_TYPE = 1024
"""Characters of a Content-Type that is read. A boundary has 70 at most."""


def echo(request: Request) -> dict[str, Any]:
    """The arguments, headers, origin and URL of a request, as JSON values.

    An argument given once is a string, and one given more often is a list; the values
    of a repeated header are joined with commas. Bytes that are not UTF-8 are shown as
    the replacement character.
    """
    return {
        "args": _flat(arguments(request)),
        "headers": headers(request),
        "origin": client(request),
        "url": root_url(request) + _text(request.target),
    }


def body_echo(request: Request) -> dict[str, Any]:
    """The echo, and the body: its `form` and `files`, or `data` and what `json` it is.

    What is not UTF-8 is shown as a `data:` URL in base64. Raises `Refused` for a form
    with too many fields.
    """
    content_type = request.header("content-type") or ""
    if len(content_type) > LONGEST_CONTENT_TYPE:
        content_type = ""
    mimetype, options = parse_options_header(content_type)
    # RFC 9110, 8.3.1: their case does not matter.
    mimetype = mimetype.lower()
    form: dict[str, Any] = {}
    files: dict[str, list[str]] = {}
    data = b""
    if mimetype == "application/x-www-form-urlencoded":
        form = _flat(read_fields(request.body))
    elif mimetype == "multipart/form-data":
        fields: dict[str, list[str]] = {}
        for part in read_parts(request.body, options.get("boundary", "").encode()):
            if part.filename is None:
                fields.setdefault(part.name, []).append(part.text)
            else:
                kind = part.content_type or "application/octet-stream"
                shown = _text_or_url(part.content, kind)
                files.setdefault(part.name, []).append(shown)
        form = _few(fields.items())
    else:
        data = request.body
    return {
        **echo(request),
        "data": _text_or_url(data, "application/octet-stream"),
        "files": _few(files.items()),
        "form": form,
        "json": _json(data),
    }


def behaviour_with_body(request: Request, **more: str) -> Behaviour:
    """Answer with the echo and the body, and `more`."""
    echo = {**body_echo(request), **more}
    # A megabyte of nested lists would become hundreds, of nothing but indents.
    is_short = len(request.body) <= LONGEST_INDENTED
    indent = is_short and _is_shallow(echo["json"])
    try:
        return Behaviour(json_body(echo, indent=indent))
    except RecursionError:
        # What is nested as deep as can be read may be too deep to be written.
        return Behaviour(json_body({**echo, "json": None}, indent=indent))


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST_INDENTED):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return True
    return False


def headers(request: Request) -> dict[str, str]:
    """The request's headers; the values of a repeated one are joined with commas."""
    return request.headers.shown


def _flat(values: Mapping[bytes, Sequence[bytes]]) -> dict[str, Any]:
    # Names that are no UTF-8 may look alike.
    texts: dict[str, list[str]] = {}
    for name, given in values.items():
        texts.setdefault(_text(name), []).extend(map(_text, given))
    return _few(texts.items())


def _few(values: Iterable[tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """As httpbin has it: a list only where there is more than one."""
    return {name: list(given) if len(given) > 1 else given[0] for name, given in values}


def _json(data: bytes) -> Any:
    """The JSON of RFC 8259 that a body is, or None.

    That is UTF-8, without `NaN`, and without numbers such as `1e999`, which could not
    be written again. What is larger than `LARGEST_JSON`, or has more than
    `MOST_JSON_MARKS`, is not read.
    """
    if len(data) > LARGEST_JSON:
        return None
    # Each value but the first follows one of these. Those in strings count, too.
    if len(data) - len(data.translate(None, b",[{.")) > MOST_JSON_MARKS:
        return None
    try:
        return json.loads(
            data.decode(),
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_short,
        )
    # A stranger may nest as deep as he likes.
    except (ValueError, RecursionError):
        return None


def _no_number(text: str) -> float:
    raise ValueError(text)


def _short(text: str) -> float:
    digits = len(text.removeprefix("-"))
    return int(text) if digits <= LONGEST_INTEGER else _no_number(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _text_or_url(data: bytes, content_type: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"data:{content_type};base64,{b64encode(data).decode()}"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
