"""The scenarios, but for the mixed one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import (
    Mapping,
    Sequence,
)
from typing import Any

from benchmarks.soak.clients import (
    Pulse,
    in_waves,
    is_answered,
    open_connection,
    request,
    reset,
    send,
    together,
)
from benchmarks.soak.figures import Row, Settings, Unexpected, say
from benchmarks.soak.server import (
    SECONDS_TO_CLEAN_UP,
    SECONDS_TO_HOLD,
    Server,
    leaks,
    until,
)

STORM_CONNECTIONS = 5_000

HALF_SENT_CONNECTIONS = 200
HALF_A_HEAD = b"GET /get HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
SECONDS_BETWEEN_BYTES = 3.0
HEAD_EARLIEST, HEAD_LATEST = 29.0, 33.0
"""Seconds between which the server is to give up waiting for a head: at 30."""

WARM_UP = 2_000
"""Connections, and ordinary requests, for which a server allocates what it keeps."""
MOST_GROWTH_WHEN_LEFT = 1.2

HELD_AT_SIGTERM = 1_000
SECONDS_HELD = 6.0
"""Of those: in that time, a busy machine has to have got all of them."""


async def storm(server: Server, settings: Settings, row: Row) -> None:
    """Connections that come and leave at once."""
    descriptors, resident = await server.descriptors_at_rest(), server.resident()
    counted_before = (await server.stats())["requests"]
    whole = request("/delay/300")
    sent = (b"", whole[: len(whole) // 2], whole)

    async def come_and_leave(number: int) -> None:
        try:
            connection = await open_connection(server.port, number)
            await send(connection, sent[number % 3])
        except OSError as error:
            say(f"  lost: {error!r}")
            row.lost += 1
            return
        if is_orderly(number):
            connection.close()
        else:
            reset(connection)

    await in_waves(come_and_leave, STORM_CONNECTIONS)
    row.done = STORM_CONNECTIONS
    began = time.monotonic()
    row.leaked = await leaks(server, descriptors)
    cleaned_up = time.monotonic() - began
    stats = await server.stats()
    # A reset may overtake a request, but one that is followed by FIN must be seen.
    certain = sum(n % 3 == 2 and is_orderly(n) for n in range(STORM_CONNECTIONS))
    row.lost += max(certain - (stats["requests"] - counted_before), 0)
    row.lost += without_outcome(stats)
    row.lost += not await is_answered(server.port, "/get")
    row.note = (
        f"clean after {cleaned_up:.1f} s; "
        f"{resident:.1f} MB before, {server.resident():.1f} after"
    )


def is_orderly(number: int) -> bool:
    """Whether this one of the storm closes, rather than to reset."""
    return number // 3 % 2 == 0


def without_outcome(stats: Mapping[str, Any]) -> int:
    """Requests that are neither in flight nor over."""
    over: int = sum(stats["outcomes"].values())
    came: int = stats["requests"]
    held: int = stats["in_flight"]
    return abs(came - held - over)


async def half_sent(server: Server, settings: Settings, row: Row) -> None:
    """Heads that never end."""
    descriptors = await server.descriptors_at_rest()
    pulse = Pulse()

    async def trickle(number: int) -> float | None:
        return await seconds_until_closed(server.port, number)

    _, closed = await together(
        pulse.beat(server.port, HEAD_LATEST),
        in_waves(trickle, HALF_SENT_CONNECTIONS),
    )
    times = [seconds for seconds in closed if seconds is not None]
    row.done = HALF_SENT_CONNECTIONS
    row.lost = pulse.lost + sum(seconds < HEAD_EARLIEST for seconds in times)
    row.leaked = HALF_SENT_CONNECTIONS - len(times)
    row.leaked += await leaks(server, descriptors)
    row.note = f"closed after {min(times, default=0):.1f}"
    row.note += f" to {max(times, default=0):.1f} s; {pulse}"


async def seconds_until_closed(port: int, number: int) -> float | None:
    """How long the server lets a head go on; None if it is for too long."""
    began = time.monotonic()
    with await open_connection(port, number) as connection:
        await send(connection, HALF_A_HEAD)
        loop = asyncio.get_running_loop()
        while (elapsed := time.monotonic() - began) < HEAD_LATEST:
            wait = min(SECONDS_BETWEEN_BYTES, HEAD_LATEST - elapsed)
            try:
                if not await asyncio.wait_for(loop.sock_recv(connection, 1024), wait):
                    return time.monotonic() - began
            except asyncio.TimeoutError:
                with contextlib.suppress(ConnectionError):
                    await send(connection, b"a")
            except ConnectionError:
                return time.monotonic() - began
    return None


async def many_held(server: Server, settings: Settings, row: Row) -> None:
    """Answers held by the thousand."""
    count = settings.connections
    cold = server.resident()
    descriptors = await server.descriptors_at_rest()
    await warm_up(server, row)
    row.leaked += await leaks(server, descriptors)
    before = server.resident()

    held, emptied = await hold_and_leave(server, count, row)
    row.leaked += await leaks(server, descriptors, before * MOST_GROWTH_WHEN_LEFT)
    after = server.resident()
    # What grows once is kept for the next time; what leaks grows each time.
    await hold_and_leave(server, count, row)
    row.leaked += await leaks(server, descriptors, before * MOST_GROWTH_WHEN_LEFT)
    row.lost += without_outcome(await server.stats())
    row.done = 2 * count
    row.note = (
        f"{cold:.1f} MB cold, {before:.1f} warm, {held:.1f} held "
        f"({(held - before) * 1024 / count:.1f} KB each), {after:.1f} after "
        f"({after / before:.2f} x warm), {server.resident():.1f} after once more; "
        f"none in flight after {emptied:.1f} s"
    )


async def hold_and_leave(server: Server, count: int, row: Row) -> tuple[float, float]:
    """Have so many answers held, and leave all at once.

    Returns how much memory (MB) the server had meanwhile, and in how many seconds it
    had let go of all.
    """

    async def is_empty() -> bool:
        return await server.in_flight() == 0

    connections = await hold(server, count, row)
    held = server.resident()
    began = time.monotonic()
    leave(connections, row)
    await until(is_empty, SECONDS_TO_CLEAN_UP)
    return held, time.monotonic() - began


async def warm_up(server: Server, row: Row) -> None:
    """Let the server allocate once what it keeps for good."""

    async def ask_once(number: int) -> None:
        row.lost += not await is_answered(server.port, "/get", number)

    await hold_and_leave(server, WARM_UP, row)
    await in_waves(ask_once, WARM_UP)


async def hold(server: Server, count: int, row: Row) -> list[socket.socket]:
    """Connections on each of which the server holds an answer; lost are the others."""

    async def open_one(number: int) -> socket.socket:
        connection = await open_connection(server.port, number)
        await send(connection, request("/delay/300"))
        return connection

    async def are_held() -> bool:
        return await server.in_flight() == count

    connections = await in_waves(open_one, count)
    if not await until(are_held, SECONDS_TO_HOLD):
        row.lost += abs(count - await server.in_flight())
    return connections


def leave(connections: Sequence[socket.socket], row: Row) -> None:
    """Close all; lost are those on which something came, or which the server closed."""
    for connection in connections:
        with connection, contextlib.suppress(BlockingIOError):
            with contextlib.suppress(ConnectionError):
                connection.recv(1)
            row.lost += 1


async def told_to_stop(server: Server, settings: Settings, row: Row) -> None:
    """A SIGTERM in the middle."""

    async def ask_once(number: int) -> bool:
        return await is_answered(server.port, f"/delay/{SECONDS_HELD:g}", number)

    async def are_held() -> bool:
        return await server.in_flight() == HELD_AT_SIGTERM

    async def stop_in_the_middle() -> None:
        if not await until(are_held, SECONDS_HELD):
            raise Unexpected("not all were in flight before the first was due")
        server.terminate()

    acts = (ask_once(number) for number in range(HELD_AT_SIGTERM))
    _, *are_answered = await together(stop_in_the_middle(), *acts)
    answered = sum(are_answered)
    began = time.monotonic()
    code = await server.wait()
    row.done = HELD_AT_SIGTERM
    row.lost = HELD_AT_SIGTERM - answered
    row.note = (
        f"{answered} whole answers; "
        f"exit code {code}, {time.monotonic() - began:.1f} s after the last"
    )
