"""The rules in force, which operators change while the server runs. Pure.

Rules come from operators, from a file, from a recording, and from `--default`, and are
tried in this order. A rule with a time to live is gone when it is over, without a
timer: whoever asks for the rules sees to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import Enum

from nbtwisted.server.rules.reading import Reading, parse_rules
from nbtwisted.server.rules.rule import Rule, UnreadableRule
from nbtwisted.server.rules.rule_set import NO_RULES, RuleSet

__all__ = ["FileState", "NameTaken", "Origin", "Rules", "Standing"]


class Origin(Enum):
    """The origin of a rule."""

    ADMIN = "admin"
    FILE = "file"
    HAR = "har"
    DEFAULT = "default"


class NameTaken(ValueError):
    """There is another rule of this name."""


@dataclass(frozen=True)
class Standing:
    """A rule in force.

    origin    where it comes from
    expires   reading of the clock at which it is gone; infinite for never
    """

    rule: Rule
    origin: Origin
    expires: float = math.inf


@dataclass(frozen=True)
class FileState:
    """The state of the file that rules are read from.

    path    as it was given
    error   why its last version was not taken; None if it was
    """

    path: str
    error: UnreadableRule | None = None


class Rules:
    """The rules in force.

    `now` reads seconds of a clock that never goes back. `reading` is what rules are
    read with. `begin_anew` is called with the names of rules that are gone, set again,
    or others than before: their steps and limits begin anew.

    file        the file that they are read from, if there is one
    on_change   called when there are other rules, or the time of `during` begins anew
    """

    def __init__(
        self,
        now: Callable[[], float],
        reading: Reading,
        begin_anew: Callable[[Set[str]], None] = lambda names: None,
    ) -> None:
        self._now = now
        self._begin_anew = begin_anew
        self.reading = reading
        self.file: FileState | None = None
        self.on_change: Callable[[], None] = lambda: None
        self._standing: dict[Origin, list[Standing]] = {o: [] for o in Origin}
        self._set = NO_RULES
        self._next_expiry = math.inf
        self._began = now()

    @property
    def current(self) -> RuleSet:
        """The rules, in their order: another object whenever there are others."""
        if self._next_expiry != math.inf and self._next_expiry <= self._now():
            now = self._now()
            before = self._names()
            self._set_all(
                {
                    origin: [each for each in standing if each.expires > now]
                    for origin, standing in self._standing.items()
                }
            )
            self._begin_anew(before - self._names())
        return self._set

    @property
    def standing(self) -> Sequence[Standing]:
        """The rules with their origins, in their order."""
        _ = self.current
        return self._all()

    def _all(self) -> list[Standing]:
        return [each for origin in Origin for each in self._standing[origin]]

    def seconds(self) -> float:
        """Seconds since the start, or since the last reset."""
        return self._now() - self._began

    def seconds_left(self, standing: Standing) -> float | None:
        """Seconds until a rule is gone; None for one that stays."""
        left = standing.expires - self._now()
        return None if left == math.inf else max(left, 0.0)

    def find(self, name: str) -> Standing | None:
        """The rule of this name, if there is one."""
        return next((each for each in self.standing if each.rule.name == name), None)

    def parse(self, given: object, *, to_add: bool = False) -> list[Rule]:
        """Read one rule, or a table with a list of them in `rule`.

        Those `to_add` that have no name get one that no rule in force has. Raises
        `UnreadableRule`.
        """
        taken = {each.rule.name for each in self.standing} if to_add else ()
        if isinstance(given, Mapping) and set(given) == {"rule"}:
            return parse_rules(given["rule"], self.reading, taken)
        return parse_rules([given], self.reading, taken)

    def _names(self) -> Set[str]:
        return {each.rule.name for each in self._all()}

    def set_of(self, rules: Iterable[Rule]) -> RuleSet:
        """These rules as a set of the kind that is in force; raises `TooManyRules`."""
        return RuleSet(rules, all_act=self.reading.vocabulary.all_rules_act)

    # What changes them. All of these raise `TooManyRules`, and change nothing then.

    def set_origin(self, origin: Origin, rules: Iterable[Rule] | RuleSet) -> None:
        """Put rules in the place of all those of an origin.

        A `RuleSet` is taken as it is if there are no rules of other origins.
        """
        rule_set = rules if isinstance(rules, RuleSet) else self.set_of(rules)
        now = self._now()
        standing = [_stand(rule, origin, now) for rule in rule_set.rules]
        before = {each.rule.name: each.rule for each in self._standing[origin]}
        self._set_all({**self._standing, origin: standing}, rule_set)
        same = {
            rule.name
            for rule in rule_set.rules
            if rule.name in before and rule.controls == before[rule.name].controls
        }
        self._begin_anew(before.keys() - same)

    def add(self, *rules: Rule) -> Sequence[Standing]:
        """Put an operator's rules before all others; raises `NameTaken`."""
        taken = {each.rule.name for each in self.standing}
        for rule in rules:
            if rule.name in taken:
                raise NameTaken(rule.name)
        now = self._now()
        new = [_stand(rule, Origin.ADMIN, now) for rule in rules]
        admin = [*new, *self._standing[Origin.ADMIN]]
        self._set_all({**self._standing, Origin.ADMIN: admin})
        return new

    def put(self, rule: Rule) -> bool:
        """Put a rule in the place of that of its name; returns whether there was one.

        If there was none, it is added.
        """
        found = self.find(rule.name)
        if found is None:
            self.add(rule)
            return False
        now = self._now()
        standing = [
            _stand(rule, each.origin, now) if each is found else each
            for each in self._standing[found.origin]
        ]
        self._set_all({**self._standing, found.origin: standing})
        self._begin_anew({rule.name})
        return True

    def switch(self, name: str, is_enabled: bool) -> None:
        """Switch the rule of this name on or off, if there is one.

        It stays in its place, and does not live longer for that.
        """
        found = self.find(name)
        if found is None:
            return
        source = {**found.rule.source, "enabled": is_enabled}
        rule = replace(found.rule, source=source, is_enabled=is_enabled)
        standing = [
            replace(each, rule=rule) if each is found else each
            for each in self._standing[found.origin]
        ]
        self._set_all({**self._standing, found.origin: standing})

    def remove(self, name: str) -> None:
        """Remove the rule of this name, if there is one."""
        found = self.find(name)
        if found is not None:
            standing = [s for s in self._standing[found.origin] if s is not found]
            self._set_all({**self._standing, found.origin: standing})
            self._begin_anew({name})

    def replace_all(self, rules: Iterable[Rule]) -> None:
        """Put an operator's rules in the place of all rules there are."""
        now = self._now()
        new = {o: list[Standing]() for o in Origin}
        new[Origin.ADMIN] = [_stand(rule, Origin.ADMIN, now) for rule in rules]
        before = self._names()
        self._set_all(new)
        self._begin_anew(before)

    def reset(self) -> None:
        """Begin anew with the time of `during`; the rules stay."""
        self._began = self._now()
        self.on_change()

    def _set_all(
        self, standing: dict[Origin, list[Standing]], known: RuleSet = NO_RULES
    ) -> None:
        rules = [each.rule for origin in Origin for each in standing[origin]]
        # An index of ten thousand rules takes a tenth of a second to make.
        self._set = known if len(known.rules) == len(rules) else self.set_of(rules)
        self._standing = standing
        self._next_expiry = min(
            (each.expires for all_of in standing.values() for each in all_of),
            default=math.inf,
        )
        self.on_change()


def _stand(rule: Rule, origin: Origin, now: float) -> Standing:
    expires = math.inf if rule.expires is None else now + rule.expires
    return Standing(rule, origin, expires)
