"""Keeps the stages of a proxy as its rules have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from nbtwisted.proxy.stream.listener import StreamProxy
from nbtwisted.proxy.stream.rules import next_change, stages_of_rules
from nbtwisted.proxy.stream.stage import Placed
from nbtwisted.server.rules.in_force import Rules
from nbtwisted.server.rules.rule import Rule

__all__ = ["RuledStages"]

SLACK = 0.001
"""Seconds by which a timer is set later than a phase begins, so that it has."""

MOST_FORGOTTEN = 100
"""Links that are over and still remembered, at least, before somebody looks."""


class RuledStages:
    """Sets the stages of a proxy whenever there are other rules, and in due time.

    Steps of a rule are counted by the links that came since it was set: the first of
    these gets the first step, and so on; the last one repeats. They do not act on links
    that were open by then. `rules` are to be used by nobody else in this way: their
    `on_change` is taken.
    """

    def __init__(self, reactor: Any, rules: Rules, proxy: StreamProxy) -> None:
        self._reactor = reactor
        self._rules = rules
        self._proxy = proxy
        self._timer: IDelayedCall | None = None
        self._is_on = False
        # For each rule with steps: as it was when they were counted last, and how many
        # links came since it was set.
        self._counted: dict[str, tuple[Rule, int]] = {}
        self._came_before: dict[int, dict[str, int]] = {}
        self._last_number = 0

    def begin(self) -> None:
        """Set the stages, now and whenever they are to be others."""
        self._is_on = True
        self._last_number = max((link.number for link in self._proxy.links), default=0)
        self._rules.on_change = self._refresh
        self._refresh()

    def stop(self) -> None:
        """Do so no more: the stages stay as they are."""
        self._is_on = False
        self._rules.on_change = lambda: None
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _refresh(self) -> None:
        self._stop_waiting()
        rules = self._rules.current.rules
        self._forget_others(rules)
        self._proxy.set_stages_by_link(self._stages_of)
        # What is set may end links, and who hears of that may stop this.
        if self._is_on and self._timer is None:
            self._wait(rules)

    def _wait(self, rules: Sequence[Rule]) -> None:
        seconds = self._rules.seconds()
        left = [next_change(rules, seconds) - seconds]
        for standing in self._rules.standing:
            until_gone = self._rules.seconds_left(standing)
            if until_gone is not None:
                left.append(until_gone)
        soonest = min(left)
        if soonest < math.inf:
            self._timer = self._reactor.callLater(soonest + SLACK, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._refresh()

    def _forget_others(self, rules: Sequence[Rule]) -> None:
        """Begin anew with steps of rules that are gone, or others than before."""
        now = {rule.name: rule.controls for rule in rules}
        for name, (rule, _) in list(self._counted.items()):
            if now.get(name) != rule.controls:
                del self._counted[name]
                for counts in self._came_before.values():
                    counts.pop(name, None)

    def _forget_links(self) -> None:
        """Forget counts of links that are over."""
        there = {link.number for link in self._proxy.links}
        self._came_before = {
            number: counts
            for number, counts in self._came_before.items()
            if number in there
        }

    def _stages_of(self, number: int) -> Sequence[Placed]:
        rules = self._rules.current.rules
        if number > self._last_number:
            self._last_number = number
            self._count(number, rules)
        counts = self._came_before.get(number, {})
        return stages_of_rules(rules, self._rules.seconds(), counts)

    def _count(self, number: int, rules: Sequence[Rule]) -> None:
        """Count a link that has come, for each rule with steps."""
        if len(self._came_before) > 2 * len(self._proxy.links) + MOST_FORGOTTEN:
            self._forget_links()
        counts: dict[str, int] = {}
        for rule in rules:
            if rule.is_enabled and rule.controls.steps:
                _, came = self._counted.get(rule.name, (rule, 0))
                counts[rule.name] = came
                self._counted[rule.name] = rule, came + 1
        if counts:
            self._came_before[number] = counts
