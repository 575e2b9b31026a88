"""The rules, as a viewer of the live page is told of them. Pure.

Its cost does not grow with the rules: of ten thousand, the first `MOST_RULES_SHOWN` are
looked at, and only when there are others than before, or the file is not taken.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from nbtwisted.printable import printable, printable_ends
from nbtwisted.server.engine.journal import Journal
from nbtwisted.server.rules.in_force import FileState, Rules, Standing
from nbtwisted.server.rules.rule_set import RuleSet
from nbtwisted.server.rules.summary import does, matches

__all__ = ["MOST_RULES_SHOWN", "MOST_WARNINGS_SHOWN", "RulesViewer"]

MOST_RULES_SHOWN = 50

MOST_WARNINGS_SHOWN = 5

LONGEST_TEXT = 500
"""Characters of a warning, or of what is wrong with the file."""

LONGEST_PATH = 120
"""Characters of the file's path."""


class RulesViewer:
    """A viewer of the rules, and of how many requests each of them acted on."""

    def __init__(self, rules: Rules, journal: Journal) -> None:
        self._rules = rules
        self._journal = journal
        self._told: tuple[RuleSet, FileState | None] | None = None
        self._names: list[str] = []
        self._acted: list[int] | None = None

    def changes(self) -> dict[str, Any]:
        """Tell what has changed since the last time: nothing, or some of

        rules  the rules: see `_overview`
        acted  on how many requests each of those in `rules` acted, since the last
               reset
        """
        changes: dict[str, Any] = {}
        now_is = (self._rules.current, self._rules.file)
        if now_is != self._told:
            self._told = now_is
            changes["rules"] = self._overview()
            self._names = [shown["name"] for shown in changes["rules"]["shown"]]
            self._acted = None
        acted_on = self._journal.totals.by_rule
        acted = [acted_on[name] for name in self._names]
        if acted != self._acted:
            self._acted = changes["acted"] = acted
        return changes

    def _overview(self) -> dict[str, Any]:
        """All that is told of the rules.

        of            how many there are
        shown         the first of them, in the order in which they are tried
        file          `path`, and `error`: why its last version was not taken, or None
        warnings      the first of them
        all_warnings  how many there are
        """
        rules = self._rules
        standing, warnings = rules.standing, rules.current.warnings
        return {
            "of": len(standing),
            "shown": [self._shown(each) for each in standing[:MOST_RULES_SHOWN]],
            "file": self._file(),
            "warnings": [
                printable(warning, longest=LONGEST_TEXT)
                for warning in islice(warnings, MOST_WARNINGS_SHOWN)
            ],
            "all_warnings": len(warnings),
        }

    def _shown(self, standing: Standing) -> dict[str, Any]:
        rule = standing.rule
        return {
            "name": rule.name,
            "matches": matches(rule.source),
            "does": does(rule.source),
            "origin": standing.origin.value,
            "enabled": rule.is_enabled,
            "expires_in": self._rules.seconds_left(standing),
        }

    def _file(self) -> dict[str, Any] | None:
        file = self._rules.file
        if file is None:
            return None
        return {
            "path": printable_ends(file.path, longest=LONGEST_PATH),
            "error": file.error and printable(str(file.error), longest=LONGEST_TEXT),
        }
