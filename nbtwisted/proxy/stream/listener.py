"""A listening port in front of one upstream, and the links through it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort
from twisted.internet.protocol import Factory, Protocol

from nbtwisted import steady_clock
from nbtwisted.proxy.stream.journal import JOURNAL_SIZE, LinkEntry, LinkJournal
from nbtwisted.proxy.stream.link import Link
from nbtwisted.proxy.stream.loops import Address, Loops
from nbtwisted.proxy.stream.opener import Opener
from nbtwisted.proxy.stream.place import Upstream
from nbtwisted.proxy.stream.side import Side
from nbtwisted.proxy.stream.stage import Direction, Placed
from nbtwisted.server.http1.watch import Watch
from nbtwisted.server.listening import listen

if TYPE_CHECKING:
    from nbtwisted.client.connection.pool import TLSOptions
    from nbtwisted.client.connection.resolving import Resolver

__all__ = ["CONNECT_TIMEOUT", "MOST_LINKS", "State", "StreamProxy"]

MOST_LINKS = 10_000
"""Links at a time; each has two descriptors, of which a process has 20,000 or so."""

CONNECT_TIMEOUT = 60.0
"""Seconds for a client's handshake and for the connection to the upstream."""

SECONDS_TO_STOP = 1.0
"""In which links end in an orderly way when the proxy stops."""


class State(enum.Enum):
    """Where a proxy is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | CLOSED | `start` | OPENING |
    | OPENING | the port listens | OPEN |
    | | it cannot | CLOSED |
    | | `stop`, and it listens or cannot | CLOSING |
    | OPEN | `stop` | CLOSING |
    | CLOSING | the port is closed, and all links are gone | CLOSED |
    """

    CLOSED = enum.auto()
    OPENING = enum.auto()
    OPEN = enum.auto()
    CLOSING = enum.auto()


_TRANSITIONS = {
    State.CLOSED: {State.OPENING},
    State.OPENING: {State.OPEN, State.CLOSED, State.CLOSING},
    State.OPEN: {State.CLOSING},
    State.CLOSING: {State.CLOSED},
}


