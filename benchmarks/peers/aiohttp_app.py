"""aiohttp on uvloop, doing the work of our server: `aiohttp_app.py PORT`."""

import asyncio
import json
import random
import sys
from typing import Any

import uvloop
from aiohttp import web

to_line = json.JSONEncoder(sort_keys=True).encode


async def root(request: web.Request) -> web.Response:
    """Answer after as many seconds as are asked for."""
    seconds = float(request.query.get("_delay", "0"))
    if seconds:
        await asyncio.sleep(seconds)
    return web.json_response([f"wait time: {seconds:g}sec"])


def seen(request: web.Request) -> dict[str, Any]:
    """Describe a request as httpbin does."""
    args: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        args[name] = values if len(values) > 1 else values[0]
    return {
        "args": args,
        "headers": dict(request.headers),
        "origin": request.remote,
        "url": str(request.url),
    }


def echo(found: dict[str, Any]) -> web.Response:
    """Give the description as httpbin lays it out."""
    return web.Response(
        text=json.dumps(found, indent=2, sort_keys=True) + "\n",
        content_type="application/json",
    )


async def get(request: web.Request) -> web.Response:
    """Echo a request without a body."""
    return echo(seen(request))


async def anything(request: web.Request) -> web.Response:
    """Echo a request and its body."""
    data = await request.text()
    try:
        parsed = json.loads(data)
    except ValueError:
        parsed = None
    body = {
        "data": data,
        "files": {},
        "form": dict(await request.post()),
        "json": parsed,
        "method": request.method,
    }
    return echo(seen(request) | body)


async def some_bytes(request: web.Request) -> web.Response:
    """Answer with random bytes, made anew."""
    return web.Response(body=random.randbytes(int(request.match_info["n"])))


async def stream(request: web.Request) -> web.StreamResponse:
    """Answer with lines of JSON, each in a chunk of its own."""
    found = seen(request)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for number in range(int(request.match_info["n"])):
        found["id"] = number
        await response.write(to_line(found).encode() + b"\n")
    await response.write_eof()
    return response


app = web.Application()
app.router.add_get("/", root)
app.router.add_get("/get", get)
app.router.add_route("*", "/anything", anything)
app.router.add_get("/bytes/{n}", some_bytes)
app.router.add_get("/stream/{n}", stream)
uvloop.install()
web.run_app(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    access_log=None,
    print=lambda *_: None,
    backlog=8192,
)
