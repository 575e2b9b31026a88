"""A plan divided among processes that carry it out together. Pure."""

from __future__ import annotations

import math
from dataclasses import replace

from nbtwisted.load.plan import Plan

__all__ = ["divide"]


def divide(plan: Plan, number: int) -> list[Plan]:
    """So many plans that are together the one; or fewer, if it has fewer connections.

    Connections and requests are divided to the last. In an open loop that is constant,
    each request is due when it is due in the plan.
    """
    number = min(number, plan.connections)
    return [
        replace(
            plan,
            connections=_share(plan.connections, which, number),
            number=plan.number
            if plan.number == math.inf
            else _share(int(plan.number), which, number),
            first=plan.first + which * plan.step,
            step=plan.step * number,
        )
        for which in range(number)
    ]


def _share(whole: int, which: int, number: int) -> int:
    """How many things one of `number` gets if all get one in turn, from the first."""
    return (whole - which + number - 1) // number
