"""A client's connection and the one to the upstream, and what passes between them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IDelayedCall

from nbtwisted.client.errors import ConnectTimeout, RequestError
from nbtwisted.proxy.stream.flow import Flow
from nbtwisted.proxy.stream.journal import LinkEntry
from nbtwisted.proxy.stream.pipeline import Pipeline
from nbtwisted.proxy.stream.side import Side
from nbtwisted.proxy.stream.stage import Direction, Placed
from nbtwisted.proxy.stream.steps import Signal
from nbtwisted.proxy.stream.upstream_side import UpstreamSide

__all__ = ["Hub", "Link", "LinkState"]


class LinkState(enum.Enum):
    """Where a link is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | OPENING | the upstream takes the connection | OPEN |
    | | it does not; the client breaks; a stage ends the link; `stop` | CLOSING |
    | OPEN | the end of one side has passed to the other | ENDING |
    | | one breaks; a stage ends the link; all is stuck or has ended; `stop` | CLOSING |
    | ENDING | the other end has passed as well, or cannot any more | CLOSING |
    | | one breaks; a stage ends the link; `stop` | CLOSING |
    | CLOSING | both connections are gone | GONE |
    | GONE | | |
    """

    OPENING = enum.auto()
    OPEN = enum.auto()
    ENDING = enum.auto()
    CLOSING = enum.auto()
    GONE = enum.auto()


_TRANSITIONS = {
    LinkState.OPENING: {LinkState.OPEN, LinkState.CLOSING},
    LinkState.OPEN: {LinkState.ENDING, LinkState.CLOSING},
    LinkState.ENDING: {LinkState.CLOSING},
    LinkState.CLOSING: {LinkState.GONE},
    LinkState.GONE: set[LinkState](),
}

_PASSES = (LinkState.OPENING, LinkState.OPEN, LinkState.ENDING)


class Hub(Protocol):
    """Whoever has links."""

    reactor: Any
    now: Callable[[], float]
    connect_timeout: float

    def stages_of(self, number: int) -> Sequence[Placed]:
        """The stages for a link of this number."""

    def stages_set(self, entry: LinkEntry, stages: Sequence[Placed]) -> None:
        """The stages that act on a link are others, and are among these."""

    def open_upstream(self, link: Link) -> None:
        """Open the connection to the upstream."""

    def find_loop(self, link: Link, side: Side) -> None:
        """End the link, if the other end of a side is the hub itself."""

    def shown(self, address: IAddress | None) -> str:
        """An address as it is shown."""

    def link_over(self, link: Link) -> None:
        """Nothing is left of it."""


class Link:
    """A link: two connections, and two directions between them.

    number     in the order in which they came, from 1
    entry      its entry in the journal
    client     the connection that came
    upstream   the connection that was made for it
    state      of its life
    """

    def __init__(
        self,
        entry: LinkEntry,
        hub: Hub,
        random_of: Callable[[Placed], Random],
        make_upstream: Callable[[Link], UpstreamSide],
    ) -> None:
        self.entry = entry
        self.number = entry.number
        self.state = LinkState.OPENING
        self._hub = hub
        self.now = hub.now
        self.reactor = hub.reactor
        self.client = Side("client", self)
        self.upstream = make_upstream(self)
        self._up, self._down = self._flows = [
            Flow(direction, source, sink, self, Pipeline(random_of))
            for direction, source, sink in (
                (Direction.UP, self.client, self.upstream),
                (Direction.DOWN, self.upstream, self.client),
            )
        ]
        self._deadline: IDelayedCall | None = None
        self._opening: IDelayedCall | None = None
        self._first_to_end: str | None = None

    @property
    def peer(self) -> str:
        """The client's address and port."""
        return self.entry.peer

    @property
    def began(self) -> float:
        """Unix time at which it came, in seconds."""
        return self.entry.came

    @property
    def bytes_up(self) -> int:
        """Bytes that have passed to the upstream."""
        return self.entry.up

    @property
    def bytes_down(self) -> int:
        """Bytes that have passed to the client."""
        return self.entry.down

    def set_stages(self, stages: Sequence[Placed]) -> None:
        """Let other stages act, at once."""
        for flow in self._flows:
            if self.state in _PASSES:
                flow.set_stages([s for s in stages if s.direction is flow.direction])
                self.entry.acting[flow.direction.value] = flow.acting
        self._hub.stages_set(self.entry, stages)
        if (
            self.state in _PASSES
            and self.entry.outcome == "stalled"
            and not any(flow.is_stuck for flow in self._flows)
        ):
            self.entry.outcome = "open"

    # What its two connections tell.

    def side_made(self, side: Side) -> None:
        """One has connected: with the client, stages begin to act."""
        self._hub.find_loop(self, side)
        if side is self.client and self.state is LinkState.OPENING:
            hub = self._hub
            self._deadline = hub.reactor.callLater(hub.connect_timeout, self._too_late)
            stages = hub.stages_of(self.number)
            if stages:
                self.set_stages(stages)

    def peer_known(self, side: Side) -> None:
        """Where the client comes from has been said by another proxy before it."""
        self.entry.peer = self._hub.shown(side.transport.getPeer())

    def side_open(self, side: Side) -> None:
        """The client is there, or the upstream."""
        if self.state is not LinkState.OPENING:
            return
        if side is self.client:
            # Before that, all is heard that has come by now: perhaps this client is the
            # proxy itself, and to open another connection would be to go on for ever.
            self._opening = self.reactor.callLater(0, self._open_upstream)
            return
        self._stop_waiting()
        self._set_state(LinkState.OPEN)
        self.entry.outcome = "open"
        for flow in self._flows:
            flow.pump()
        self._end_if_done()

    def _open_upstream(self) -> None:
        self._opening = None
        self._hub.open_upstream(self)

    def end_loop(self) -> None:
        """Its client, or its upstream, is the proxy itself."""
        if self.state in _PASSES:
            self.entry.upstream_error = "connect: the upstream is this proxy itself"
            self._end("loop", Side.abort)

    def received(self, side: Side, data: bytes) -> None:
        """One has sent bytes."""
        flow = self._up if side is self.client else self._down
        flow.received(data)

    def side_has_room(self, side: Side) -> None:
        """One takes bytes again."""
        flow = self._down if side is self.client else self._up
        flow.pump()

    def side_ended(self, side: Side) -> None:
        """One sends no more."""
        if self.state not in _PASSES:
            return
        self._first_to_end = self._first_to_end or side.name
        (self._up if side is self.client else self._down).end()
        self._end_if_done()

    def side_gone(self, side: Side, is_clean: bool) -> None:
        """One connection is no more."""
        if self.state not in _PASSES:
            self._end_if_gone()
        elif side is self.client and not side.was_open:
            self._end("handshake failed", Side.abort)
        elif not is_clean:
            self._end(f"reset by {side.name}", Side.abort)
        else:
            (self._down if side is self.client else self._up).drop()
            if side.has_ended:
                self._end_if_done()
            else:
                side.has_ended = True
                self.side_ended(side)

    def upstream_failed(self, error: RequestError) -> None:
        """The upstream could not be opened."""
        if self.state in _PASSES:
            self.entry.upstream_error = f"{error.phase}: {error}"
            self._end("upstream failed", Side.abort)
        else:
            self._end_if_gone()

    # What its directions tell.

    def passed(self, direction: Direction, size: int) -> None:
        """Count bytes."""
        entry = self.entry
        offset = self._hub.now() - entry.came
        if direction is Direction.UP:
            entry.up += size
            entry.samples.add(offset, size, 0)
        else:
            entry.down += size
            entry.samples.add(offset, 0, size)

    def flow_ended(self, flow: Flow) -> None:
        """The end of one side has passed to the other."""
        if self.state is LinkState.OPEN:
            self._set_state(LinkState.ENDING)
        self._end_if_done()

    def flow_stuck(self, flow: Flow) -> None:
        """Nothing passes in one direction."""
        if self.entry.outcome == "open":
            self.entry.outcome = "stalled"
        self._end_if_done()

    def broken(self, flow: Flow, signal: Signal) -> None:
        """A stage of one direction ends the link."""
        if signal is Signal.CLOSE:
            self._end("closed", Side.finish)
        elif signal is Signal.RESET:
            self._end("reset", Side.abort)
        else:
            sink = flow.sink
            self._end("reset", lambda side: side.cut(gently=side is sink))

    # Its end.

    def _stop_waiting(self) -> None:
        for call in (self._deadline, self._opening):
            if call is not None:
                call.cancel()
        self._deadline = self._opening = None

    def _too_late(self) -> None:
        self._deadline = None
        if not self.client.was_open:
            self._end("handshake failed", Side.abort)
            return
        seconds = self._hub.connect_timeout
        self.upstream_failed(ConnectTimeout(f"no connection within {seconds:g} s"))

    def _end_if_done(self) -> None:
        if self.state not in _PASSES or not all(flow.is_done for flow in self._flows):
            return
        if any(flow.is_stuck for flow in self._flows):
            self._end("stalled", Side.finish)
        else:
            self._end(f"closed by {self._first_to_end}", Side.finish)

    def _end(self, outcome: str, how: Callable[[Side], None]) -> None:
        was_opening = self.state is LinkState.OPENING
        self._set_state(LinkState.CLOSING)
        self.entry.outcome = outcome
        self._stop_waiting()
        for flow in self._flows:
            flow.drop()
        if was_opening:
            self.upstream.give_up()
        else:
            how(self.upstream)
        how(self.client)
        self._end_if_gone()

    def _end_if_gone(self) -> None:
        if (
            self.state is LinkState.CLOSING
            and self.client.is_gone
            and self.upstream.is_gone
        ):
            self._set_state(LinkState.GONE)
            self.entry.took = self._hub.now() - self.entry.came
            self._hub.link_over(self)

    def stop(self) -> None:
        """End it at once, as the kernel does for a process that was killed."""
        if self.state in _PASSES:
            self._end("stopped", Side.drop)
        else:
            for side in (self.client, self.upstream):
                side.drop()

    def abort(self) -> None:
        """Reset what is left of it."""
        if self.state in _PASSES:
            self._end("stopped", Side.abort)
        else:
            self.client.abort()
            self.upstream.abort()

    def look(self, now: float) -> None:
        """See what Twisted does not tell; `now` is a reading, in seconds."""
        self.client.look(now)
        self.upstream.look(now)

    def _set_state(self, state: LinkState) -> None:
        if state not in _TRANSITIONS[self.state]:
            raise AssertionError(f"{self.state} does not lead to {state}")
        self.state = state
