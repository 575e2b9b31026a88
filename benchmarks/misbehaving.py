"""A server that misbehaves as its URLs ask, or at random: plain asyncio sockets.

It runs in a process of its own (`misbehaving`). An answer is one of `SAID`, and then
one of `DONE`; a `Kind` has both, and the path that asks for it. Three ports differ in
what they do with a new connection, or with a path that asks for nothing:

    told      waits for a request
    first     sends a whole answer before it is asked for one
    chance    answers at random, whatever the path; now and then before it is asked

With TLS there are three others, whose certificate is in `Addresses.authority`.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
import re
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from nbtwisted.server.ports.authority import Authority

__all__ = ["KINDS", "MAX_TIME", "Addresses", "Kind", "misbehaving"]

MAX_TIME = 1.0
"""Seconds that a request to this server should have: its delays are about as long."""

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SAID: Mapping[str, bytes] = {
    "whole": WHOLE,
    "whole-and-more": WHOLE + b"HTTP/1.1 200 OK\r\n\r\n",
    "cut-body": WHOLE[:-2],
    "cut-head": WHOLE[:30],
    "nothing": b"",
    "until-close": OK + b"\r\n" + b"x" * 100_000,
    "chunked": CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    "cut-chunks": CHUNKED + b"5\r\nhello\r\n",
    "huge-chunk": CHUNKED + b"11111111111111111\r\n",
    "chunk-extension": CHUNKED + b"1;" + b"x" * 2**20 + b"\r\ny\r\n0\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    "bad-status": b"HTTP/1.1 2_00 OK\r\n\r\n",
    "bad-field": OK + b"A : b\r\n\r\n",
    "many-fields": OK + b"A: b\r\n" * 5000 + b"\r\n",
    "endless-field": OK + b"A: " + b"x" * 400_000,
    "two-lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "redirect": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /again\r\n\r\n",
    "long-redirect": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /%b\r\n\r\n"
    % (b"x" * 2**17),
    "busy": b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}
"""What the server may answer with, before it does one of these."""
DONE = ("keep", "close", "reset", "stall", "drip")
DELAYS = (0.01, 0.3, 0.9, 0.99, 1.0, 1.01)
"""Seconds: some about as long as `MAX_TIME`."""

SECONDS_TO_STALL = 3 * MAX_TIME


@dataclass(frozen=True)
class Kind:
    """One way to misbehave."""

    said: str
    done: str
    delay: float = 0.0
    """Seconds before the answer."""
    port: str = "told"

    @property
    def path(self) -> str:
        """The path that asks for it, at this port."""
        return f"/{self.said}/{self.done}/{self.delay * 1000:.0f}"

    @property
    def host(self) -> str:
        """The host that asks for it where the server is taken for a proxy."""
        return f"{self.said}.{self.done}.{self.delay * 1000:.0f}.test"

    @classmethod
    def of(cls, target: str) -> Kind | None:
        """The kind that a target asks for; None if it asks for none."""
        found = re.search(r"([a-z-]+)[/.]([a-z]+)[/.](\d+)", target)
        if found is None or found[1] not in SAID or found[2] not in DONE:
            return None
        return cls(found[1], found[2], int(found[3]) / 1000)

    def __str__(self) -> str:
        """A short name."""
        delay = f" after {self.delay:g} s" if self.delay else ""
        first = ", before it a whole answer" if self.port == "first" else ""
        return f"{self.said}, {self.done}{delay}{first}"


KINDS: Sequence[Kind] = (
    *(Kind(said, done) for said in SAID for done in DONE),
    # What is about as long as a deadline may end in two ways.
    *(Kind("whole", "keep", delay) for delay in (0.01, 0.3, 5.0)),
    *(Kind("whole", done, port="first") for done in DONE),
)
"""All of them, but for those that end in one way or another by chance."""


@dataclass(frozen=True)
class Addresses:
    """Where to find the server."""

    ports: Mapping[tuple[str, str], int]
    """By scheme, and by kind of port."""
    authority: str
    """A file: the certificate to be trusted."""

    def base(self, scheme: str, port: str) -> str:
        """The beginning of URLs, without a slash at its end."""
        return f"{scheme}://127.0.0.1:{self.ports[scheme, port]}"


class Misbehaving(asyncio.Protocol):
    """A connection that does what each request says, or something else each time."""

    transport: Any

    def __init__(self, chance: random.Random | None, is_first: bool) -> None:
        self._chance = chance
        self._is_first = is_first
        self._heads = b""
        self._dripping: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Speak first, or leave at once, now and then."""
        self.transport = transport
        if self._is_first:
            self.transport.write(WHOLE)
        elif self._chance is not None and self._chance.random() < 0.05:
            self._speak(self._by_chance(self._chance))

    def data_received(self, data: bytes) -> None:
        """Answer each head, or whatever it is, after a while or not at all."""
        if self._chance is not None:
            self._answer(self._by_chance(self._chance))
            return
        *heads, self._heads = (self._heads + data).split(b"\r\n\r\n")
        for head in heads:
            target = head.partition(b"\r\n")[0].decode("latin-1")
            self._answer(Kind.of(target) or Kind("nothing", "close"))

    def _answer(self, kind: Kind) -> None:
        if kind.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(kind.delay, self._speak, kind)
        else:
            self._speak(kind)

    @staticmethod
    def _by_chance(chance: random.Random) -> Kind:
        said = chance.choice(["whole", *SAID])
        done = chance.choice(["keep", "keep", *DONE])
        delay = chance.choice(DELAYS) if chance.random() < 0.2 else 0.0
        return Kind(said, done, delay)

    def _speak(self, kind: Kind) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(SAID[kind.said])
        if kind.done == "close":
            self.transport.close()
        elif kind.done == "reset":
            raw = self.transport.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif kind.done == "stall":
            self.transport.pause_reading()
            # Until then the timer alone knows the connection, which ends else.
            loop = asyncio.get_running_loop()
            loop.call_later(SECONDS_TO_STALL, self.transport.abort)
        elif kind.done == "drip":
            self._drip()

    def _drip(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"x")
            self._dripping = asyncio.get_running_loop().call_later(0.05, self._drip)

    def connection_lost(self, error: Exception | None) -> None:
        """Drip no more."""
        if self._dripping is not None:
            self._dripping.cancel()


