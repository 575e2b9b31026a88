"""Carries a `Behaviour` out: the one place of the server that waits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

from twisted.internet.defer import succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.server import Request

from nbtwisted.server.behaviour import Behaviour, Reply, refusal
from nbtwisted.server.body import Body
from nbtwisted.server.faults import transmission
from nbtwisted.server.keys import Keys
from nbtwisted.server.sending import send

__all__ = ["Performer"]

PIECES_A_SECOND = 20
"""How many pieces a `_rate` cuts a second into."""

_NEVER_DRAWN_FROM = Random(0)


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
        self._keys = Keys()
        self._clock = clock
        self._now = now
        self._seed = seed

    async def perform(self, behaviour: Behaviour, request: Request) -> None:
        """Wait, then send the answer, or break the wire as it says.

        When the client leaves, Klein cancels what this waits for, and its timers are
        gone at once. Nothing here may catch that cancellation.
        """
        began = self._now()
        reply, random = self._draw(behaviour, request, began)
        if reply.asked:
            await deferLater(self._clock, reply.asked)
        else:
            # No delay still goes through a Deferred, so that both take one way.
            await succeed(None)
        held = self._now() - began
        timing = f"asked;dur={_ms(reply.asked)}, held;dur={_ms(held)}"
        reply = replace(reply, headers=(*reply.headers, ("Server-Timing", timing)))
        piece_size, interval = _pace(behaviour, reply.body)
        plan = transmission(reply, piece_size, random)
        await send(reply, plan, interval, request, self._clock)

    def _draw(
        self, behaviour: Behaviour, request: Request, now: float
    ) -> tuple[Reply, Random]:
        key = behaviour.key or _default_key(request)
        came_before = self._keys.count(key) if behaviour.is_counted else 0
        if behaviour.limit is not None:
            wait = self._keys.seconds_to_wait(key, behaviour.limit, now)
            if wait:
                behaviour = _too_many(wait)
        if not (behaviour.is_counted or behaviour.fault):
            # Nothing is left to chance, and a Random of its own takes 7 µs to make.
            return behaviour.draw(_NEVER_DRAWN_FROM, 0), _NEVER_DRAWN_FROM
        # A string, because Random hashes it the same way in every process.
        seed = self._seed if behaviour.seed is None else behaviour.seed
        random = Random(f"{seed} {came_before} {key}")
        return behaviour.draw(random, came_before), random


def _default_key(request: Request) -> str:
    method_and_target: bytes = request.method + b" " + request.uri
    return method_and_target.decode("latin-1")


def _too_many(seconds_to_wait: float) -> Behaviour:
    return refusal(
        429,
        "too many requests of this key",
        ("Retry-After", str(math.ceil(seconds_to_wait))),
    )


def _pace(behaviour: Behaviour, body: Body) -> tuple[int | None, float]:
    """The size of the pieces to send a body in, and the seconds between them.

    None for the pieces that it has of its own.
    """
    if behaviour.drip is not None:
        chunks = min(behaviour.drip.chunks, max(body.length, 1))
        size = max(math.ceil(body.length / chunks), 1)
        return size, behaviour.drip.seconds / max(chunks - 1, 1)
    if behaviour.rate is not None:
        size = max(int(behaviour.rate / PIECES_A_SECOND), 1)
        return size, size / behaviour.rate
    return None, behaviour.interval


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}".removesuffix(".0")
