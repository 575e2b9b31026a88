"""Texts of rules, with placeholders for parts of the request. Pure.

    {name}       what the path has in the place of `{name}`
    {query.x}    the first parameter `x`; nothing if there is none
    {header.X}   the header `X`; nothing if there is none
    {n}          how many requests of this key came before
    {now}        the time, in ISO 8601

Other braces stand for themselves.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import quote

from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.headers import SECRET, HeaderLines, RequestHeaders
from nbtwisted.server.model.key import hashed, shortened
from nbtwisted.server.model.query import Fields

__all__ = [
    "Template",
    "TextBody",
    "Values",
    "filled_headers",
    "placeholders",
    "unknown_parts",
]

_PLACEHOLDER = re.compile(
    r"\{([A-Za-z_][A-Za-z0-9_]*|query\.[^{}\s\"]+|header\.[A-Za-z0-9!#$%&'*+.^_`|~-]+)\}"
)

_SECRET = {f"header.{name.decode()}" for name in SECRET}

_UNKNOWN_PART = re.compile(r"\{(?!query\.|header\.)([A-Za-z_]\w*\.[\w.-]+)\}")
"""What looks like a part of the request, and is none."""

_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))


class Template(str):
    """A text with placeholders."""

    __slots__ = ()


@dataclass(frozen=True)
class Values:
    """The values of placeholders, for one request.

    captures      parts of the path, by their names
    fields        the parameters of the target
    headers       the request's
    came_before   requests of its key; None while it is not known
    """

    captures: Mapping[str, str]
    fields: Fields
    headers: RequestHeaders
    came_before: int | None = None
    time: Callable[[], float] = field(default=time.time, compare=False)

    def fill(
        self, text: str, escape: Callable[[str], str], *, hides_secrets: bool = False
    ) -> str:
        """The text, with `escape`d values in the place of their placeholders.

        If it `hides_secrets`, hashes stand for the values of secret header fields.
        """

        def value(match: re.Match[str]) -> str:
            found = self._find(match[1])
            if found and hides_secrets and match[1].lower() in _SECRET:
                found = hashed(found.encode())
            return match[0] if found is None else escape(found)

        return _PLACEHOLDER.sub(value, text)

    def fill_key(self, key: str) -> str:
        """The key of the request; the journal shows it, so it has no secrets."""
        filled = self.fill(key, str, hides_secrets=True).encode()
        return shortened(filled).decode("utf-8", "replace")

    def _find(self, name: str) -> str | None:
        if name in self.captures:
            return self.captures[name]
        kind, dot, part = name.partition(".")
        if dot and kind == "query":
            given = self.fields.get(part.encode())
            return given[0].decode("utf-8", "replace") if given else ""
        if dot:
            return self.headers.get(part.lower()) or ""
        if name == "n" and self.came_before is not None:
            return str(self.came_before)
        if name == "now":
            now = datetime.fromtimestamp(self.time(), timezone.utc)
            return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return None


@dataclass(frozen=True)
class TextBody:
    """A body that is made from a template when it is sent.

    In JSON, values are escaped as JSON's strings have it.
    """

    template: Template
    is_json: bool

    def filled(self, values: Values) -> Whole:
        """The body of one response."""
        escape = _in_json if self.is_json else str
        return Whole(values.fill(self.template, escape).encode("utf-8", "replace"))


def filled_headers(headers: HeaderLines, values: Values) -> HeaderLines:
    """The headers, with those that are templates filled in.

    What is not visible ASCII is percent-encoded, line ends above all.
    """
    return tuple(
        (name, values.fill(text, _in_header) if isinstance(text, Template) else text)
        for name, text in headers
    )


def placeholders(text: str) -> list[str]:
    """The names of the placeholders in a text, known or not."""
    return _PLACEHOLDER.findall(text)


def unknown_parts(text: str) -> list[str]:
    """Names such as `headers.X` that look like those of placeholders."""
    return _UNKNOWN_PART.findall(text)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_header(text: str) -> str:
    return quote(text, safe=_VISIBLE)
