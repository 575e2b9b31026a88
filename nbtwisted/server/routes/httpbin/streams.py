"""The paths whose body comes in chunks: lines, events, and trailers behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Generated, Whole
from nbtwisted.server.model.control_text import parse_header
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes import echo as echoes
from nbtwisted.server.routes.parameters import (
    Refused,
    delay,
    duration,
    own_arguments,
    parameter,
    read,
    unreadable,
    whole_number,
)
from nbtwisted.server.routes.router import ANY, Server, route

MOST_LINES = 100
"""Most lines of `/stream`, as in httpbin, and of `/jsonl`, and events of `/sse`."""

NOT_IN_TRAILERS = frozenset(
    (
        *("age", "authorization", "cache-control", "connection", "cookie", "date"),
        *("expect", "expires", "host", "keep-alive", "location", "max-forwards"),
        *("pragma", "proxy-authenticate", "proxy-authorization", "range"),
        *("retry-after", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade"),
        *("vary", "warning", "www-authenticate"),
    )
)
"""Fields that are needed before the body, besides those that begin with `content-` or
`if-`: RFC 9110, 6.5.1 (and RFC 7230, 4.1.2, which lists them)."""


@route("/stream/<n>")
def stream(server: Server, request: Request, n: str) -> Behaviour:
    """Answer with `n` lines of JSON, each in a chunk."""
    return Behaviour(_lines(request, read("n", n, whole_number(0, MOST_LINES))))


@route("/jsonl")
def jsonl(server: Server, request: Request) -> Behaviour:
    """Answer with lines of JSON over a time."""
    count = parameter(request, "count", whole_number(1, MOST_LINES), 10)
    return Behaviour(
        _lines(request, count),
        delay=delay(request, server.max_delay),
        headers=(("Content-Type", "application/x-ndjson; charset=utf-8"),),
        interval=_interval(server, request, count, 0.0),
    )


@route("/sse")
def sse(server: Server, request: Request) -> Behaviour:
    """Answer with server-sent events; each tells when it was due."""
    count = parameter(request, "count", whole_number(1, MOST_LINES), 10)
    interval = _interval(server, request, count, 5.0)
    return Behaviour(
        lambda asked, random: _events(count, interval, time.time() + asked),
        delay=delay(request, server.max_delay),
        headers=(
            ("Content-Type", "text/event-stream; charset=utf-8"),
            ("Cache-Control", "no-store"),
        ),
        interval=interval,
    )


@route("/trailers", ANY)
def trailers(server: Server, request: Request) -> Behaviour:
    """Answer with an echo in chunks, and the parameters as fields behind it."""
    fields = []
    for name, value in own_arguments(request):
        if not _may_follow(name.lower()):
            expected = "a field that may follow the body, such as Server-Timing"
            raise Refused(unreadable(name, value, expected))
        fields.append(read(name, f"{name}:{value}", parse_header))
    echo = echoes.behaviour_with_body(request)
    assert isinstance(echo.body, Whole)
    body = Whole(echo.body.content, in_chunks=True)
    return echo._replace(body=body, trailers=tuple(fields))


def _may_follow(name: str) -> bool:
    return name not in NOT_IN_TRAILERS and not name.startswith(("content-", "if-"))


def _interval(server: Server, request: Request, count: int, default: float) -> float:
    """Seconds between two of `count` pieces that take the parameter `duration`."""
    seconds = parameter(request, "duration", duration(server.max_delay), default)
    return seconds / (count - 1) if count > 1 else 0.0


def _lines(request: Request, count: int) -> Generated:
    """Lines of JSON, each an echo with an id."""
    echo = echoes.echo(request)
    # The echo is encoded once. With its id, its keys are still in order.
    before = _json({name: echo.pop(name) for name in ("args", "headers")})[:-1]
    after = _json(echo)[1:]

    def lines() -> Iterator[bytes]:
        return (b'%b, "id": %d, %b\n' % (before, n, after) for n in range(count))

    return Generated(lines)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _events(count: int, interval: float, began: float) -> Generated:
    def events() -> Iterator[bytes]:
        for number in range(count):
            due = int((began + number * interval) * 1000)
            yield b'event: ping\ndata: {"id":%d,"timestamp":%d}\n\n' % (number, due)

    return Generated(events)
