"""Requests that take turns, the heavier ones more often. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TypeVar

__all__ = ["MOST_TURNS", "share_of_round", "turns"]

_T = TypeVar("_T")

MOST_TURNS = 1_000_000
"""In a round, beyond one for each request: that takes 8 MB, and two seconds."""


def turns(weights: Sequence[int]) -> list[int]:
    """One round of turns: which of the requests has each of them.

    Each has as many as its weight; or a fraction of it, the same for all, if that gives
    whole numbers. Equal ones take turns in their order. The turns of one are as far
    apart as may be: after any part of a round, each has had its share of the turns,
    give or take one. (This is EEVDF, "earliest eligible virtual deadline first".)

    Raises `ValueError` for more turns than `MOST_TURNS`, beyond one for each.
    """
    divisor = math.gcd(*weights)
    weights = [weight // divisor for weight in weights]
    total = sum(weights)
    if total > MOST_TURNS + len(weights):
        raise ValueError(
            f"weights that make {total:,} turns in a round: expected at most "
            f"{MOST_TURNS:,} more than requests"
        )
    if total == len(weights):
        return [*range(total)]
    # The turns of one with a weight of 3 are for the thirds of the round: each may
    # begin when its third does, and the earliest end is served first.
    begins: dict[int, list[int]] = defaultdict(list)
    begins[0] += range(len(weights))
    ready: list[tuple[float, int]] = []
    taken = [0] * len(weights)
    found = []
    for turn in range(total):
        for which in begins.pop(turn, ()):
            heappush(ready, ((taken[which] + 1) / weights[which], which))
        _, which = heappop(ready)
        found.append(which)
        taken[which] += 1
        if taken[which] < weights[which]:
            begin = -(-taken[which] * total // weights[which])
            begins[begin].append(which)
    return found


def share_of_round(a_round: Sequence[_T], first: int, step: int) -> Sequence[_T]:
    """The round of a part of a run, which has every `step`th turn from the `first` on.

    It has all that the whole round has, or parts would not have the same to do: of two
    requests that take turns, one of two parts would have the slow one each time. So the
    order is shifted by one wherever it would come to the same ones again.
    """
    if step == 1:
        return a_round
    length = len(a_round)
    before_same = length // math.gcd(length, step)
    return [
        a_round[(first + turn * step + turn // before_same) % length]
        for turn in range(length)
    ]
