"""A client that sends requests of many kinds through a proxy, on plain sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
import zlib
from dataclasses import dataclass
from random import Random
from typing import Any

from benchmarks.soak.clients import SMALLEST_BUFFER, open_connection, read_chunks
from benchmarks.soak.figures import Unexpected
from benchmarks.soak.proxy_kinds import Ending, Kind, Leaving
from benchmarks.soak.upstream import LARGE, PLAIN, body_of

__all__ = ["Carried", "Reply", "Sender", "uploaded"]

SECONDS_TO_END = 15.0
SECONDS_OF_A_STALL = 0.7
SECONDS_BEFORE_LEAVING = 0.08
READ_BEFORE_LEAVING = 10_000
UPLOAD_SIZES = (1, 3_000, 60_000, 200_000)
PIECE = 16_384
"""Bytes of what is uploaded at a time."""


@dataclass(frozen=True)
class Reply:
    """How a request ended; `is_kept` tells whether its connection can be used again."""

    ending: Ending
    status: int = 0
    is_kept: bool = False


@dataclass
class Carried:
    """A connection, and the bytes that passed over it as its client saw them.

    peer: its own address and port, as the proxy names it.
    came: Unix time at which it was made, in seconds.
    began, ended: seconds of a monotonic clock.
    is_whole: whether all that was sent was answered, and nothing was left unread.
    """

    peer: str
    came: float
    began: float
    ended: float = 0.0
    sent: int = 0
    received: int = 0
    is_whole: bool = True


class _Counting(asyncio.StreamReader):
    """A reader that counts what comes."""

    count = 0

    def feed_data(self, data: Any) -> None:
        self.count += len(data)
        super().feed_data(data)


def uploaded(number: int) -> bytes:
    """The body of a request that has one."""
    return body_of(number, UPLOAD_SIZES[number % len(UPLOAD_SIZES)])


class Sender:
    """Sends one request after another, on a connection that it keeps or leaves."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._number = number
        self._random = Random(number)
        self._streams: tuple[_Counting, asyncio.StreamWriter] | None = None
        self._carried = Carried("", 0.0, 0.0)
        self.carried: list[Carried] = []
        """The connections that it has left."""
        self.refused = 0
        """Those that were reset before they were there."""

    async def send(self, kind: Kind, number: int) -> Reply:
        """Send a request, and see how it ends; raises `Unexpected`.

        That is, if its answer is not of this request, or comes never.
        """
        # Who leaves has a connection that nothing else was sent on.
        if kind.leaving or kind.method == "POST":
            self.close()
        try:
            reply = await asyncio.wait_for(self._send(kind, number), SECONDS_TO_END)
        except asyncio.TimeoutError:
            self.close()
            raise Unexpected("it did not end") from None
        except BaseException:
            self.close()
            raise
        # Some connections are used again, and some are not.
        if not reply.is_kept or self._random.random() < 0.3:
            self.close()
        return reply

    def close(self) -> None:
        """Leave the connection, in order."""
        if self._streams is None:
            return
        reader, writer = self._streams
        self._streams = None
        writer.close()
        self._carried.received = reader.count
        self._carried.ended = time.monotonic()
        self.carried.append(self._carried)

    async def _send(self, kind: Kind, number: int) -> Reply:
        try:
            reader, writer = await self._connection(kind)
        except ConnectionResetError:
            self.refused += 1
            return Reply(Ending.RESET)
        carried = self._carried
        carried.sent += _write(writer, _head(kind, number))
        if kind.leaving is not None:
            carried.is_whole = False
            return await self._leave(kind.leaving, number)
        sending = asyncio.ensure_future(_upload(writer, carried, kind, number))
        try:
            reply = await _receive(reader, kind, number)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
        carried.is_whole &= reply.ending is Ending.ANSWERED
        return reply

    async def _connection(self, kind: Kind) -> tuple[_Counting, asyncio.StreamWriter]:
        if self._streams is not None:
            reader, _ = self._streams
            # Who keeps a connection looks whether the other side has.
            if reader.at_eof() or reader.exception() is not None:
                self.close()
        if self._streams is None:
            is_small = kind.leaving is Leaving.IN_BODY
            buffer = SMALLEST_BUFFER if is_small else None
            connection = await open_connection(self._port, self._number, buffer)
            host, port = connection.getsockname()
            peer = f"{host}:{port}"
            self._carried = Carried(peer, time.time(), time.monotonic())
            loop = asyncio.get_running_loop()
            reader = _Counting(SMALLEST_BUFFER if is_small else 2**16, loop)
            transport, protocol = await loop.create_connection(
                lambda: asyncio.StreamReaderProtocol(reader), sock=connection
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            self._streams = reader, writer
        return self._streams

    async def _leave(self, when: Leaving, number: int) -> Reply:
        assert self._streams is not None
        reader, writer = self._streams
        with contextlib.suppress(ConnectionError):
            if when is Leaving.IN_BODY:
                await reader.read(READ_BEFORE_LEAVING)
            elif when is Leaving.IN_UPLOAD:
                writer.write(b"x" * PIECE)
                await writer.drain()
            await asyncio.sleep(SECONDS_BEFORE_LEAVING)
        if number % 2:
            linger = struct.pack("ii", 1, 0)
            its: socket.socket = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                its.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        self.close()
        return Reply(Ending.LEFT)


def _head(kind: Kind, number: int) -> bytes:
    lines = [f"{kind.method} {kind.path}?n={number} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [kind.field] if kind.field else []
    if kind.in_chunks:
        lines.append("Transfer-Encoding: chunked")
    elif kind.method == "POST":
        size = 2**20 if kind.leaving else len(uploaded(number))
        lines.append(f"Content-Length: {size}")
    return "\r\n".join([*lines, "", ""]).encode()


def _write(writer: asyncio.StreamWriter, data: bytes) -> int:
    writer.write(data)
    return len(data)


async def _upload(
    writer: asyncio.StreamWriter, carried: Carried, kind: Kind, number: int
) -> None:
    if kind.method != "POST":
        return
    body = uploaded(number)
    # Whoever is refused is told so, and that is what counts.
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            if kind.in_chunks:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            carried.sent += _write(writer, piece)
            await writer.drain()
        carried.sent += _write(writer, b"0\r\n\r\n" if kind.in_chunks else b"")
        await writer.drain()


async def _receive(reader: asyncio.StreamReader, kind: Kind, number: int) -> Reply:
    """What comes, to its end; raises `Unexpected` if it is another's."""
    is_to_stall = kind.ending is Ending.STALLED
    try:
        head = await _within(
            reader.readuntil(b"\r\n\r\n"),
            SECONDS_OF_A_STALL + 2 if is_to_stall else None,
        )
    except asyncio.TimeoutError:
        return Reply(Ending.STALLED)
    except asyncio.LimitOverrunError:
        return Reply(Ending.GARBAGE)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return Reply(Ending.CLOSED)
        is_http = error.partial.startswith(b"HTTP/1.1 ")
        return Reply(Ending.BROKEN if is_http else Ending.GARBAGE)
    except ConnectionError:
        return Reply(Ending.RESET)
    if not head.startswith(b"HTTP/1.1 "):
        return Reply(Ending.GARBAGE)
    status, fields = _parsed(head)
    try:
        body = await _within(
            _body(reader, kind, fields), SECONDS_OF_A_STALL if is_to_stall else None
        )
    except asyncio.TimeoutError:
        return Reply(Ending.STALLED)
    except (EOFError, ConnectionError, ValueError):
        return Reply(Ending.BROKEN)
    if status == 200 and body != _expected(kind, number):
        raise Unexpected(f"another body: {body[:50]!r} …, {len(body)} bytes")
    return Reply(Ending.ANSWERED, status, "close" not in fields.get("connection", ""))


async def _within(what: object, seconds: float | None) -> bytes:
    found: bytes = await asyncio.wait_for(what, seconds)  # type: ignore[arg-type]
    return found


def _parsed(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    return int(first.split(" ")[1]), fields


async def _body(
    reader: asyncio.StreamReader, kind: Kind, fields: dict[str, str]
) -> bytes:
    if kind.method == "HEAD":
        return b""
    if fields.get("transfer-encoding") == "chunked":
        return await read_chunks(reader)
    if "content-length" in fields:
        return await reader.readexactly(int(fields["content-length"]))
    return await reader.read()


def _expected(kind: Kind, number: int) -> bytes:
    if kind.method == "HEAD":
        return b""
    if kind.path == "/upload":
        body = uploaded(number)
        return b"%d %d" % (len(body), zlib.crc32(body))
    return body_of(number, LARGE if kind.path == "/large" else PLAIN)
