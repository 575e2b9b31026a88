"""The proxies of the API, by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from twisted.internet.defer import DeferredLock

from nbtwisted.printable import printable
from nbtwisted.proxy.toxiproxy.errors import (
    ApiError,
    proxy_already_exists,
    proxy_not_found,
)
from nbtwisted.proxy.toxiproxy.listening import Address
from nbtwisted.proxy.toxiproxy.named_proxy import NamedProxy, OpensStreams
from nbtwisted.proxy.toxiproxy.rings import Place, leads_back
from nbtwisted.proxy.toxiproxy.toxics import Toxic

__all__ = ["MOST_PROXIES", "MOST_TOXICS", "Collection", "Wanted"]

MOST_PROXIES = 1_000
"""Each has a port, which is a descriptor, and may have links, which are two each."""

MOST_TOXICS = 10_000
"""Of all proxies together."""

AT_ONCE = 20
"""Ports that are opened or closed in one turn of the reactor: some 3 ms."""


class Wanted(NamedTuple):
    """A proxy that somebody wants to have."""

    name: str
    listen: str
    upstream: str
    enabled: bool


class Collection:
    """Proxies with names; changes of them wait for one another.

    `streams` opens their ports.
    """

    def __init__(self, streams: OpensStreams) -> None:
        self._streams = streams
        self._proxies: dict[str, NamedProxy] = {}
        self._changing = DeferredLock()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._proxies)

    def __iter__(self) -> Iterator[NamedProxy]:
        """The proxies, by their names."""
        return iter([proxy for _, proxy in sorted(self._proxies.items())])

    def get(self, name: str) -> NamedProxy:
        """The proxy of this name; raises `ApiError`."""
        try:
            return self._proxies[name]
        except KeyError:
            raise proxy_not_found() from None

    async def add(self, wanted: Wanted) -> NamedProxy:
        """Add a proxy, and open its port if it is enabled; raises `ApiError`."""
        async with self._changing:
            if wanted.name in self._proxies:
                raise proxy_already_exists()
            return await self._add(wanted)

    async def populate(
        self, wanted: Sequence[Wanted]
    ) -> tuple[list[NamedProxy], ApiError | None]:
        """Add proxies, or put them in the place of those that differ from them.

        Returns those that are there, up to the first that cannot be, and why not.
        """
        done: list[NamedProxy] = []
        async with self._changing:
            if len({each.name for each in wanted} | set(self._proxies)) > MOST_PROXIES:
                return done, _too_many_proxies()
            for each in wanted:
                try:
                    done.append(await self._add_or_replace(each))
                except ApiError as error:
                    return done, error
                await self._let_others(len(done))
        return done, None

    async def update(self, name: str, change: Callable[[Wanted], Wanted]) -> NamedProxy:
        """Change a proxy; raises `ApiError`, as `change` may."""
        async with self._changing:
            proxy = self.get(name)
            now = Wanted(name, proxy.listen, proxy.upstream, proxy.is_enabled)
            _, listen, upstream, enabled = change(now)
            await proxy.update(listen, upstream, enabled=enabled)
            return proxy

    async def remove(self, name: str) -> None:
        """Close a proxy and forget it; raises `ApiError`."""
        async with self._changing:
            await self.get(name).disable()
            del self._proxies[name]

    async def reset(self) -> None:
        """Enable all proxies, and remove all toxics; raises `ApiError`."""
        async with self._changing:
            for number, proxy in enumerate(self, 1):
                await proxy.enable()
                proxy.remove_toxics()
                await self._let_others(number)

    async def close(self) -> None:
        """Close all proxies and forget them, for good: no others are added."""
        self._is_closed = True
        async with self._changing:
            proxies = list(self)
            self._proxies.clear()
            for number, proxy in enumerate(proxies, 1):
                await proxy.disable()
                await self._let_others(number)

    def add_toxic(self, name: str, toxic: Toxic) -> None:
        """Add a toxic to a proxy; raises `ApiError`."""
        proxy = self.get(name)
        if sum(len(it.toxics) for it in self._proxies.values()) >= MOST_TOXICS:
            raise ApiError(
                f"too many toxics: expected at most {MOST_TOXICS} of all proxies", 400
            )
        proxy.add_toxic(toxic)

    async def _let_others(self, done: int) -> None:
        if done % AT_ONCE == 0:
            await self._streams.next_turn()

    async def _add(self, wanted: Wanted) -> NamedProxy:
        if self._is_closed:
            raise ApiError("the proxy is about to stop", 503)
        if len(self._proxies) >= MOST_PROXIES and wanted.name not in self._proxies:
            raise _too_many_proxies()
        name, listen, upstream, enabled = wanted
        self._streams.place_of(upstream)
        proxy = NamedProxy(name, listen, upstream, self._streams, self._check_ring)
        if enabled:
            await proxy.enable()
        self._proxies[name] = proxy
        return proxy

    async def _add_or_replace(self, wanted: Wanted) -> NamedProxy:
        existing = self._proxies.get(wanted.name)
        if existing is not None:
            if not existing.differs(wanted.listen, wanted.upstream):
                return existing
            await existing.disable()
        return await self._add(wanted)

    def _check_ring(self, address: Address, upstream: str) -> None:
        if leads_back(address, self._streams.place_of(upstream), self._at_port):
            shown = printable(upstream, longest=80)
            raise ApiError(f"upstream {shown}: it leads back to this proxy", 400)

    def _at_port(self, port: int) -> list[tuple[Address, Place]]:
        return [
            (it.address, self._streams.place_of(it.upstream))
            for it in self._proxies.values()
            if it.address is not None and it.address.port == port and it.is_enabled
        ]


def _too_many_proxies() -> ApiError:
    return ApiError(f"too many proxies: expected at most {MOST_PROXIES}", 400)
