"""Bare ASGI, for granian: no framework at all."""

import asyncio
from typing import Any

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"19")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer at once, or after 3 s."""
    if scope["type"] != "http":
        return
    seconds = 0
    if scope["path"] == "/held":
        seconds = 3
        await asyncio.sleep(seconds)
    start = {"type": "http.response.start", "status": 200, "headers": HEADERS}
    await send(start)
    body = b'["wait time: %dsec"]' % seconds
    await send({"type": "http.response.body", "body": body})
