"""Clients that send more behind a request, before they have its answer."""

from __future__ import annotations

import asyncio
import socket
import time

from benchmarks.soak.clients import (
    SECONDS_TO_ANSWER,
    SMALLEST_BUFFER,
    in_waves,
    open_connection,
    read_answer,
    request,
    reset,
    send,
    together,
)
from benchmarks.soak.figures import Row, Settings, Unexpected, say
from benchmarks.soak.scenarios import without_outcome
from benchmarks.soak.server import Server, leaks, until

LEAVERS = 120
LEFT_BEHIND = 100_000
"""Bytes: more than the server reads of what comes behind a request."""
HELD_FOREVER = ("/get?_fault=stall", "/delay/300")
SECONDS_TO_READ = 0.5
"""For the server, to read what it will of the bytes behind a request."""

CLOSES = 50
HELD_AT_SIGTERM = 50
SECONDS_HELD = 5.0
BEHIND_A_CLOSE = 300_000
"""Bytes."""
SECONDS_BEFORE_READING = 0.5
ANSWERS = ("/stream/100", "/bytes/200000")
"""More than the smallest buffer takes, so that a reset cuts them off."""


def pipelined(size: int) -> bytes:
    """Whole requests, of so many bytes in all, or a little fewer."""
    one = request("/get?behind")
    return one * (size // len(one))


async def leavers(server: Server, settings: Settings, row: Row) -> None:
    """Clients that leave while the server holds their answer and does not read."""
    descriptors = await server.descriptors_at_rest()
    behind = pipelined(LEFT_BEHIND)

    async def ask_for_ever(number: int) -> socket.socket:
        connection = await open_connection(server.port, number)
        target = HELD_FOREVER[number % len(HELD_FOREVER)]
        await asyncio.wait_for(
            send(connection, request(target) + behind), SECONDS_TO_ANSWER
        )
        return connection

    async def are_held() -> bool:
        return await server.in_flight() == LEAVERS

    connections = await in_waves(ask_for_ever, LEAVERS)
    if not await until(are_held, SECONDS_TO_ANSWER):
        row.lost += abs(LEAVERS - await server.in_flight())
    await asyncio.sleep(SECONDS_TO_READ)
    for number, connection in enumerate(connections):
        if number // len(HELD_FOREVER) % 2:
            reset(connection)
        else:
            connection.close()
    began = time.monotonic()
    row.done = LEAVERS
    row.leaked = await leaks(server, descriptors)
    row.lost += without_outcome(await server.stats())
    row.note = (
        f"half left by RST, half by FIN; "
        f"{await server.in_flight()} in flight after {time.monotonic() - began:.1f} s"
    )


async def pipelined_closes(server: Server, settings: Settings, row: Row) -> None:
    """Requests that say `Connection: close`, and others behind them."""
    descriptors = await server.descriptors_at_rest()

    async def ask_last(number: int) -> bool:
        target = ANSWERS[number % len(ANSWERS)]
        return await is_whole(server.port, number, request(target, is_last=True))

    whole = sum(await in_waves(ask_last, CLOSES))
    row.done, row.lost = CLOSES, CLOSES - whole
    row.leaked = await leaks(server, descriptors)
    row.note = (
        f"{whole} whole answers, with {BEHIND_A_CLOSE:,} bytes behind the request"
    )


async def pipelined_drain(server: Server, settings: Settings, row: Row) -> None:
    """A SIGTERM while answers are held, with other requests behind them."""

    async def ask_once(number: int) -> bool:
        target = ANSWERS[number % len(ANSWERS)] + f"?_delay={SECONDS_HELD:g}"
        return await is_whole(server.port, number, request(target))

    async def are_held() -> bool:
        return await server.in_flight() == HELD_AT_SIGTERM

    async def stop_in_the_middle() -> None:
        if not await until(are_held, SECONDS_HELD):
            raise Unexpected("not all were in flight before the first was due")
        server.terminate()

    _, *are_whole = await together(
        stop_in_the_middle(), *map(ask_once, range(HELD_AT_SIGTERM))
    )
    whole = sum(are_whole)
    began = time.monotonic()
    code = await server.wait()
    row.done, row.lost = HELD_AT_SIGTERM, HELD_AT_SIGTERM - whole
    row.note = (
        f"{whole} whole answers, with {BEHIND_A_CLOSE:,} bytes behind the request; "
        f"exit code {code}, {time.monotonic() - began:.1f} s after the last"
    )


async def is_whole(port: int, number: int, first: bytes) -> bool:
    """Whether the first request alone is answered, and then comes an orderly end."""
    connection = await open_connection(port, number, SMALLEST_BUFFER)
    reader, writer = await asyncio.open_connection(
        sock=connection, limit=SMALLEST_BUFFER
    )
    try:
        writer.write(first + pipelined(BEHIND_A_CLOSE))
        await asyncio.sleep(SECONDS_BEFORE_READING)
        answer = await asyncio.wait_for(read_answer(reader), SECONDS_TO_ANSWER)
        rest = await asyncio.wait_for(reader.read(), SECONDS_TO_ANSWER)
        if answer.status != 200 or rest:
            raise Unexpected(f"status {answer.status}, and then {rest[:100]!r}")
        return True
    except (Unexpected, OSError, asyncio.TimeoutError) as error:
        say(f"  lost: {error!r}")
        return False
    finally:
        writer.close()
