"""A client that sends requests of many kinds through a proxy, on plain sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import zlib
from dataclasses import dataclass
from random import Random

from benchmarks.soak.clients import SMALLEST_BUFFER, open_connection, read_chunks
from benchmarks.soak.figures import Unexpected
from benchmarks.soak.proxy_kinds import Ending, Kind, Leaving
from benchmarks.soak.upstream import LARGE, PLAIN, body_of

__all__ = ["Reply", "Sender", "uploaded"]

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


def uploaded(number: int) -> bytes:
    """The body of a request that has one."""
    return body_of(number, UPLOAD_SIZES[number % len(UPLOAD_SIZES)])


class Sender:
    """Sends one request after another, on a connection that it keeps or leaves."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._number = number
        self._random = Random(number)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

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
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _send(self, kind: Kind, number: int) -> Reply:
        reader, writer = await self._connection(kind)
        writer.write(_head(kind, number))
        if kind.leaving is not None:
            return await self._leave(kind.leaving, number)
        sending = asyncio.ensure_future(_upload(writer, kind, number))
        try:
            reply = await _receive(reader, kind, number)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
        return reply

    async def _connection(
        self, kind: Kind
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None:
            reader, _ = self._streams
            # Who keeps a connection looks whether the other side has.
            if reader.at_eof() or reader.exception() is not None:
                self.close()
        if self._streams is None:
            is_small = kind.leaving is Leaving.IN_BODY
            buffer = SMALLEST_BUFFER if is_small else None
            connection = await open_connection(self._port, self._number, buffer)
            limit = SMALLEST_BUFFER if is_small else 2**16
            self._streams = await asyncio.open_connection(sock=connection, limit=limit)
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


async def _upload(writer: asyncio.StreamWriter, kind: Kind, number: int) -> None:
    if kind.method != "POST":
        return
    body = uploaded(number)
    # Whoever is refused is told so, and that is what counts.
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            if kind.in_chunks:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            writer.write(piece)
            await writer.drain()
        writer.write(b"0\r\n\r\n" if kind.in_chunks else b"")
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
