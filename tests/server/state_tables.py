"""The tables of states and events in modules' docstrings."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

_ROW = re.compile(r"    (\w+(?:, \w+)*) {2,}([a-z]+) {2,}([A-Z]+)\b")


def transitions_in(module: ModuleType) -> dict[tuple[Any, Any], Any]:
    """What the table in a module's docstring says; `any` is all but the last state."""
    states, events = vars(module)["State"], vars(module)["Event"]
    found = {}
    for line in (module.__doc__ or "").splitlines():
        if row := _ROW.match(line):
            after = states[row[3]]
            befores = [state for state in states if state is not after]
            if row[1] != "any":
                befores = [states[name] for name in row[1].split(", ")]
            for before in befores:
                found[before, events[row[2].upper()]] = after
    return found
