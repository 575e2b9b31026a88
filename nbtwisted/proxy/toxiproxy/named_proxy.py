"""A proxy with a name and toxics: a port that can be closed and opened again."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from nbtwisted.proxy.stream.stage import Direction, Placed
from nbtwisted.proxy.toxiproxy.errors import (
    ApiError,
    toxic_already_exists,
    toxic_not_found,
)
from nbtwisted.proxy.toxiproxy.listening import Address, parse_listen
from nbtwisted.proxy.toxiproxy.rings import Place
from nbtwisted.proxy.toxiproxy.toxics import Toxic

__all__ = ["MOST_TOXICS_OF_ONE", "NamedProxy", "OpensStreams", "Stream"]


MOST_TOXICS_OF_ONE = 100
"""Each passes on each piece of bytes, and a change of one looks at all."""


class Counted(Protocol):
    """Counts bytes that have passed."""

    @property
    def bytes_up(self) -> int:
        """To the upstream."""

    @property
    def bytes_down(self) -> int:
        """To the client."""


class Stream(Protocol):
    """A port in front of an upstream, such as a `StreamProxy`."""

    @property
    def journal(self) -> Counted:
        """Has counted those of the links that are over."""

    @property
    def links(self) -> Collection[Counted]:
        """Those that are open."""

    def start(self) -> Deferred[IListeningPort]:
        """Open the port; fails with `CannotListenError` or `OSError`."""

    def stop(self) -> Deferred[None]:
        """Close the port, and cut all links."""

    def set_stages(self, stages: Sequence[Placed]) -> None:
        """Have these act, on open links, too."""


class OpensStreams(Protocol):
    """Makes streams: ports that are not open yet."""

    allow_remote: bool
    """Whether they may listen where other machines can connect."""

    def place_of(self, upstream: str) -> Place:
        """The host and port of an upstream; raises `ApiError`."""

    def make(
        self, name: str, address: Address, upstream: str, stages: Sequence[Placed]
    ) -> Stream:
        """A stream of the proxy of this name."""

    def next_turn(self) -> Deferred[None]:
        """Fires when others had their turn."""


class NamedProxy:
    """One proxy of the API.

    name       tells it from others
    listen     its address, as it was written; as it is, once it was open
    upstream   `host:port`
    address    of its port, once it was open
    toxics     those of both directions, in the order in which they were added

    `check` raises `ApiError` for an address that must not lead to an upstream.

    Two changes of one proxy must not overlap: the collection sees to it.
    """

    def __init__(
        self,
        name: str,
        listen: str,
        upstream: str,
        streams: OpensStreams,
        check: Callable[[Address, str], None] = lambda address, upstream: None,
    ) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.address: Address | None = None
        self.toxics: list[Toxic] = []
        self._streams = streams
        self._check = check
        self._stream: Stream | None = None
        self._passed_before = (0, 0)
        """Through streams that are over: bytes to the upstream, and to the client."""

    @property
    def passed(self) -> tuple[int, int]:
        """Bytes that have passed to the upstream, and to the client."""
        up, down = self._passed_before
        if self._stream is not None:
            for each in (self._stream.journal, *self._stream.links):
                up, down = up + each.bytes_up, down + each.bytes_down
        return up, down

    @property
    def is_enabled(self) -> bool:
        """Whether its port is open."""
        return self._stream is not None

    def as_json(self) -> dict[str, Any]:
        """The proxy and its toxics as JSON values, in Toxiproxy's order."""
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.is_enabled,
            "toxics": [toxic.as_json() for toxic in self.ordered_toxics()],
        }

    # Its port.

    async def enable(self) -> None:
        """Open its port, unless that is done; raises `ApiError`."""
        if self._stream is not None:
            return
        address = parse_listen(self.listen, allow_remote=self._streams.allow_remote)
        self._check(address, self.upstream)
        stream = self._streams.make(self.name, address, self.upstream, self._stages())
        try:
            port = await stream.start()
        except (CannotListenError, OSError) as error:
            raise _cannot_listen(address, error) from None
        self._stream = stream
        # A toxic may have been added meanwhile.
        stream.set_stages(self._stages())
        number: int = cast(Any, port.getHost()).port
        self.address = Address(address.host, number)
        self.listen = str(self.address)

    async def disable(self) -> None:
        """Close its port and cut its links, unless that is done."""
        if self._stream is None:
            return
        self._passed_before = self.passed
        stream, self._stream = self._stream, None
        await stream.stop()

    def differs(self, listen: str, upstream: str) -> bool:
        """Whether this is another port or upstream; raises `ApiError`."""
        address = parse_listen(listen, allow_remote=self._streams.allow_remote)
        return (self.listen, self.upstream) != (str(address), upstream)

    async def update(self, listen: str, upstream: str, *, enabled: bool) -> None:
        """Change it; links are cut if port or upstream change. Raises `ApiError`."""
        self._streams.place_of(upstream)
        if self.differs(listen, upstream):
            await self.disable()
            self.listen, self.upstream = listen, upstream
        if enabled:
            await self.enable()
        else:
            await self.disable()

    # Its toxics.

    def ordered_toxics(self) -> list[Toxic]:
        """The toxics as Toxiproxy lists them: those of upstream first."""
        return sorted(self.toxics, key=lambda it: it.direction is Direction.DOWN)

    def toxic(self, name: str) -> Toxic:
        """The toxic of this name; raises `ApiError`."""
        return self.toxics[self._position(name)]

    def add_toxic(self, toxic: Toxic) -> None:
        """Have one more act; raises `ApiError`."""
        if any(it.name == toxic.name for it in self.toxics):
            raise toxic_already_exists()
        if len(self.toxics) >= MOST_TOXICS_OF_ONE:
            most = f"expected at most {MOST_TOXICS_OF_ONE} of a proxy"
            raise ApiError(f"too many toxics: {most}", 400)
        self.toxics.append(toxic)
        self._place()

    def update_toxic(self, name: str, change: Callable[[Toxic], Toxic]) -> Toxic:
        """Put the changed toxic in its place; raises `ApiError`."""
        position = self._position(name)
        changed = change(self.toxics[position])
        self.toxics[position] = changed
        self._place()
        return changed

    def remove_toxic(self, name: str) -> None:
        """Have one act no longer; raises `ApiError`."""
        del self.toxics[self._position(name)]
        self._place()

    def remove_toxics(self) -> None:
        """Have none act any more."""
        if self.toxics:
            self.toxics.clear()
            self._place()

    def _position(self, name: str) -> int:
        for position, toxic in enumerate(self.toxics):
            if toxic.name == name:
                return position
        raise toxic_not_found()

    def _stages(self) -> list[Placed]:
        return [placed for toxic in self.toxics for placed in toxic.placed()]

    def _place(self) -> None:
        if self._stream is not None:
            self._stream.set_stages(self._stages())


def _cannot_listen(address: Address, error: Exception) -> ApiError:
    why = error.socketError if isinstance(error, CannotListenError) else error
    number = getattr(why, "errno", None)
    reason = os.strerror(number).lower() if number else str(why)
    return ApiError(f"listen tcp {address}: bind: {reason}", 500)
