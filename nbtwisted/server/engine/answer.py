"""Carries a `Behaviour` out: the one place of the server that waits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.server import Request

from nbtwisted.server.engine.journal import IN_FLIGHT, Entry
from nbtwisted.server.engine.keys import Keys
from nbtwisted.server.engine.ready import milliseconds
from nbtwisted.server.engine.sending import send
from nbtwisted.server.model.behaviour import Behaviour, Reply, refusal
from nbtwisted.server.model.browsers import HeaderLines
from nbtwisted.server.model.controls import LONGEST_KEY
from nbtwisted.server.model.faults import Ending, transmission
from nbtwisted.server.model.pace import paced

__all__ = ["Exchange", "Performer", "default_key"]

_NEVER_DRAWN_FROM = Random(0)


@dataclass(eq=False)
class Exchange:
    """A request, and its answer in the making."""

    request: Request
    entry: Entry
    told: HeaderLines
    """What browsers are told of its answer."""
    waiting: Deferred[None] | None = None
    """Fires when the delay is over; None before and after."""
    is_released: bool = False
    """To be answered at once, whatever it waits for."""
    is_aborted: bool = False
    is_stalled: bool = False
    """Held without a word, and without an end."""
    is_last: bool = False
    """To be the last one of its connection."""

    @property
    def transport(self) -> Any:
        """Of its connection; None when that is gone."""
        channel: Any = self.request.channel
        return channel and channel.transport

    def make_last(self) -> None:
        """Have the connection closed when the answer is sent."""
        self.is_last = True
        channel: Any = self.request.channel
        channel.persistent = False

    def abort(self) -> None:
        """Break the connection off."""
        self.is_aborted = True
        self.transport.abortConnection()

    def release(self) -> None:
        """Answer at once, or break off what is in the middle of its answer."""
        self.is_released = True
        if self.waiting is not None:
            self.waiting.cancel()
        else:
            self.abort()


class Performer:
    """Answers requests, with one timer for each one that is held.

    `clock` runs the timers; `now` reads seconds for measuring how long an answer was
    really held. What is left to chance is drawn from `seed`, the key of the request,
    and how many requests of that key came before: never from the order in which
    requests of different keys come.
    """

    def __init__(
        self, clock: IReactorTime, now: Callable[[], float], seed: int
    ) -> None:
        self.clock = clock
        self.now = now
        self._keys = Keys()
        self._seed = seed

    async def perform(self, behaviour: Behaviour, exchange: Exchange) -> None:
        """Wait, then send the answer, or break the wire as it says.

        The exchange's entry is filled in on the way. When the client leaves, Klein
        cancels what this waits for, and its timers are gone at once. Nothing here may
        keep that cancellation to itself.
        """
        request, entry = exchange.request, exchange.entry
        began = self.now()
        entry.key = behaviour.key or default_key(request.method, request.uri)
        behaviour, came_before = self._counted(behaviour, entry.key, began)
        is_head = request.method == b"HEAD"
        told = exchange.told
        reply, random = self._draw(behaviour, entry.key, came_before, is_head, told)
        entry.asked = reply.asked
        entry.fault = reply.fault
        if reply.asked:
            await self._wait(reply.asked, exchange)
        else:
            # No delay still goes through a Deferred, so that both take one way.
            await succeed(None)
        entry.held = held = self.now() - began
        timing = b"asked;dur=%b, held;dur=%b" % (
            milliseconds(reply.asked),
            milliseconds(held),
        )
        added = [("Server-Timing", timing.decode())]
        if exchange.is_last:
            added.append(("Connection", "close"))
        reply = replace(reply, headers=(*reply.headers, *added))
        pieces = paced(reply.body, replace(behaviour, interval=reply.interval))
        plan = transmission(reply, pieces, random)
        if plan.is_answer:
            entry.status = reply.status
        await send(reply, plan, request, self.clock, entry.count_sent)
        entry.outcome = "answered" if reply.fault is None else "broken"
        if plan.ending is Ending.HOLD:
            entry.outcome = IN_FLIGHT
            exchange.is_stalled = True
            if exchange.is_last:
                exchange.abort()
        if plan.ending is not Ending.FINISH:
            # The request is not finished, and never will be: this ends with its
            # connection, as a cancellation.
            await Deferred()

    def forget(self) -> None:
        """Begin anew with every key."""
        self._keys = Keys()

    async def _wait(self, seconds: float, exchange: Exchange) -> None:
        exchange.waiting = deferLater(self.clock, seconds)
        try:
            await exchange.waiting
        except CancelledError:
            if not exchange.is_released:
                raise
        finally:
            exchange.waiting = None

    def draw(
        self, behaviour: Behaviour, key: str, *, is_head: bool, told: HeaderLines
    ) -> Reply:
        """What a request of this key is to be answered, which is now counted.

        `told` is what browsers are told. For behaviours without a limit.
        """
        came_before = self._keys.count(key) if behaviour.is_counted else 0
        return self._draw(behaviour, key, came_before, is_head, told)[0]

    def _counted(
        self, behaviour: Behaviour, key: str, now: float
    ) -> tuple[Behaviour, int]:
        came_before = self._keys.count(key) if behaviour.is_counted else 0
        if behaviour.limit is None:
            return behaviour, came_before
        wait = self._keys.seconds_to_wait(key, behaviour.limit, now)
        return _too_many(wait) if wait else behaviour, came_before

    def _draw(
        self,
        behaviour: Behaviour,
        key: str,
        came_before: int,
        is_head: bool,
        told: HeaderLines,
    ) -> tuple[Reply, Random]:
        if not (behaviour.is_counted or behaviour.fault):
            # Nothing is left to chance, and a Random of its own takes 7 µs to make.
            never = _NEVER_DRAWN_FROM
            return behaviour.draw(never, 0, is_head=is_head, told=told), never
        # A string, because Random hashes it the same way in every process.
        seed = self._seed if behaviour.seed is None else behaviour.seed
        random = Random(f"{seed} {came_before} {key}")
        reply = behaviour.draw(random, came_before, is_head=is_head, told=told)
        return reply, random


def default_key(method: bytes, target: bytes) -> str:
    """What names a request that has no `_key`."""
    method_and_target = method + b" " + target
    if len(method_and_target) > LONGEST_KEY:
        # Ten thousand keys are remembered, and a target may have 16 KiB.
        rest = blake2b(method_and_target, digest_size=16).hexdigest().encode()
        method_and_target = method_and_target[: LONGEST_KEY - len(rest)] + rest
    return method_and_target.decode("latin-1")


def _too_many(seconds_to_wait: float) -> Behaviour:
    return refusal(
        429,
        "too many requests of this key",
        ("Retry-After", str(math.ceil(seconds_to_wait))),
    )
