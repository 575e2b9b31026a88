"""Paths whose answer is made for the request: statuses, bytes, headers, chance."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

from nbtwisted.server.model.behaviour import (
    JSON,
    Behaviour,
    Part,
    json_body,
)
from nbtwisted.server.model.body import (
    PIECE,
    RANDOM_PIECE,
    Body,
    Filler,
    Letters,
    Noise,
    RandomBytes,
    Whole,
)
from nbtwisted.server.model.control_text import (
    LARGEST_BODY,
    MOST_CHUNKS,
    parse_header,
    parse_probability,
    parse_size,
)
from nbtwisted.server.model.controls import Drip, Statuses
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.parameters import (
    delay,
    duration,
    own_arguments,
    parameter,
    read,
    whole_number,
)
from nbtwisted.server.routes.router import ANY, Server, route

LARGEST_SEED = 2**64

_BYTES = (("Content-Type", "application/octet-stream"),)
_TEXT = (("Content-Type", "text/plain; charset=utf-8"),)


@route("/uuid")
def uuid(server: Server, request: Request) -> Behaviour:
    """Answer with a random UUID."""

    def drawn(asked: float, random: Random) -> Body:
        return json_body({"uuid": str(UUID(int=random.getrandbits(128), version=4))})

    return Behaviour(drawn, has_random_body=True)


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
        delay=delay(request, server.max_delay),
        statuses=parameter(request, "code", Statuses.parse, Statuses((200,))),
        headers=_BYTES,
        drip=Drip(seconds, min(count, MOST_CHUNKS)),
    )


@route("/response-headers", "GET", "POST")
def response_headers(server: Server, request: Request) -> Behaviour:
    """Answer with the parameters as headers, and the headers as JSON."""
    given = [
        read(name, f"{name}:{value}", parse_header)
        for name, value in own_arguments(request)
    ]
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


@route("/unstable")
def unstable(server: Server, request: Request) -> Behaviour:
    """Answer 500 as often as asked, and otherwise 200."""
    rate = parameter(request, "failure_rate", parse_probability, 0.5)
    seed = parameter(request, "seed", whole_number(-LARGEST_SEED, LARGEST_SEED), None)
    statuses = Statuses((200, 500), (1 - rate, rate))
    return Behaviour(Whole(b""), statuses=statuses, headers=_TEXT, seed=seed)


def _chunk_size(request: Request) -> int:
    return parameter(request, "chunk_size", whole_number(1, PIECE), RANDOM_PIECE)


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
