"""The paths of httpbin and go-httpbin, as their callers know them."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any
from urllib.parse import quote

from nbtwisted.server.model.behaviour import (
    JSON,
    Behaviour,
    Part,
    json_behaviour,
    json_body,
)
from nbtwisted.server.model.body import (
    PIECE,
    RANDOM_PIECE,
    Body,
    Filler,
    Generated,
    Letters,
    Noise,
    RandomBytes,
    Whole,
)
from nbtwisted.server.model.controls import (
    CONTROLS,
    LARGEST_BODY,
    MOST_CHUNKS,
    Drip,
    Statuses,
    parse_header,
    parse_probability,
    parse_size,
)
from nbtwisted.server.model.delay import NO_DELAY, Delay
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes import echo as echoes
from nbtwisted.server.routes.origin import client, root_url
from nbtwisted.server.routes.parameters import (
    Refused,
    arguments,
    duration,
    parameter,
    read,
    unreadable,
    whole_number,
)
from nbtwisted.server.routes.router import ANY, Server, route

MOST_LINES = 100
"""Most lines of `/stream`, as in httpbin, and events of `/sse`, as in go-httpbin."""

MOST_REDIRECTS = 1000

LARGEST_SEED = 2**64

FASTEST = 1
"""The level of compression: the best takes 140 ms for some heads of 64 KiB."""

_BYTES = (("Content-Type", "application/octet-stream"),)
_TEXT = (("Content-Type", "text/plain; charset=utf-8"),)


@route("/get")
def get(server: Server, request: Request) -> Behaviour:
    """Echo the request."""
    return json_behaviour(echoes.echo(request))


@route("/post", "POST")
@route("/put", "PUT")
@route("/patch", "PATCH")
@route("/delete", "DELETE")
def with_body(server: Server, request: Request) -> Behaviour:
    """Echo the request and its body."""
    return echoes.behaviour_with_body(request)


@route("/anything", ANY)
@route("/anything/<rest:rest>", ANY)
def anything(server: Server, request: Request, rest: str = "") -> Behaviour:
    """Echo the request, its body and its method."""
    method = request.method.decode("ascii")
    return echoes.behaviour_with_body(request, method=method)


@route("/headers")
def headers(server: Server, request: Request) -> Behaviour:
    """Echo the headers."""
    return json_behaviour({"headers": echoes.headers(request)})


@route("/ip")
def ip(server: Server, request: Request) -> Behaviour:
    """Tell the client's address."""
    return json_behaviour({"origin": client(request)})


@route("/user-agent")
def user_agent(server: Server, request: Request) -> Behaviour:
    """Echo the header User-Agent."""
    return json_behaviour({"user-agent": request.header("user-agent")})


@route("/status/<codes>", ANY)
def status(server: Server, request: Request, codes: str) -> Behaviour:
    """Answer with a status, or with one of several, and no body."""
    statuses = read("status", codes, Statuses.parse)
    return Behaviour(Whole(b""), statuses=statuses, headers=_TEXT)


@route("/bytes/<n>")
def random_bytes(server: Server, request: Request, n: str) -> Behaviour:
    """Answer with `n` random bytes."""
    return _random(request, read("n", n, parse_size), RANDOM_PIECE, in_chunks=False)


@route("/stream-bytes/<n>")
def stream_bytes(server: Server, request: Request, n: str) -> Behaviour:
    """The same in chunks."""
    return _random(
        request, read("n", n, parse_size), _chunk_size(request), in_chunks=True
    )


@route("/stream/<n>")
def stream(server: Server, request: Request, n: str) -> Behaviour:
    """Answer with `n` lines of JSON, each in a chunk."""
    count = read("n", n, whole_number(0, MOST_LINES))
    echo = echoes.echo(request)
    # The echo is encoded once. With its id, its keys are still in order.
    before = _json({name: echo.pop(name) for name in ("args", "headers")})[:-1]
    after = _json(echo)[1:]

    def lines() -> Iterator[bytes]:
        return (b'%b, "id": %d, %b\n' % (before, n, after) for n in range(count))

    return Behaviour(Generated(lines))


