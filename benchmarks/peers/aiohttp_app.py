"""aiohttp on uvloop: `aiohttp_app.py PORT`."""

import asyncio
import sys

import uvloop
from aiohttp import web


async def root(request: web.Request) -> web.Response:
    """Answer at once."""
    return web.json_response(["wait time: 0sec"])


async def held(request: web.Request) -> web.Response:
    """Answer after 3 s."""
    await asyncio.sleep(3)
    return web.json_response(["wait time: 3sec"])


app = web.Application()
app.router.add_get("/", root)
app.router.add_get("/held", held)
uvloop.install()
web.run_app(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    access_log=None,
    print=lambda *_: None,
    backlog=8192,
)
