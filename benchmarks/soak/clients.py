"""Clients that are plain sockets, and share no code with what they watch."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import (
    Callable,
    Coroutine,
    Mapping,
)
from dataclasses import dataclass
from typing import Any

from benchmarks.soak.figures import Unexpected, say

SOURCES = 8
"""Addresses to connect from, 127.0.0.1 and following: each has its own 28,000 ports."""
WAVE = 500
"""Connections that are opened at a time."""

SMALLEST_BUFFER = 2304
"""Bytes: what Linux makes of any smaller SO_RCVBUF."""

SECONDS_TO_ANSWER = 10.0

SECONDS_BETWEEN_ORDINARY_REQUESTS = 0.1
SECONDS_TO_ANSWER_QUICKLY = 1.0


@dataclass(frozen=True)
class Answer:
    """A whole answer. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def open_connection(
    port: int, number: int = 0, receive_buffer: int | None = None
) -> socket.socket:
    """Connect, from one of the addresses by turns.

    The kernel keeps about `receive_buffer` bytes of what is not read; None leaves it
    to the kernel.
    """
    connection = socket.socket()
    connection.setblocking(False)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        connection.bind((f"127.0.0.{1 + number % SOURCES}", 0))
        loop = asyncio.get_running_loop()
        await loop.sock_connect(connection, ("127.0.0.1", port))
    except BaseException:
        connection.close()
        raise
    return connection


async def send(connection: socket.socket, data: bytes) -> None:
    """Send all of the data."""
    await asyncio.get_running_loop().sock_sendall(connection, data)


def reset(connection: socket.socket) -> None:
    """Close in the way that sends RST."""
    no_time_to_linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time_to_linger)
    connection.close()


def request(target: str, *, body: bytes = b"", is_last: bool = False) -> bytes:
    """The bytes of a request: a GET, or a POST if it has a body."""
    lines = [f"{'POST' if body else 'GET'} {target} HTTP/1.1", "Host: 127.0.0.1"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if is_last:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one whole answer; raises `Unexpected` for what is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = await read_chunks(reader)
        else:
            body = await reader.readexactly(int(headers["content-length"]))
        return Answer(int(first.split(" ")[1]), headers, body)
    except (EOFError, LookupError, ValueError) as error:
        raise Unexpected(f"no whole answer: {error!r}") from None


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a body that comes in chunks."""
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        chunk = await reader.readexactly(size + 2)
        if not chunk.endswith(b"\r\n"):
            raise ValueError("no end of a chunk")
        if not size:
            return body
        body += chunk[:-2]


async def get(port: int, target: str, number: int = 0) -> Answer:
    """Ask on a connection of its own, and make sure that the server closes it."""
    connection = await open_connection(port, number)
    reader, writer = await asyncio.open_connection(sock=connection)
    try:
        writer.write(request(target, is_last=True))
        answer = await read_answer(reader)
        if await reader.read():
            raise Unexpected("more than one answer")
        return answer
    finally:
        writer.close()


async def ask(
    port: int, target: str, number: int = 0, seconds: float = SECONDS_TO_ANSWER
) -> Answer:
    """The same in so many seconds; raises `Unexpected` for anything but a 200."""
    try:
        answer = await asyncio.wait_for(get(port, target, number), seconds)
    except asyncio.TimeoutError:
        raise Unexpected(f"no answer to {target} in {seconds:g} s") from None
    if answer.status != 200:
        raise Unexpected(f"status {answer.status} for {target}")
    return answer


async def is_answered(
    port: int, target: str, number: int = 0, seconds: float = SECONDS_TO_ANSWER
) -> bool:
    """Whether there is such an answer; says so if there is none."""
    try:
        await ask(port, target, number, seconds)
    except (Unexpected, OSError) as error:
        say(f"  lost: {error!r}")
        return False
    return True


async def together(*acts: Coroutine[Any, Any, Any]) -> list[Any]:
    """What each of them gives; when one fails, the others do not go on."""
    tasks = [asyncio.ensure_future(act) for act in acts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def in_waves(
    act: Callable[[int], Coroutine[Any, Any, Any]], count: int
) -> list[Any]:
    """What `act` gives for each number below `count`, with not too many at a time."""
    results = []
    for start in range(0, count, WAVE):
        numbers = range(start, min(start + WAVE, count))
        results += await together(*(act(number) for number in numbers))
    return results


@dataclass
class Pulse:
    """Ordinary requests that are asked regularly while something else goes on.

    They are asked in a thread of their own, for a turn of the event loop in which
    hundreds of uploads go on takes half a second on a busy machine.
    """

    asked: int = 0
    lost: int = 0
    worst: float = 0.0
    """Seconds that the slowest answer took."""

    async def beat(self, port: int, seconds: float) -> None:
        """Ask for so many seconds, and wait for the last answer."""
        await asyncio.to_thread(asyncio.run, self._beat(port, seconds))

    async def _beat(self, port: int, seconds: float) -> None:
        began = time.monotonic()
        asking: list[asyncio.Future[None]] = []
        while (due := self.asked * SECONDS_BETWEEN_ORDINARY_REQUESTS) < seconds:
            await asyncio.sleep(max(began + due - time.monotonic(), 0.0))
            # Each on its own, so that a slow one does not put off the others.
            asking.append(asyncio.ensure_future(self._ask(port, self.asked)))
            self.asked += 1
        await asyncio.gather(*asking)

    async def _ask(self, port: int, number: int) -> None:
        began = time.monotonic()
        if not await is_answered(port, "/get", number, SECONDS_TO_ANSWER_QUICKLY):
            self.lost += 1
        self.worst = max(self.worst, time.monotonic() - began)

    def __str__(self) -> str:
        return f"{self.asked} others answered in {self.worst * 1000:.0f} ms at most"
