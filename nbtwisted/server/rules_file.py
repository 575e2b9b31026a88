"""Reads a file of rules, and reads it again when it has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from nbtwisted.server.regular_file import read_regular_file
from nbtwisted.server.rules.in_force import FileState, Origin, Rules
from nbtwisted.server.rules.rule import UnreadableRule
from nbtwisted.server.rules.rule_set import RuleSet, TooManyRules
from nbtwisted.server.rules.text import parse_text

__all__ = ["RulesFile"]

_logger = Logger(namespace="nbtwisted")

SECONDS_BETWEEN_LOOKS = 0.25
"""A change is taken when two looks have seen the same: nobody is in the middle of
writing it, then."""

LARGEST_FILE = 16 * 1024 * 1024
"""Bytes."""

_Version = tuple[int, ...] | None
"""The time, the size and the number of a file; None if there is none."""


class _State(Enum):
    """Where a reading of the file is in its life.

    | state | what happens | where that leads |
    |---|---|---|
    | RESTING | the file has changed, or somebody says so | READING |
    | READING | somebody says that it has changed | OUTDATED |
    | | it has been read | RESTING |
    | OUTDATED | it has been read, and is read again | READING |
    """

    RESTING = auto()
    READING = auto()
    OUTDATED = auto()


class RulesFile:
    """Keeps the rules of an origin as a file has them.

    A version that cannot be read leaves the rules as they are, and is complained of.
    `say` is called with sentences for operators. `in_thread` runs a function and gives
    its result: ten thousand rules take a second.
    """

    def __init__(
        self,
        path: str,
        rules: Rules,
        clock: IReactorTime,
        say: Callable[[str], None],
        in_thread: Callable[[Callable[[], Any]], Deferred[Any]] = deferToThread,
    ) -> None:
        self._path = path
        self._rules = rules
        self._clock = clock
        self._say = say
        self._in_thread = in_thread
        self._timer: IDelayedCall | None = None
        self._taken: _Version = None
        self._seen: _Version = None
        self._state = _State.RESTING
        rules.file = FileState(path)

    def begin(self) -> None:
        """Read the file, and watch it from then on.

        Raises `UnreadableRule` and `TooManyRules`.
        """
        self._set(self._read())
        self._timer = self._clock.callLater(SECONDS_BETWEEN_LOOKS, self._on_time)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def read_again(self) -> None:
        """Read the file now, whether it has changed or not."""
        if self._state is not _State.RESTING:
            self._state = _State.OUTDATED
            return
        self._state = _State.READING
        self._in_thread(self._read).addCallback(self._set).addErrback(
            self._complain
        ).addCallback(self._done)

    def _on_time(self) -> None:
        self._timer = self._clock.callLater(SECONDS_BETWEEN_LOOKS, self._on_time)
        version = self._look()
        is_settled = version == self._seen
        self._seen = version
        if is_settled and version != self._taken:
            self.read_again()

    def _look(self) -> _Version:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> RuleSet:
        """The file's rules, with the warnings about them."""
        # Of the version that is read, which may not be the one of when it was asked.
        self._taken = self._look()
        try:
            raw = read_regular_file(self._path, LARGEST_FILE)
        except ValueError as error:
            raise _unreadable(str(error)) from None
        try:
            # Editors of other systems begin with a byte order mark.
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise _unreadable("text in UTF-8", line) from None
        rule_set = self._rules.set_of(parse_text(text, self._rules.reading))
        # They are remembered, and take a while to find.
        _ = rule_set.warnings
        return rule_set

    def _set(self, rule_set: RuleSet) -> None:
        self._rules.set_origin(Origin.FILE, rule_set)
        self._rules.file = FileState(self._path)
        number = len(rule_set.rules)
        count = "1 rule" if number == 1 else f"{number} rules"
        self._say(f"{count} from {self._path}")
        for warning in rule_set.warnings:
            self._say(f"warning: {warning}")

    def _complain(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, TooManyRules):
            error = _unreadable(str(error))
        if not isinstance(error, UnreadableRule):
            _logger.failure("cannot read {path!r}", failure, path=self._path)
            error = _unreadable("rules that do not make the server fail")
        self._rules.file = FileState(self._path, error)
        self._say(f"{self._path}: {error}; the rules stay as they were")

    def _done(self, _: object) -> None:
        state, self._state = self._state, _State.RESTING
        if state is _State.OUTDATED:
            self.read_again()


def _unreadable(expected: str, line: int | None = None) -> UnreadableRule:
    error = UnreadableRule("", "", "", expected, error="this cannot be read")
    error.line = line
    return error
