"""Behaviours: responses before chance has decided. Pure.

A route turns a request into a `Behaviour`, which is only a value. The exchange draws
it, which makes a `Reply` of it, and carries that out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from nbtwisted.http1.framing import BODILESS
from nbtwisted.server.model.body import Body, Whole
from nbtwisted.server.model.controls import (
    NO_CONTROLS,
    Controls,
    Drip,
    Fault,
    Limit,
    Statuses,
)
from nbtwisted.server.model.delay import NO_DELAY, Delay
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.template import TextBody, Values, filled_headers
from nbtwisted.server.model.upstream import Upstream, UpstreamAnswer

__all__ = [
    "EMPTY",
    "OUR_FAULT",
    "Behaviour",
    "Instead",
    "Part",
    "Reply",
    "completed",
    "json_behaviour",
    "json_body",
    "refusal",
]

JSON = (("Content-Type", "application/json"),)

_OK = Statuses((200,))

_HEADERS_NEEDED: dict[int, HeaderLines] = {
    **dict.fromkeys((301, 302, 303, 305, 307, 308), (("Location", "/redirect/1"),)),
    401: (("WWW-Authenticate", 'Basic realm="Fake Realm"'),),
    405: (("Allow", "GET, HEAD, OPTIONS"),),
    407: (("Proxy-Authenticate", 'Basic realm="Fake Realm"'),),
    426: (("Upgrade", "HTTP/3.0"), ("Connection", "Upgrade")),
}
"""Fields that RFC 9110 wants with a status, or that httpbin's `/status` adds."""

_OF_THE_BODY = ("content-type", "content-encoding", "content-language")
"""Fields that go with a body which another one replaces, in lower case."""

_RESET_CONTENT = 205

_OF_THE_UPSTREAM = 200
"""The status that leaves the answer to the upstream; another is in its place."""

NO_BODY = Whole(b"")


class Reply(NamedTuple):
    """One response with nothing left to chance."""

    asked: float
    """Seconds to wait before the first byte."""
    status: int
    headers: HeaderLines
    body: Body
    has_body: bool
    """False where there may be none: to a HEAD, or with a status such as 204."""
    fault: str | None
    """The name of the way to break the wire, if it is to be broken."""
    drip: Drip | None
    rate: float | None
    interval: float
    """Seconds between the pieces that the body has of its own."""
    trailers: HeaderLines = ()
    """Fields that follow a body in chunks."""
    idle: float | None = None
    """Seconds after which the connection is closed, if no other request has begun."""
    upstream: Upstream | None = None
    """Has status, body and headers, if it is to be asked for them."""
    ask_delay: float = 0.0
    """Seconds to wait before it is asked."""
    reason: str | None = None
    """The upstream's reason phrase; None if this is no answer of an upstream's."""
    upstream_took: float | None = None
    """Seconds until the upstream's answer was there."""

    def answered(self, answer: UpstreamAnswer, took: float) -> Reply:
        """The reply with what the upstream has answered, `took` seconds after asking.

        Headers that it has are in the place of the upstream's.
        """
        headers = answer.headers
        if self.headers:
            headers = _in_place_of(headers, self.headers)
        # Which takes a third of the time of _replace().
        values = list(self)
        values[_ANSWERED] = (
            *(answer.status, headers, answer.body),
            self.has_body and answer.status not in BODILESS,
        )
        values[_TOLD] = answer.reason, took
        return tuple.__new__(Reply, values)


@dataclass(frozen=True)
class Part:
    """A body of `size` bytes that can be had in parts.

    `make` takes the first position and the one behind the last, and gives the part and
    the seconds between its pieces.
    """

    size: int
    make: Callable[[int, int], tuple[Body, float]]


@dataclass(frozen=True)
class Instead:
    """Takes the place of a behaviour that has one of these statuses."""

    statuses: range
    behaviour: Behaviour