async def _serve(seed: int, folder: Path, ready: Connection) -> None:
    chance = random.Random(seed)
    protocols: Mapping[str, Callable[[], Misbehaving]] = {
        "told": lambda: Misbehaving(None, False),
        "first": lambda: Misbehaving(None, True),
        "chance": lambda: Misbehaving(chance, False),
    }
    authority = Authority()
    (folder / "authority.pem").write_text(authority.pem)
    ports = {}
    for scheme, tls in ("http", None), ("https", _tls(authority, folder)):
        for name, protocol in protocols.items():
            server = await asyncio.get_running_loop().create_server(
                protocol, "127.0.0.1", 0, backlog=1000, ssl=tls
            )
            ports[scheme, name] = server.sockets[0].getsockname()[1]
    ready.send(Addresses(ports, str(folder / "authority.pem")))
    await asyncio.Event().wait()


def _tls(authority: Authority, folder: Path) -> ssl.SSLContext:
    own = authority.credentials("tls-good", "127.0.0.1")
    file = folder / "server.pem"
    key = own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = [certificate.public_bytes(Encoding.PEM) for certificate in own.chain]
    file.write_bytes(b"".join([key, *chain]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _run(seed: int, folder: str, ready: Connection) -> None:
    asyncio.run(_serve(seed, Path(folder), ready))


@contextlib.contextmanager
def misbehaving(seed: int) -> Iterator[Addresses]:
    """A server that has started, and does not outlive the context."""
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = multiprocessing.Process(target=_run, args=(seed, folder, theirs))
        server.start()
        try:
            yield ours.recv()
        finally:
            server.terminate()
            server.join()
