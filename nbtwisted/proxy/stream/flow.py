"""One direction of a link: from one connection through a pipeline to the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

from nbtwisted.proxy.stream.pipeline import Pipeline
from nbtwisted.proxy.stream.side import Side
from nbtwisted.proxy.stream.stage import Direction, Placed
from nbtwisted.proxy.stream.steps import Signal

__all__ = ["Flow", "LinkOfFlows"]

SLACK = 1e-6
"""Seconds before which something is due already: more than a reading of Unix time can
be rounded by, so that no timer is set for no time."""

MOST_AT_ONCE = 256
"""Pieces that are sent in one turn of the reactor."""


class LinkOfFlows(Protocol):
    """The link that a direction is of."""

    reactor: Any
    now: Callable[[], float]

    def passed(self, direction: Direction, size: int) -> None:
        """So many bytes were handed to the one who receives them."""

    def flow_ended(self, flow: Flow) -> None:
        """The end of this direction has passed."""

    def flow_stuck(self, flow: Flow) -> None:
        """Nothing more passes."""

    def broken(self, flow: Flow, signal: Signal) -> None:
        """A stage of this direction ends the link."""


class Flow:
    """Bytes of one direction of a link, on their way.

    direction   of it
    source      whose bytes they are
    sink        who receives them
    is_over     whether it does no more, for it has passed its end, or nobody is left
    """

    __slots__ = (
        "_due",
        "_link",
        "_now",
        "_pipeline",
        "_timer",
        "direction",
        "is_over",
        "sink",
        "source",
    )

    def __init__(
        self,
        direction: Direction,
        source: Side,
        sink: Side,
        link: LinkOfFlows,
        pipeline: Pipeline,
    ) -> None:
        self.direction = direction
        self.source = source
        self.sink = sink
        self.is_over = False
        self._link = link
        self._pipeline = pipeline
        self._now = link.now
        self._timer: IDelayedCall | None = None
        self._due = math.inf

    @property
    def acting(self) -> tuple[str, ...]:
        """Names of the stages that act."""
        return self._pipeline.acting

    @property
    def is_done(self) -> bool:
        """Whether nothing will pass any more, and nothing be read."""
        source = self.source
        return self.is_over or (
            self._pipeline.is_stuck and (source.has_ended or source.is_paused)
        )

    @property
    def is_stuck(self) -> bool:
        """Whether nothing passes, for a stage lets nothing through."""
        return not self.is_over and self._pipeline.is_stuck

    def received(self, data: bytes) -> None:
        """The source has sent bytes."""
        sink = self.sink
        if self.is_over:
            return
        if self._pipeline.is_clear and sink.is_open and not sink.is_congested:
            sink.write(data)
            self._link.passed(self.direction, len(data))
            if self.sink.is_congested:
                self.source.pause()
        else:
            self._pipeline.feed(data, self._now())
            self.pump()

    def end(self) -> None:
        """The source sends no more."""
        if not self.is_over:
            self._pipeline.feed(Signal.END, self._now())
            self.pump()

    def set_stages(self, stages: Sequence[Placed]) -> None:
        """Let other stages act, at once."""
        if not self.is_over:
            self._pipeline.set_stages(stages, self._now())
            self.pump()

    def pump(self) -> None:
        """Send what is due, as far as the sink takes it, and wait for the next."""
        if self.is_over:
            return
        now = self._now() + SLACK
        sink, pipeline = self.sink, self._pipeline
        left = MOST_AT_ONCE
        while left and sink.is_open and not sink.is_congested:
            item = pipeline.take(now)
            if item is None:
                break
            left -= 1
            if isinstance(item, Signal):
                self._judge(item)
                return
            sink.write(item)
            self._link.passed(self.direction, len(item))
        if sink.is_open and not sink.is_congested:
            due = pipeline.due
        else:
            signal = pipeline.ring(now)
            if signal is not None:
                self._judge(signal)
                return
            due = pipeline.alarm
        self._wait(due, now)
        self._regulate()
        if pipeline.is_stuck:
            self._link.flow_stuck(self)

    def _judge(self, signal: Signal) -> None:
        if signal is not Signal.END:
            self._link.broken(self, signal)
            return
        self.drop()
        self.sink.shut()
        self._link.flow_ended(self)

    def _regulate(self) -> None:
        """Read from the source, or not, so that memory stays as it is."""
        pipeline = self._pipeline
        if pipeline.is_full or (self.sink.is_congested and pipeline.is_clear):
            self.source.pause()
        elif pipeline.has_room:
            self.source.resume()

    def _wait(self, due: float, now: float) -> None:
        if due == self._due:
            return
        if due == math.inf:
            self._stop_waiting()
            return
        self._due = due
        delay = max(due - now + SLACK, 0.0)
        if self._timer is None:
            self._timer = self._link.reactor.callLater(delay, self._on_time)
        else:
            self._timer.reset(delay)

    def _on_time(self) -> None:
        self._timer = None
        self._due = math.inf
        self.pump()

    def _stop_waiting(self) -> None:
        self._due = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def drop(self) -> None:
        """Do no more: what is held is lost."""
        self.is_over = True
        self._stop_waiting()
        self._pipeline.discard()