class Behaviour(NamedTuple):
    """An answer, its delay, and what is to go wrong with it.

    `body` may be made from the seconds that it waits and from what it draws, for the
    answers that tell how long they waited, and for those that are random: these say so
    by `has_random_body`.
    """

    body: Body | TextBody | Callable[[float, Random], Body]
    delay: Delay = NO_DELAY
    statuses: Statuses = _OK
    headers: HeaderLines = JSON
    drawn_headers: Callable[[Random], HeaderLines] | None = None
    """Makes headers for each response, such as a nonce; `headers` replace them."""
    trailers: HeaderLines = ()
    """Fields that follow a body in chunks."""
    drip: Drip | None = None
    rate: float | None = None
    idle: float | None = None
    """Seconds for which the connection is kept when the response is sent."""
    fault: Fault | None = None
    steps: tuple[Controls, ...] = ()
    """By the number of requests of its key that came before; the last one repeats."""
    over: tuple[Controls, ...] = ()
    """What holds over each of the steps."""
    limit: Limit | None = None
    key: str | None = None
    interval: float = 0.0
    """Seconds between the pieces that the body has of its own."""
    has_random_body: bool = False
    seed: int | None = None
    """Decides what is left to chance, in place of the server's."""
    part: Part | None = None
    instead: Instead | None = None
    """Takes its place because of the request's own conditions."""
    values: Values | None = None
    """Those of the placeholders in it, if it may have some."""
    rule: str | None = None
    """The name of the rule that acted."""
    upstream: Upstream | None = None
    """Gives the answer, of which `headers` replace some, unless there is another body
    or status in its place."""
    ask_delay: Delay = NO_DELAY
    """Before it is asked."""

    def under(self, controls: Controls) -> Behaviour:
        """The same answer, but for what the controls ask for."""
        if controls is NO_CONTROLS:
            return self
        # Which takes a third of the time of _replace().
        values = list(self)
        for name, value in controls.changes:
            values[_POSITIONS[name]] = value
        headers = self.headers
        if controls.content is not None:
            values[_BODY], content_type = controls.content
            values[_PART] = values[_INSTEAD] = values[_UPSTREAM] = None
            if content_type is not None:
                kept = (h for h in headers if h[0].lower() not in _OF_THE_BODY)
                headers = (*kept, ("Content-Type", content_type))
        if controls.headers:
            names = controls.header_names
            kept_lines = [line for line in headers if line[0].lower() not in names]
            headers = (*kept_lines, *controls.headers)
        values[_HEADERS] = headers
        if self.steps:
            # New steps are over the old ones, and over whatever was over these.
            values[_OVER] = () if controls.steps else (*self.over, controls)
        return tuple.__new__(Behaviour, values)

    def header(self, name: str) -> str | None:
        """The first value of a header; `name` is in lower case."""
        for known, value in self.headers:
            if known.lower() == name:
                return value
        return None

    @property
    def is_counted(self) -> bool:
        """Whether it matters how many requests of its key came before."""
        return bool(self.key or self.values or self.is_random)

    @property
    def is_random(self) -> bool:
        """Whether something is left to chance, or to steps that may leave it so."""
        return bool(
            self.steps
            or self.has_random_body
            or self.drawn_headers
            or not self.delay.is_fixed
            # Most have none.
            or not (self.ask_delay is NO_DELAY or self.ask_delay.is_fixed)
            or len(self.statuses.choices) > 1
            or (self.fault and self.fault.probability < 1)
        )

    def draw(self, random: Random, came_before: int, *, is_head: bool) -> Reply:
        """Decide what chance leaves open; `is_head` for a request that wants no body.

        `random` is this request's own, and `came_before` the number of requests of its
        key before it. The draw does not depend on any other request.
        """
        if self.steps:
            step = self.steps[min(came_before, len(self.steps) - 1)]
            stepped = self._replace(steps=(), over=()).under(step)
            for controls in self.over:
                stepped = stepped.under(controls)
            return stepped.draw(random, came_before, is_head=is_head)
        asked = self.delay.draw(random)
        status = self.statuses.draw(random)
        fault = self.fault
        if fault is not None and fault.probability < 1:
            fault = fault if random.random() < fault.probability else None
        said = self
        if self.instead is not None and status in self.instead.statuses:
            said = self.instead.behaviour
            (status,) = said.statuses.choices
        body, headers = said.body, said.headers
        if callable(body):
            body = body(asked, random)
        if self.values is not None:
            values = replace(self.values, came_before=came_before)
            headers = filled_headers(headers, values)
            if isinstance(body, TextBody):
                body = body.filled(values)
        assert not isinstance(body, TextBody)
        if said.drawn_headers is not None:
            headers = _in_place_of(said.drawn_headers(random), headers)
        return Reply(
            asked,
            status,
            headers,
            # RFC 9110, 15.3.6: it has none, and says so by its length.
            NO_BODY if status == _RESET_CONTENT else body,
            not is_head and status not in BODILESS,
            None if fault is None else fault.name,
            self.drip,
            self.rate,
            said.interval,
            said.trailers,
            self.idle,
            self.upstream if status == _OF_THE_UPSTREAM else None,
            0.0 if self.ask_delay is NO_DELAY else self.ask_delay.draw(random),
        )


