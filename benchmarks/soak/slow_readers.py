"""Clients that read slowly, or not at all."""

from __future__ import annotations

import asyncio
import json
import select
import time
from dataclasses import dataclass

from benchmarks.soak.clients import (
    SECONDS_TO_ANSWER,
    SMALLEST_BUFFER,
    Pulse,
    ask,
    get,
    in_waves,
    is_answered,
    open_connection,
    read_answer,
    request,
    send,
    together,
)
from benchmarks.soak.figures import Row, Settings, Unexpected, say
from benchmarks.soak.server import Server, leaks, until

SLOW_READER_TARGET = "/bytes/100000000"
SLOW_READER_RATE = 1_000_000
SLOW_READER_SECONDS = 10.0
SLOW_READER_GROWTH = 5.0
"""MB."""

KEPT_READERS = 20

ZERO_WINDOWS = 5
SEND_TIMEOUT = 2.0
"""Seconds."""
ZERO_WINDOW_OPTIONS = (
    *("--max-in-flight", str(ZERO_WINDOWS)),
    *("--send-timeout", f"{SEND_TIMEOUT:g}s"),
)
SECONDS_TO_NOTICE = 3.0
"""In which the server has to end a send, after its time is over."""
SECONDS_TO_END_UNREAD = 35.0
"""In which it has to end a connection whose answer the kernel has, but no client reads:
the 30 s for the next head, and some."""
ENDLESS, UNREAD = "/bytes/104857600", "/bytes/200000"
"""An answer that the kernel cannot take at once, and one that it can."""


@dataclass(frozen=True)
class SlowRead:
    """An answer of so many bytes, and how it is read."""

    size: int
    rate: int
    """Bytes a second."""
    receive_buffer: int | None


KEPT_READS = (
    SlowRead(1_000_000, 25_000, None),
    SlowRead(20_000, 500, SMALLEST_BUFFER),
)
"""Each takes 40 s, more than a head may take, though the kernel soon has all of it."""
STEADY_READS = (
    SlowRead(10_000_000, 2_000_000, None),
    SlowRead(100_000, 20_000, SMALLEST_BUFFER),
)
"""Each takes longer than SEND_TIMEOUT, but never pauses for as long."""


async def slow_reader(server: Server, settings: Settings, row: Row) -> None:
    """A body that is made no faster than it is read."""
    # The first large body allocates what the making of any body takes.
    await ask(server.port, "/bytes/1000000")
    descriptors, before = await server.descriptors_at_rest(), server.resident()
    pulse = Pulse()
    (count, highest), _ = await together(
        read_slowly(server), pulse.beat(server.port, SLOW_READER_SECONDS)
    )
    row.done, row.unit = count, "bytes"
    # It is not the reader who may be late, by more than the last read.
    row.lost = pulse.lost + (count < 0.9 * SLOW_READER_RATE * SLOW_READER_SECONDS)
    row.leaked = await leaks(server, descriptors) + (
        highest - before > SLOW_READER_GROWTH
    )
    row.note = f"{before:.1f} MB before, at most {highest:.1f} meanwhile; {pulse}"


async def read_slowly(server: Server) -> tuple[int, float]:
    """Read a part of a large body, and leave.

    Returns how many bytes, and the most memory (MB) that the server took meanwhile.
    """
    loop = asyncio.get_running_loop()
    count, highest = 0, 0.0
    with await open_connection(server.port) as connection:
        await send(connection, request(SLOW_READER_TARGET))
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < SLOW_READER_SECONDS:
            allowed = int(elapsed * SLOW_READER_RATE) - count
            if allowed > 0:
                receiving = loop.sock_recv(connection, allowed)
                received = await asyncio.wait_for(receiving, SECONDS_TO_ANSWER)
                if not received:
                    raise Unexpected("the body ended early")
                count += len(received)
            highest = max(highest, server.resident())
            await asyncio.sleep(0.05)
    return count, highest


