"""A pipeline on plain numbers: what goes in when, and what comes out when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from nbtwisted.proxy.stream.pipeline import Pipeline
from nbtwisted.proxy.stream.stage import Direction, Placed, Stage
from nbtwisted.proxy.stream.steps import Item, Signal

Timed = tuple[float, Item]


def placed(*stages: Stage) -> list[Placed]:
    """Stages that act, each by a name of its own."""
    return [Placed(f"s{n}", Direction.DOWN, stage) for n, stage in enumerate(stages)]


def pipeline(*stages: Stage) -> Pipeline:
    """A pipeline that begins at 0."""
    made = Pipeline(lambda each: Random(f"4 1 down {each.name}"))
    made.set_stages(placed(*stages), 0.0)
    return made


def drain(of: Pipeline, until: float = math.inf) -> list[Timed]:
    """What comes out up to a time, each at the moment at which it is due."""
    out: list[Timed] = []
    while (due := of.due) <= until and due < math.inf:
        item = of.take(due)
        if item is not None:
            out.append((due, item))
            if isinstance(item, Signal):
                break
    return out


def through(of: Pipeline, *fed: Timed) -> list[Timed]:
    """What comes out of all that is fed, each at its time."""
    out: list[Timed] = []
    for at, item in [*fed, (math.inf, Signal.END)]:
        out += drain(of, at)
        # Nothing comes behind a signal.
        if signals(out) or at == math.inf:
            break
        of.feed(item, at)
    return out


def joined(out: Sequence[Timed]) -> bytes:
    """The bytes among these."""
    return b"".join(item for _, item in out if isinstance(item, bytes))


def signals(out: Sequence[Timed]) -> list[Signal]:
    """The signals among these."""
    return [item for _, item in out if isinstance(item, Signal)]
