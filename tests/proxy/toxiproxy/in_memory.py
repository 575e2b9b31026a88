"""The API without sockets: requests in, answers out, and streams that only remember."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EADDRINUSE
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from nbtwisted.proxy.stream.stage import Placed
from nbtwisted.proxy.toxiproxy.collection import Collection
from nbtwisted.proxy.toxiproxy.errors import ApiError
from nbtwisted.proxy.toxiproxy.listening import Address
from nbtwisted.proxy.toxiproxy.routes import Routes
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Generated, Whole
from nbtwisted.server.model.headers import RequestHeaders
from nbtwisted.server.model.request import Addresses, Request

__all__ = ["Answer", "Count", "Memory", "MemoryStream", "MemoryStreams"]

HERE = Addresses("127.0.0.1", "127.0.0.1:8474", True, False)
ELSEWHERE = Addresses("192.168.1.9", "192.168.1.1:8474", False, False)

FIRST_FREE = 40_000


class _Port:
    def __init__(self, address: Address) -> None:
        kind = IPv6Address if ":" in address.host else IPv4Address
        self._address = kind("TCP", address.host, address.port)

    def getHost(self) -> Any:
        return self._address


@dataclass
class Count:
    """Bytes that have passed."""

    bytes_up: int = 0
    bytes_down: int = 0


class MemoryStream:
    """A stream whose port is an entry of `MemoryStreams.open`."""

    def __init__(self, streams: MemoryStreams, address: Address, upstream: str) -> None:
        self._streams = streams
        self.address = address
        self.upstream = upstream
        self.stages: list[Placed] = []
        self.journal = Count()
        self.links: list[Count] = []

    def start(self) -> Deferred[IListeningPort]:
        if self._streams.fails is not None:
            return fail(self._streams.fails)
        host, number = self.address.host, self.address.port
        if not number:
            self._streams.last_free += 1
            number = self._streams.last_free
        self.address = Address(host, number)
        if str(self.address) in self._streams.open:
            used = OSError(EADDRINUSE, "Address already in use")
            return fail(CannotListenError(host, number, used))
        self._streams.open[str(self.address)] = self
        port = cast(IListeningPort, _Port(self.address))
        if not self._streams.is_slow:
            return succeed(port)
        opening: Deferred[IListeningPort] = Deferred()
        self._streams.opening.append(lambda: opening.callback(port))
        return opening

    def stop(self) -> Deferred[None]:
        del self._streams.open[str(self.address)]
        if not self._streams.is_slow:
            return succeed(None)
        closing: Deferred[None] = Deferred()
        self._streams.closing.append(closing)
        return closing

    def set_stages(self, stages: Sequence[Placed]) -> None:
        self.stages = list(stages)


class MemoryStreams:
    """Opens streams that only remember.

    open      those whose port is open, by their addresses
    fails     why no port can be opened
    is_slow   whether a port takes its time to open and to close
    opening   lets the next port be open
    closing   what the closing ports wait for
    turns     how often others had their turn
    """

    def __init__(self, *, allow_remote: bool = False) -> None:
        self.allow_remote = allow_remote
        self.open: dict[str, MemoryStream] = {}
        self.last_free = FIRST_FREE
        self.fails: Exception | None = None
        self.is_slow = False
        self.opening: list[Callable[[], None]] = []
        self.closing: list[Deferred[None]] = []
        self.turns = 0

    def place_of(self, upstream: str) -> tuple[str, int]:
        host, colon, port = upstream.rpartition(":")
        if not colon:
            raise ApiError("bad upstream", 400)
        return host.strip("[]"), int(port)

    def make(
        self, name: str, address: Address, upstream: str, stages: Sequence[Placed]
    ) -> MemoryStream:
        stream = MemoryStream(self, address, upstream)
        stream.set_stages(stages)
        return stream

    def next_turn(self) -> Deferred[None]:
        self.turns += 1
        return succeed(None)


class Answer:
    """A response: its status, headers and body."""

    def __init__(self, behaviour: Behaviour) -> None:
        (self.status,) = behaviour.statuses.choices
        self.headers = dict(behaviour.headers)
        assert isinstance(behaviour.body, Generated | Whole)
        self.body = b"".join(behaviour.body.pieces())

    def json(self) -> Any:
        return json.loads(self.body)


class Memory:
    """The API over streams that only remember."""

    def __init__(self, *, allow_remote: bool = False) -> None:
        self.streams = MemoryStreams(allow_remote=allow_remote)
        self.collection = Collection(self.streams)
        self._routes = Routes(
            self.collection,
            version="2.12.0+test",
            instance_id="id",
            allow_remote=allow_remote,
        )

    def begin(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (("Host", "localhost:8474"),),
        addresses: Addresses = HERE,
    ) -> list[Answer]:
        """Send a request; returns where its answer will be."""
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        lines = tuple((name.encode(), value.encode()) for name, value in headers)
        request = Request(
            *(method.encode(), target.encode(), b"HTTP/1.1", RequestHeaders(lines)),
            *(raw, addresses),
        )
        answers: list[Answer] = []
        self._routes.answer(request).addCallback(
            lambda behaviour: answers.append(Answer(behaviour))
        )
        return answers

    def ask(self, method: str, target: str, body: Any = None, **more: Any) -> Answer:
        """Send a request, which is answered at once."""
        (answer,) = self.begin(method, target, body, **more)
        return answer

    def close(self) -> Deferred[None]:
        """Close everything."""
        return Deferred.fromCoroutine(self.collection.close())