async def kept_readers(server: Server, settings: Settings, row: Row) -> None:
    """Clients that read an answer for longer than a head may take, and ask again."""
    descriptors = await server.descriptors_at_rest()

    reads = KEPT_READS * (KEPT_READERS // len(KEPT_READS))
    results = await together(*(read_and_ask_again(server, read) for read in reads))
    times = [seconds for seconds in results if seconds is not None]
    row.done, row.lost = KEPT_READERS, KEPT_READERS - len(times)
    row.leaked = await leaks(server, descriptors)
    row.note = (
        f"{len(times)} read their answer in {min(times, default=0):.1f} to "
        f"{max(times, default=0):.1f} s, and had another on the same connection"
    )


async def read_and_ask_again(server: Server, read: SlowRead) -> float | None:
    """How long it took to read an answer, if it was whole and so was the next."""
    began = time.monotonic()
    try:
        return await seconds_to_read(server, read)
    except (Unexpected, OSError, asyncio.TimeoutError) as error:
        say(f"  lost after {time.monotonic() - began:.1f} s: {read}: {error!r}")
        return None


async def seconds_to_read(server: Server, read: SlowRead) -> float:
    """The same; raises `Unexpected` if an answer is not whole."""
    loop = asyncio.get_running_loop()
    buffer = read.receive_buffer
    with await open_connection(server.port, receive_buffer=buffer) as connection:
        await send(connection, request(f"/bytes/{read.size}"))
        received = bytearray()
        began = time.monotonic()
        while (left := left_of(received, read.size)) > 0:
            allowed = int((time.monotonic() - began) * read.rate) - len(received)
            if allowed > 0:
                receiving = loop.sock_recv(connection, min(allowed, left))
                data = await asyncio.wait_for(receiving, SECONDS_TO_ANSWER)
                if not data:
                    raise Unexpected(f"{left} bytes short")
                received += data
            await asyncio.sleep(0.05)
        elapsed = time.monotonic() - began
        reader, writer = await asyncio.open_connection(sock=connection)
        writer.write(request("/get"))
        answer = await asyncio.wait_for(read_answer(reader), SECONDS_TO_ANSWER)
        writer.close()
    if not received.startswith(b"HTTP/1.1 200 ") or answer.status != 200:
        raise Unexpected(f"{bytes(received[:100])!r}, {answer}")
    return elapsed


def left_of(received: bytearray, size: int) -> int:
    """Bytes of an answer that are to come, at least, if its body has this size."""
    head_end = received.find(b"\r\n\r\n")
    return size if head_end < 0 else head_end + 4 + size - len(received)


async def zero_windows(server: Server, settings: Settings, row: Row) -> None:
    """Clients that ask for much and read nothing, as many as may be in flight."""
    descriptors = await server.descriptors_at_rest()

    async def is_full() -> bool:
        return await server.in_flight() == ZERO_WINDOWS

    async def refuse_others() -> None:
        if not await until(is_full, SEND_TIMEOUT):
            raise Unexpected("not all were in flight before the first was ended")
        if (await get(server.port, "/get")).status != 503:
            raise Unexpected("no 503, though as many as may be are in flight")

    async def read_nothing_of(target: str, seconds: float) -> list[float]:
        async def read_nothing(number: int) -> float | None:
            return await seconds_until_reset(server.port, number, target, seconds)

        ended = await in_waves(read_nothing, ZERO_WINDOWS)
        row.done += ZERO_WINDOWS
        row.leaked += ended.count(None)
        row.lost += not await is_answered(server.port, "/get")
        return [seconds for seconds in ended if seconds is not None]

    sends, _ = await together(
        read_nothing_of(ENDLESS, SEND_TIMEOUT + SECONDS_TO_NOTICE), refuse_others()
    )
    row.lost += sum(seconds < SEND_TIMEOUT for seconds in sends)
    steady = await together(*(read_and_ask_again(server, r) for r in STEADY_READS))
    row.done += len(STEADY_READS)
    row.lost += steady.count(None)
    unread = await read_nothing_of(UNREAD, SECONDS_TO_END_UNREAD)
    row.leaked += await leaks(server, descriptors)
    outcomes = await outcomes_of(server, ENDLESS)
    row.lost += outcomes.count("answered")
    row.note = (
        f"sends ended after {min(sends, default=0):.1f} to {max(sends, default=0):.1f} "
        f"s ({', '.join(sorted(set(outcomes)))}); what the kernel had taken after "
        f"{max(unread, default=0):.1f} s"
    )


async def seconds_until_reset(
    port: int, number: int, target: str, most: float
) -> float | None:
    """How long the server waits for who does not read; None if it is too long."""
    with await open_connection(port, number, SMALLEST_BUFFER) as connection:
        # The server may count from before this process goes on behind what it sends.
        began = time.monotonic()
        await send(connection, request(target))
        errors = select.poll()
        # Errors are reported unasked; what can be read is of no interest.
        errors.register(connection, 0)
        while (elapsed := time.monotonic() - began) < most:
            if errors.poll(0):
                return elapsed
            await asyncio.sleep(0.02)
    return None


async def outcomes_of(server: Server, target: str) -> list[str]:
    """How the requests of a target ended, as the journal has them."""
    answer = await ask(server.port, "/__admin/requests")
    entries = json.loads(answer.body)["requests"]
    return [entry["outcome"] for entry in entries if entry["target"] == target]