@route("/range/<n>")
def range_of_bytes(server: Server, request: Request, n: str) -> Behaviour:
    """Answer with `n` bytes, of which a part can be asked for."""
    size = read("n", n, whole_number(1, LARGEST_BODY))
    piece_size = _chunk_size(request)
    seconds = parameter(request, "duration", duration(server.max_delay), 0.0)

    def make(start: int, stop: int) -> tuple[Letters, float]:
        pieces = -(-(stop - start) // piece_size)
        took = seconds * (stop - start) / size
        return Letters(start, stop - start, piece_size), took / max(pieces - 1, 1)

    body, interval = make(0, size)
    return Behaviour(
        body,
        headers=(*_BYTES, ("ETag", f'"range{size}"'), ("Accept-Ranges", "bytes")),
        interval=interval,
        part=Part(size, make),
    )


@route("/drip")
def drip(server: Server, request: Request) -> Behaviour:
    """Answer with bytes that come one after another over a time."""
    count = parameter(request, "numbytes", whole_number(1, 10 * 1024 * 1024), 10)
    seconds = parameter(request, "duration", duration(server.max_delay), 2.0)
    return Behaviour(
        Filler(count),
        delay=_delay(server, request),
        statuses=parameter(request, "code", Statuses.parse, Statuses((200,))),
        headers=_BYTES,
        drip=Drip(seconds, min(count, MOST_CHUNKS)),
    )


@route("/redirect/<n>")
def redirect(server: Server, request: Request, n: str) -> Behaviour:
    """Redirect `n` times, then to `/get`."""
    is_absolute = parameter(request, "absolute", _parse_truth, False)
    return _redirect(server, request, n, "absolute" if is_absolute else "relative")


@route("/redirect-to", ANY)
def redirect_to(server: Server, request: Request) -> Behaviour:
    """Redirect to the parameter `url`."""
    url = parameter(request, "url", _parse_location, "")
    if not url:
        raise Refused(unreadable("url", "", "a URL to redirect to"))
    status = parameter(request, "status_code", whole_number(300, 399), 302)
    return _redirection(url, status)


@route("/response-headers", "GET", "POST")
def response_headers(server: Server, request: Request) -> Behaviour:
    """Answer with the parameters as headers, and the headers as JSON."""
    given: list[tuple[str, str]] = []
    for raw_name, values in arguments(request).items():
        name = raw_name.decode("latin-1")
        for value in values:
            text = f"{name}:{value.decode('utf-8', 'backslashreplace')}"
            if not (name.startswith("_") and name[1:] in CONTROLS):
                given.append(read(name, text, parse_header))
    names = {name.lower() for name, _ in given}
    headers = (*(() if "content-type" in names else JSON), *given)
    shown: dict[str, Any] = {}
    for name, value in headers:
        shown.setdefault(name, []).append(value)
    shown = {n: vs[0] if len(vs) == 1 else vs for n, vs in shown.items()}
    # The body says its own length.
    without = json_body({**shown, "Content-Length": ""}).length
    length = without
    while without + len(str(length)) != length:
        length = without + len(str(length))
    body = json_body({**shown, "Content-Length": str(length)})
    return Behaviour(body, headers=headers)


@route("/sse")
def sse(server: Server, request: Request) -> Behaviour:
    """Answer with server-sent events; each tells when it was due."""
    count = parameter(request, "count", whole_number(1, MOST_LINES), 10)
    seconds = parameter(request, "duration", duration(server.max_delay), 5.0)
    interval = seconds / (count - 1) if count > 1 else 0.0
    return Behaviour(
        lambda asked, random: _events(count, interval, time.time() + asked),
        delay=_delay(server, request),
        headers=(
            ("Content-Type", "text/event-stream; charset=utf-8"),
            ("Cache-Control", "no-store"),
        ),
        interval=interval,
    )


@route("/unstable")
def unstable(server: Server, request: Request) -> Behaviour:
    """Answer 500 as often as asked, and otherwise 200."""
    rate = parameter(request, "failure_rate", parse_probability, 0.5)
    seed = parameter(request, "seed", whole_number(-LARGEST_SEED, LARGEST_SEED), None)
    statuses = Statuses((200, 500), (1 - rate, rate))
    return Behaviour(Whole(b""), statuses=statuses, headers=_TEXT, seed=seed)


def _chunk_size(request: Request) -> int:
    return parameter(request, "chunk_size", whole_number(1, PIECE), RANDOM_PIECE)


def _delay(server: Server, request: Request) -> Delay:
    parse = partial(Delay.parse, longest=server.max_delay)
    return parameter(request, "delay", parse, NO_DELAY)


def _random(
    request: Request, length: int, piece_size: int, *, in_chunks: bool
) -> Behaviour:
    seed = parameter(request, "seed", whole_number(-LARGEST_SEED, LARGEST_SEED), None)
    if seed is not None:
        body = RandomBytes(length, seed, piece_size, in_chunks)
        return Behaviour(body, headers=_BYTES)

    def drawn(asked: float, random: Random) -> Body:
        if length <= piece_size:
            return Whole(random.randbytes(length), in_chunks)
        return Noise(length, random, piece_size, in_chunks)

    return Behaviour(drawn, headers=_BYTES, has_random_body=True)


def _compressed(
    server: Server, request: Request, encoding: str, done: str
) -> Behaviour:
    plain = json_body(
        {
            done: True,
            "headers": echoes.headers(request),
            "method": request.method.decode("ascii"),
            "origin": client(request),
        }
    ).content
    content = (
        gzip.compress(plain, FASTEST, mtime=0)
        if encoding == "gzip"
        else zlib.compress(plain, FASTEST)
    )
    return Behaviour(Whole(content), headers=(*JSON, ("Content-Encoding", encoding)))


route("/gzip")(partial(_compressed, encoding="gzip", done="gzipped"))
route("/deflate")(partial(_compressed, encoding="deflate", done="deflated"))


def _redirect(server: Server, request: Request, n: str, kind: str) -> Behaviour:
    left = read("n", n, whole_number(1, MOST_REDIRECTS)) - 1
    path = f"/{kind}-redirect/{left}" if left else "/get"
    return _redirection((root_url(request) if kind == "absolute" else "") + path, 302)


route("/relative-redirect/<n>")(partial(_redirect, kind="relative"))
route("/absolute-redirect/<n>")(partial(_redirect, kind="absolute"))


def _redirection(location: str, status: int) -> Behaviour:
    return Behaviour(
        Whole(b""),
        statuses=Statuses((status,)),
        headers=(*_TEXT, ("Location", location)),
    )


def _parse_location(text: str) -> str:
    if not text or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("a URL without spaces and control characters")
    # A header is ASCII. Text that is percent-encoded stays as it is.
    return quote(text, safe="%/:=&?~#+!$,;'@()*[]")


def _parse_truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _events(count: int, interval: float, began: float) -> Generated:
    def events() -> Iterator[bytes]:
        for number in range(count):
            due = int((began + number * interval) * 1000)
            yield b'event: ping\ndata: {"id":%d,"timestamp":%d}\n\n' % (number, due)

    return Generated(events)
