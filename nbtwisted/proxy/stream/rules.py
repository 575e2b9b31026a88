"""Rules as stages: all that are in force act, one after another. Pure.

A rule is a stage for each of its controls, in each of its directions: a delay, slices,
a rate and a fault, in this order, so that a fault counts the bytes that have passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from nbtwisted.proxy.stream.stage import (
    Break,
    Direction,
    Latency,
    Placed,
    Rate,
    Slices,
    Stage,
)
from nbtwisted.server.model.controls import Amount, Controls, Fault
from nbtwisted.server.rules.rule import Rule

__all__ = ["next_change", "stages_of_rules"]

_DIRECTIONS = {
    "up": (Direction.UP,),
    "down": (Direction.DOWN,),
    "both": (Direction.UP, Direction.DOWN),
}

_FIELDS = ("delay", "rate", "fault", "after", "slice", "direction")

NOTHING = Amount()


def stages_of_rules(
    rules: Iterable[Rule], seconds: float, came_before: Mapping[str, int]
) -> Sequence[Placed]:
    """The stages of one link, by the rules that are enabled, in their order.

    `seconds` are those since the start, or since the last reset. `came_before` has, by
    the name of a rule with steps, how many links came before this one; steps of a rule
    that is not there do not act.
    """
    names: dict[str, int] = {}
    placed: list[Placed] = []
    for rule in rules:
        if rule.is_enabled:
            count = names[rule.name] = names.get(rule.name, 0) + 1
            name = rule.name if count == 1 else f"{rule.name} ({count})"
            stages = _stages(name, _controls(rule, seconds, came_before))
            placed += (replace(stage, rule=rule.name) for stage in stages)
    return placed


def next_change(rules: Iterable[Rule], seconds: float) -> float:
    """When a phase of a rule begins or ends next; infinite if none does any more."""
    return min(
        (
            moment
            for rule in rules
            if rule.is_enabled
            for phase in rule.phases
            for moment in (phase.begins, phase.ends)
            if moment > seconds
        ),
        default=math.inf,
    )


def _controls(rule: Rule, seconds: float, came_before: Mapping[str, int]) -> Controls:
    """What holds now: the phases over the step, and that over what holds always."""
    controls = rule.controls
    steps, number = controls.steps, came_before.get(rule.name)
    if steps and number is not None:
        controls = _over(controls, steps[min(number, len(steps) - 1)])
    for phase in rule.phases:
        if phase.holds_at(seconds):
            controls = _over(controls, phase.controls)
    return controls


def _over(controls: Controls, others: Controls) -> Controls:
    """The controls, but for those that the others have."""
    given = {name: getattr(others, name) for name in _FIELDS}
    return replace(controls, **{n: v for n, v in given.items() if v is not None})


def _stages(name: str, controls: Controls) -> Iterator[Placed]:
    for direction in _DIRECTIONS[controls.direction or "down"]:
        if controls.delay is not None:
            yield Placed(f"{name}: delay", direction, Latency(controls.delay))
        if controls.slice is not None:
            cut = controls.slice
            slices = Slices(cut.size, cut.variation, cut.pause)
            yield Placed(f"{name}: slice", direction, slices)
        if controls.rate is not None:
            yield Placed(f"{name}: rate", direction, Rate(controls.rate))
        if controls.fault is not None:
            after = controls.after or NOTHING
            yield Placed(
                f"{name}: fault",
                direction,
                _break(controls.fault, after),
                controls.fault.probability,
            )


def _break(fault: Fault, after: Amount) -> Stage:
    how = cast(Literal["reset", "stall", "close"], fault.name)
    return Break(how, after_seconds=after.seconds, after_bytes=after.size)