_ANSWERED = slice(Reply._fields.index("status"), Reply._fields.index("fault"))
_TOLD = slice(Reply._fields.index("reason"), None)
"""The fields of a reply that an answer has, as they stand there."""

_POSITIONS = {name: position for position, name in enumerate(Behaviour._fields)}
_BODY, _HEADERS, _PART, _INSTEAD, _OVER, _UPSTREAM = map(
    Behaviour._fields.index, ("body", "headers", "part", "instead", "over", "upstream")
)


def _in_place_of(headers: HeaderLines, given: HeaderLines) -> HeaderLines:
    """The headers, but for those whose name was given, and then the given ones."""
    names = {name.lower() for name, _ in given}
    return (*[line for line in headers if line[0].lower() not in names], *given)


def completed(headers: HeaderLines, status: int) -> HeaderLines:
    """The headers, and those that the status needs."""
    needed = _HEADERS_NEEDED.get(status, ())
    if not needed:
        return headers
    given = {name.lower() for name, _ in headers}
    return (*headers, *((n, v) for n, v in needed if n.lower() not in given))


def json_body(value: Any, *, indent: bool = True) -> Whole:
    """A JSON document as httpbin lays it out: indented, keys in order, a newline.

    Raises `ValueError` for a number that JSON has not, such as infinity.
    """
    text = _laid_out(value, "\n") if indent else _encode(value)
    return Whole(text.encode() + b"\n")


_encode = json.JSONEncoder(sort_keys=True, allow_nan=False).encode
_quoted = json.encoder.encode_basestring_ascii


def _laid_out(value: Any, margin: str) -> str:
    """A value as `json.dumps(value, indent=2, sort_keys=True)` has it.

    It takes a third of the time, which is half of that of an echo. `margin` is a line
    end and the spaces that follow it.
    """
    if isinstance(value, str):
        return _quoted(value)
    if value is None or type(value) is int:
        return "null" if value is None else str(value)
    if isinstance(value, dict):
        if not value:
            return "{}"
        inner = f"{margin}  "
        items = [
            f"{inner}{_quoted(key)}: {_laid_out(item, inner)}"
            for key, item in sorted(value.items())
        ]
        return f"{{{','.join(items)}{margin}}}"
    if isinstance(value, list) and value:
        inner = f"{margin}  "
        items = [f"{inner}{_laid_out(item, inner)}" for item in value]
        return f"[{','.join(items)}{margin}]"
    return _encode(value)


def json_behaviour(value: Any) -> Behaviour:
    """Answer 200 with `value` as JSON."""
    return Behaviour(json_body(value))


def refusal(
    status: int, error: str, *headers: tuple[str, str], **details: str
) -> Behaviour:
    """Answer at once that this cannot be done, with `error` and `details` as JSON."""
    return Behaviour(
        Whole(json.dumps({"error": error, **details}).encode() + b"\n"),
        statuses=Statuses((status,)),
        headers=(*JSON, *headers),
    )


EMPTY = Behaviour(NO_BODY, headers=())
"""Nothing, with the status 200."""

OUR_FAULT = refusal(500, "internal server error")
"""The response to a request whose route has a fault of ours."""
