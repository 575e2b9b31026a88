"""One client that asks for what takes long to do, and what it costs the others."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.soak.clients import (
    SECONDS_TO_ANSWER,
    SECONDS_TO_ANSWER_QUICKLY,
    open_connection,
    read_answer,
    request,
    together,
)
from benchmarks.soak.figures import Row, Settings, Unexpected, say
from benchmarks.soak.server import Server, leaks

OTHERS = 5
SECONDS_BETWEEN_QUESTIONS = 0.01
SECONDS_OF_A_KIND = 3.0
MIB = 2**20
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LONGEST_STATUS_LINE = 13


@dataclass(frozen=True)
class Greed:
    """What a greedy client sends, over and over on each of its connections."""

    name: str
    payload: bytes
    connections: int = 1
    is_endless: bool = False
    """Whether one answer takes up all the time, so that it asks only once."""


def posted(content_type: str, body: bytes) -> bytes:
    """The bytes of a POST of a body."""
    head = (
        "POST /anything HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def filled(piece: bytes, size: int) -> bytes:
    """As many of a piece as fit into so many bytes."""
    return piece * (size // len(piece))


def kinds() -> Iterator[Greed]:
    """All that a greedy client asks for; nothing first, to compare with."""
    yield Greed("nothing", b"", connections=0)
    one_byte_chunks = request("/stream-bytes/104857600?chunk_size=1")
    yield Greed("stream", one_byte_chunks, connections=10, is_endless=True)
    one_byte_chunks = request("/range/104857600?chunk_size=1")
    yield Greed("range", one_byte_chunks, is_endless=True)

    form = "application/x-www-form-urlencoded"
    yield Greed("form", posted(form, filled(b"a&", MIB)))
    yield Greed("escaped form", posted(form, filled(b"%41", MIB)))

    multipart = "multipart/form-data; boundary=b"
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    end = b"--b--\r\n"
    parts = filled(part, MIB - len(end)) + end
    yield Greed("multipart", posted(multipart, parts))
    start, end = b"--b\r\n", b"\r\n\r\n--b--\r\n"
    one_part = start + filled(b"a: b\r\n", MIB - len(start + end)) + end
    yield Greed("multipart head", posted(multipart, one_part))

    json = "application/json"
    for name, value in ("JSON", b"0"), ("nested JSON", b"[" * 900 + b"]" * 900):
        values = b"[" + filled(value + b",", MIB - 3) + b"0]"
        yield Greed(name, posted(json, values))

    for count in 8000, 1000:
        # With as many as 1,000, a query is taken.
        fields = "&".join(["a"] * count)
        yield Greed(f"{count:,} fields", request(f"/get?{fields}") * 20)

    head = b"POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield Greed("chunked upload", head + filled(b"1\r\na\r\n", MIB) + b"0\r\n\r\n")
    tiny = (b"GET /get?%d HTTP/1.1\r\nHost:a\r\n\r\n" % n for n in range(2000))
    yield Greed("tiny requests", b"".join(tiny)[: 64 * 1024].rpartition(b"GET")[0])


class Other:
    """A client that asks for little, again and again, on a kept connection."""

    def __init__(self, port: int, number: int) -> None:
        self.answered = 0
        self.lost = 0
        """Answers that were wrong, or that came too late."""
        self.worst = 0.0
        """Seconds that the slowest answer took."""
        self._port = port
        self._number = number

    async def ask_on(self) -> None:
        """Ask until the time is over."""
        deadline = time.monotonic() + SECONDS_OF_A_KIND
        while time.monotonic() < deadline:
            connection = await open_connection(self._port, self._number)
            streams = await asyncio.open_connection(sock=connection)
            try:
                while time.monotonic() < deadline:
                    await self._ask(*streams)
                    await asyncio.sleep(SECONDS_BETWEEN_QUESTIONS)
            except (Unexpected, OSError, asyncio.TimeoutError) as error:
                say(f"  lost: {error!r}")
                self.lost += 1
            finally:
                streams[1].close()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        began = time.monotonic()
        try:
            writer.write(request("/?_delay=0"))
            answer = await asyncio.wait_for(read_answer(reader), SECONDS_TO_ANSWER)
        finally:
            elapsed = time.monotonic() - began
            self.worst = max(self.worst, elapsed)
        if answer.status != 200:
            raise Unexpected(f"status {answer.status}")
        self.answered += 1
        self.lost += elapsed > SECONDS_TO_ANSWER_QUICKLY


async def be_greedy(greed: Greed, port: int, statuses: Counter[int]) -> None:
    """Ask until the time is over, on a new connection whenever the last has ended.

    Counts the statuses of the answers that begin.
    """
    deadline = time.monotonic() + SECONDS_OF_A_KIND
    while (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
            await asyncio.wait_for(use_connection(greed, port, statuses), left)


async def use_connection(greed: Greed, port: int, statuses: Counter[int]) -> None:
    """Send, and read what comes, until the server closes the connection."""
    connection = await open_connection(port)
    reader, writer = await asyncio.open_connection(sock=connection)

    async def send_on() -> None:
        writer.write(greed.payload)
        while not greed.is_endless:
            await writer.drain()
            writer.write(greed.payload)

    async def read_on() -> None:
        seen = b""
        while data := await reader.read(MIB):
            seen = seen[1 - LONGEST_STATUS_LINE :] + data
            statuses.update(int(status) for status in STATUS_LINE.findall(seen))
        raise ConnectionResetError("the server closed the connection")

    try:
        await together(send_on(), read_on())
    finally:
        writer.transport.abort()


async def greedy(server: Server, settings: Settings, row: Row) -> None:
    """Others' latency while one client asks for what takes long, kind by kind."""
    descriptors = await server.descriptors_at_rest()
    worst: dict[str, float] = {}
    row.unit = "answers"
    for greed in kinds():
        others = [Other(server.port, number) for number in range(OTHERS)]
        statuses: Counter[int] = Counter()
        await together(
            *(other.ask_on() for other in others),
            *(
                be_greedy(greed, server.port, statuses)
                for _ in range(greed.connections)
            ),
        )
        worst[greed.name] = max(other.worst for other in others)
        row.done += sum(other.answered for other in others)
        row.lost += sum(other.lost for other in others)
        if greed.connections and max(statuses, default=500) >= 500:
            say(f"  lost: {greed.name}: {dict(statuses)}")
            row.lost += 1
        say(f"  {greed.name}: {worst[greed.name] * 1000:.0f} ms, {dict(statuses)}")
        row.leaked += await leaks(server, descriptors)
    slowest_first = sorted(worst.items(), key=lambda item: -item[1])
    row.note = "others' worst latency in ms: " + ", ".join(
        f"{name} {seconds * 1000:.0f}" for name, seconds in slowest_first
    )
