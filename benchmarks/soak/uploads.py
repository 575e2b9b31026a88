"""Bodies that are nearly all there, in the memory of the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from benchmarks.soak.clients import (
    Pulse,
    in_waves,
    open_connection,
    read_answer,
    request,
    together,
)
from benchmarks.soak.figures import Row, Settings, Unexpected, say
from benchmarks.soak.server import Server, leaks

UPLOADS = 300
UPLOAD = memoryview(request("/status/200", body=b"x" * 2**20, is_last=True))
"""With the largest body that the server takes."""
PIECE = 64 * 1024
HELD_BACK = 8 * 1024
"""Bytes of it that are sent only after the pause."""
SECONDS_OF_PAUSE = 6.0
SECONDS_TO_END = 20.0
LEAST_TAKEN = 32
"""Of those that come at once: half as many as the server has room for."""
MOST_GROWTH = 110.0
"""MB: the server holds 64 of bodies, and Python takes memory in larger pieces."""


async def uploads(server: Server, settings: Settings, row: Row) -> None:
    """Clients that send nearly all of a large body, pause, and send the rest."""
    descriptors = await server.descriptors_at_rest()
    await upload(server, 0, pause=0.0)
    before = highest = server.resident()

    async def watch() -> None:
        nonlocal highest
        while True:
            highest = max(highest, server.resident())
            await asyncio.sleep(0.05)

    async def upload_one(number: int) -> int:
        try:
            return await upload(server, number, SECONDS_OF_PAUSE)
        except (Unexpected, OSError, asyncio.TimeoutError) as error:
            say(f"  lost: {error!r}")
            return 0

    watching = asyncio.ensure_future(watch())
    pulse = Pulse()
    try:
        uploaded, _ = await together(
            in_waves(upload_one, UPLOADS), pulse.beat(server.port, SECONDS_OF_PAUSE)
        )
    finally:
        watching.cancel()
    statuses = Counter(uploaded)
    row.done, row.lost = UPLOADS, pulse.lost + UPLOADS - statuses[200] - statuses[503]
    row.lost += max(LEAST_TAKEN - statuses[200], 0)
    row.leaked = await leaks(server, descriptors) + (highest - before > MOST_GROWTH)
    row.note = (
        f"{before:.1f} MB before, at most {highest:.1f} meanwhile "
        f"(+{highest - before:.1f}), {server.resident():.1f} after; "
        f"{statuses[200]} taken, {statuses[503]} refused with 503; {pulse}"
    )


async def upload(server: Server, number: int, pause: float) -> int:
    """Send a body with a pause near its end; returns the status of the answer.

    An answer that comes before the end of the body is taken as it is.
    """
    connection = await open_connection(server.port, number)
    reader, writer = await asyncio.open_connection(sock=connection)

    async def send_all() -> None:
        # The answer tells why, if the server takes no more of it.
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(UPLOAD) - HELD_BACK, PIECE):
                writer.write(UPLOAD[:-HELD_BACK][start : start + PIECE])
                await writer.drain()
            await asyncio.sleep(pause)
            writer.write(UPLOAD[-HELD_BACK:])
            await writer.drain()

    sending = asyncio.ensure_future(send_all())
    try:
        answer = await asyncio.wait_for(read_answer(reader), pause + SECONDS_TO_END)
        return answer.status
    finally:
        sending.cancel()
        writer.close()
