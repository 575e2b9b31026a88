"""Tables of states: the moves that a docstring names, and those that were made."""

from __future__ import annotations

import enum
import re
import unittest
from typing import Any

Move = tuple[str, str]
"""The names of a state and of the next."""


def named(states: type[enum.Enum]) -> set[Move]:
    """The moves that the docstring of an enum names: by its table, and behind it.

    A row has a state, or nothing to go on with the one before; something that happens;
    and the states that this leads to, each by its name. Text says "from X and Y to Z".
    """
    text = " ".join((states.__doc__ or "").split())
    moves = set()
    for froms, to in re.findall(r"from ((?:[A-Z]+(?:, | and )?)+) to ([A-Z]+)", text):
        moves |= {(state, to) for state in _names(states, froms)}
    state = ""
    for line in (states.__doc__ or "").splitlines():
        first, *cells = [cell.strip() for cell in line.split("|")[1:-1]] or [""]
        state = first or state
        if state in states.__members__:
            moves |= {(state, to) for to in _names(states, " ".join(cells[1:]))}
    return moves


def _names(states: type[enum.Enum], text: str) -> list[str]:
    return [word for word in re.findall("[A-Z]+", text) if word in states.__members__]


class _Noting:
    """Takes the place of an attribute that has a state, and notes how it changes."""

    def __init__(self, owner: type, name: str, moves: set[Move]) -> None:
        self._slot: Any = owner.__dict__.get(name)
        self._name = name
        self._moves = moves

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if self._slot is not None:
            return self._slot.__get__(instance, owner)
        return instance.__dict__.get(self._name)

    def __set__(self, instance: Any, state: enum.Enum) -> None:
        before = getattr(instance, self._name, None)
        if before is not None and before is not state:
            self._moves.add((before.name, state.name))
        if self._slot is not None:
            self._slot.__set__(instance, state)
        else:
            instance.__dict__[self._name] = state


def moves_in(cases: type[unittest.TestCase], owner: type, name: str) -> set[Move]:
    """The moves of an attribute of `owner` while all tests of `cases` run."""
    moves: set[Move] = set()
    noting = _Noting(owner, name, moves)
    before = owner.__dict__.get(name)
    setattr(owner, name, noting)
    try:
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(cases).run(result)
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
    assert result.wasSuccessful(), [*result.errors, *result.failures]
    assert result.testsRun
    return moves
