"""Draws that are repeatable under concurrency. Pure."""

from __future__ import annotations

import math
from collections.abc import Set
from random import Random

from nbtwisted.server.engine.keys import Keys
from nbtwisted.server.model.behaviour import Behaviour, Reply, refusal
from nbtwisted.server.model.key import default_key
from nbtwisted.server.model.request import Request

__all__ = ["Draws"]

_NEVER_DRAWN_FROM = Random(0)


class Draws:
    """Decides what is left to chance.

    It draws from the seed, the key of a request, and how many requests of that key came
    before; never from the order in which requests of different keys come.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._keys = Keys()

    def draw(
        self, behaviour: Behaviour, request: Request, now: float
    ) -> tuple[Reply, Random]:
        """Draw the reply; returns it with the `Random` of this request.

        It counts the request. `now` is a reading, in seconds, of a clock that never
        goes back.
        """
        if request.reply is not None and behaviour is request.behaviour:
            return request.reply, _NEVER_DRAWN_FROM
        is_head = request.method == b"HEAD"
        if not (behaviour.is_counted or behaviour.limit or behaviour.fault):
            # A Random of its own takes 7 µs to make.
            reply = behaviour.draw(_NEVER_DRAWN_FROM, 0, is_head=is_head)
            if behaviour is request.behaviour:
                request.reply = reply
            return reply, _NEVER_DRAWN_FROM
        key = behaviour.key or default_key(request.method, request.target)
        counted = key if behaviour.rule is None else (behaviour.rule, key)
        came_before = self._keys.count(counted) if behaviour.is_counted else 0
        if behaviour.limit is not None:
            wait = self._keys.seconds_to_wait(counted, behaviour.limit, now)
            if wait:
                again = ("Retry-After", str(math.ceil(wait)))
                behaviour = refusal(429, "too many requests of this key", again)
        random = _NEVER_DRAWN_FROM
        if behaviour.is_random or behaviour.fault:
            # A string, because Random hashes it the same way in every process.
            seed = self._seed if behaviour.seed is None else behaviour.seed
            random = Random(f"{seed} {came_before} {key}")
        return behaviour.draw(random, came_before, is_head=is_head), random

    def forget(self) -> None:
        """Begin anew with every key."""
        self._keys = Keys()

    def forget_rules(self, names: Set[str]) -> None:
        """Begin anew with every key of these rules."""
        self._keys.forget(names)
