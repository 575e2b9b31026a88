"""The upstream that proxies stand before, which writes down all that it is asked.

    python -m benchmarks.soak.upstream PORT FILE

It is plain asyncio, and shares no code with what it watches. It can be killed at any
moment: what it has written to the file, a line each, is there all the same.

    asked N      the head of request N is here
    whole N S C  its body is, too, with so many bytes and this checksum
    gave N       what is left of the answer is handed to the kernel next

Paths, each with `?n=N`, say what the answer is like; `plain`, `large`, `chunked`,
`slow`, `upload`, and what is none: `reset`, `empty`, `garbage`, `truncate`, `stall`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import struct
import sys
import zlib

__all__ = ["CHUNKS", "LARGE", "PLAIN", "body_of"]

PLAIN = 1_000
LARGE = 300_000
"""Bytes of bodies."""
CHUNKS = 20
SECONDS_BETWEEN_CHUNKS = 0.005
SLOW_SECONDS = (0.15, 0.25, 0.4)
"""They take turns, by the number of the request."""


def body_of(number: int, size: int) -> bytes:
    """The body of so many bytes of an answer, which is no other request's."""
    line = b"%09d\n" % number
    return (line * (size // len(line) + 1))[:size]


class _Asked:
    """One request on a connection, and its answer."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._log = log

    def _note(self, text: str) -> None:
        os.write(self._log, text.encode() + b"\n")

    async def answer(self) -> bool:
        """Read a request and answer it; whether the connection can be kept."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n")[0].split(" ")
        path, _, number_text = target.partition("?n=")
        number = int(number_text)
        self._note(f"asked {number}")
        body = await self._body(head)
        self._note(f"whole {number} {len(body)} {zlib.crc32(body)}")
        return await self._give(path, number, body, method == "HEAD")

    async def _body(self, head: str) -> bytes:
        if re.search(r"^transfer-encoding: *chunked", head, re.I | re.M):
            body = b""
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                body += (await self._reader.readexactly(size + 2))[:-2]
            while await self._reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return body
        length = re.search(r"^content-length: *(\d+)", head, re.I | re.M)
        return await self._reader.readexactly(int(length[1])) if length else b""

    async def _give(self, path: str, number: int, body: bytes, is_head: bool) -> bool:
        if path == "/reset":
            linger = struct.pack("ii", 1, 0)
            its: socket.socket = self._writer.get_extra_info("socket")
            its.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._writer.transport.abort()
            return False
        if path == "/empty":
            return False
        if path == "/garbage":
            self._writer.write(b"this is no HTTP\r\n\r\n")
            return False
        if path == "/stall":
            await self._reader.read(1)
            return False
        if path == "/chunked":
            await self._give_chunks(number)
            return True
        if path == "/slow":
            await asyncio.sleep(SLOW_SECONDS[number % len(SLOW_SECONDS)])
        size = LARGE if path == "/large" else PLAIN
        given = body_of(number, size)
        if path == "/upload":
            given = b"%d %d" % (len(body), zlib.crc32(body))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(given)
        if path == "/truncate":
            self._writer.write(head + given[: size // 2])
            return False
        # Behind it, whoever has the answer may be faster, and this one killed.
        self._note(f"gave {number}")
        self._writer.write(head + (b"" if is_head else given))
        await self._writer.drain()
        return True

    async def _give_chunks(self, number: int) -> None:
        self._writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        size = PLAIN // CHUNKS
        body = body_of(number, PLAIN)
        for start in range(0, PLAIN, size):
            self._writer.write(b"%x\r\n%b\r\n" % (size, body[start : start + size]))
            await self._writer.drain()
            await asyncio.sleep(SECONDS_BETWEEN_CHUNKS)
        self._note(f"gave {number}")
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()


async def serve(port: int, log: int) -> None:
    """Answer until this process is killed."""

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # Whoever leaves in the middle is none of its business.
        with contextlib.suppress(EOFError, OSError, asyncio.LimitOverrunError):
            while await _Asked(reader, writer, log).answer():
                pass
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    asyncio.run(serve(int(sys.argv[1]), os.open(sys.argv[2], flags, 0o600)))