class StreamProxy:
    """A listening port in front of one upstream.

    `listen` is an endpoint of Twisted's. With a `certificate` (a PEM file, whose key is
    in it or in the file `key`) clients speak TLS; `tls` says whom to trust if the
    upstream does. No more than `most_links` are open at a time. `now` reads Unix time.
    `report` is called with the entry of each link that is over.

    state     of its life
    journal   the links that are open, and the last that are over
    links     the open links, by their number
    factory   gives links to the clients of its port; other ports may have it, too

    Raises `ValueError` for stages of one direction that have the same name, and for
    files that are no certificates or keys; `OSError` for files that cannot be read.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        listen: str,
        upstream: Upstream,
        seed: int,
        stages: Sequence[Placed] = (),
        certificate: str | None = None,
        key: str | None = None,
        tls: TLSOptions | None = None,
        resolver: Resolver | None = None,
        most_links: int = MOST_LINKS,
        connect_timeout: float = CONNECT_TIMEOUT,
        journal_size: int = JOURNAL_SIZE,
        now: Callable[[], float] = steady_clock.now,
        report: Callable[[LinkEntry], None] = lambda entry: None,
    ) -> None:
        self.reactor = reactor
        self.listen = listen
        self.seed = seed
        self.state = State.CLOSED
        self._stages_of = _all_alike(stages)
        self.journal = LinkJournal(journal_size)
        self.connect_timeout = connect_timeout
        self.now = now
        self.port: IListeningPort | None = None
        self._opener = Opener(reactor, upstream, tls=tls, resolver=resolver)
        self.factory: Any = _Links(self.accept)
        if certificate is not None:
            # It takes 60 ms to import, which only those spend who use it.
            from nbtwisted.proxy.stream.certificate import in_tls

            self.factory = in_tls(self.factory, certificate, key, reactor)
        self._most_links = most_links
        self._report = report
        self._links: dict[int, Link] = {}
        self._last_number = 0
        self._watch = Watch(reactor)
        self._loops = Loops()
        self._stopped: list[Deferred[None]] = []
        self._drained: list[Deferred[None]] = []
        self._is_draining = False
        self._patience: IDelayedCall | None = None

    @property
    def upstream(self) -> Upstream:
        """Where its links lead."""
        return self._opener.upstream

    @property
    def links(self) -> Collection[Link]:
        """The open links, in the order in which they came."""
        return self._links.values()

    # Its life.

    def start(self) -> Deferred[IListeningPort]:
        """Listen; fires with the port, or fails as Twisted's endpoints do."""
        self._set_state(State.OPENING)
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> IListeningPort:
        try:
            self.port = await listen(self.reactor, self.listen, self.factory)
        except BaseException:
            if self.state is State.CLOSING:
                self._be_closed_if_so()
            else:
                self._set_state(State.CLOSED)
            raise
        port = self.port
        if self.state is State.CLOSING:
            await self._close_port()
        else:
            self._set_state(State.OPEN)
        return port

    def stop(self) -> Deferred[None]:
        """Listen no more, and end all links; fires when nothing of them is left."""
        if self.state is State.CLOSED:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        if self.state is not State.CLOSING:
            was_open = self.state is State.OPEN
            self._set_state(State.CLOSING)
            self._patience = self.reactor.callLater(SECONDS_TO_STOP, self._abort_all)
            for link in list(self._links.values()):
                link.stop()
            if was_open:
                Deferred.fromCoroutine(self._close_port())
        return stopped

    def drain(self) -> Deferred[None]:
        """Take no more links; fires when those that are open are over."""
        self._is_draining = True
        if not self._links:
            return succeed(None)
        drained: Deferred[None] = Deferred(self._drained.remove)
        self._drained.append(drained)
        return drained

    async def _close_port(self) -> None:
        assert self.port is not None
        await _closed(self.port)
        self.port = None
        self._be_closed_if_so()

    def _abort_all(self) -> None:
        self._patience = None
        for link in list(self._links.values()):
            link.abort()

    def _be_closed_if_so(self) -> None:
        if self.state is not State.CLOSING or self.port is not None or self._links:
            return
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._set_state(State.CLOSED)
        stopped, self._stopped = self._stopped, []
        for each in stopped:
            each.callback(None)

    def _set_state(self, state: State) -> None:
        if state not in _TRANSITIONS[self.state]:
            raise AssertionError(f"{self.state} does not lead to {state}")
        self.state = state

    # What its links do.

    def set_stages(self, stages: Sequence[Placed]) -> None:
        """Let other stages act on all links, on the open ones at once.

        Raises `ValueError` if two of one direction have the same name.
        """
        self.set_stages_by_link(_all_alike(stages))

    def set_stages_by_link(self, stages_of: Callable[[int], Sequence[Placed]]) -> None:
        """Let other stages act on each link, by its number; on open ones at once."""
        self._stages_of = stages_of
        for link in list(self._links.values()):
            link.set_stages(stages_of(link.number))

    def stages_of(self, number: int) -> Sequence[Placed]:
        """The stages for a link of this number."""
        return self._stages_of(number)

    def stages_set(self, entry: LinkEntry, stages: Sequence[Placed]) -> None:
        """Count the link for the rules whose stages act on it."""
        acting = {
            placed.rule
            for placed in stages
            if placed.rule is not None
            and placed.name in entry.acting.get(placed.direction.value, ())
        }
        if acting:
            self.journal.count_rules(entry, acting)

    def accept(self, address: IAddress | None) -> Protocol:
        """A client has connected: the protocol for it."""
        self._last_number += 1
        number = self._last_number
        entry = LinkEntry(number, self.now(), self.shown(address))
        if (
            len(self._links) >= self._most_links
            or self._is_draining
            or self.state is not State.OPEN
        ):
            entry.outcome, entry.took = "refused", 0.0
            self._note_end(entry)
            return _Refused()
        seed = self.seed

        def random_of(placed: Placed) -> Random:
            # A string, because Random hashes it the same way in every process.
            return Random(f"{seed} {number} {placed.direction.value} {placed.name}")

        link = Link(entry, self, random_of, self._opener.new)
        self._links[number] = link
        self.journal.begin(entry)
        self._watch.add(link)
        return link.client

    def shown(self, address: IAddress | None) -> str:
        """An address as the journal has it."""
        place = _place(address)
        if place is None:
            return "unix"
        host, port = place
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def open_upstream(self, link: Link) -> None:
        """Open the connection to the upstream."""
        self._opener.open(link.upstream)

    def find_loop(self, link: Link, side: Side) -> None:
        """End a link, if its client or its upstream is this proxy; and that link."""
        here, there = _place(side.transport.getHost()), _place(side.transport.getPeer())
        if here is None or there is None:
            return
        if side is link.client:
            other = self._loops.add_client(link.number, (there, here))
        else:
            other = self._loops.add_upstream(link.number, (here, there))
        if other is not None:
            for number in (link.number, other):
                self._links[number].end_loop()

    def link_over(self, link: Link) -> None:
        """Nothing is left of it."""
        del self._links[link.number]
        self._watch.discard(link)
        self._loops.forget(link.number)
        self._note_end(link.entry)
        if not self._links:
            drained, self._drained = self._drained, []
            for each in drained:
                each.callback(None)
        self._be_closed_if_so()

    def _note_end(self, entry: LinkEntry) -> None:
        self.journal.end(entry)
        self._report(entry)


async def _closed(port: IListeningPort) -> None:
    """Wait until a port is closed."""
    closing: Any = port.stopListening()
    if closing is not None:
        await closing


class _Refused(Protocol):
    """A connection that is reset: there are too many."""

    transport: Any

    def connectionMade(self) -> None:
        """Reset it."""
        self.transport.abortConnection()


class _Links(Factory):
    """Gives connections to a proxy."""

    noisy = False

    def __init__(self, accept: Callable[[IAddress | None], Protocol]) -> None:
        self._accept = accept

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """A client has connected."""
        return self._accept(addr)


def _all_alike(stages: Sequence[Placed]) -> Callable[[int], Sequence[Placed]]:
    """The same stages for each link; raises `ValueError` if two have one name."""
    names: set[tuple[Direction, str]] = set()
    for placed in stages:
        if (placed.direction, placed.name) in names:
            raise ValueError(
                f"two stages {placed.direction.value} are called {placed.name!r}: "
                "expected a name that no other has"
            )
        names.add((placed.direction, placed.name))
    alike = tuple(stages)
    return lambda number: alike


def _place(address: Any) -> Address | None:
    if isinstance(address, (IPv4Address, IPv6Address)):
        # As an IPv6 socket that takes IPv4, too, has those.
        return address.host.removeprefix("::ffff:"), address.port
    return None
