"""How a run came out: how its requests ended, and the exit code of that. Pure."""

from __future__ import annotations

import math
import sys

from nbtwisted.client.errors import Interrupted
from nbtwisted.client.result import Result

__all__ = ["Outcome"]

_FAILED_STATUS = 22
"""curl's exit code for a status of 400 and above, with -f."""


class Outcome:
    """How the requests of a run ended.

    With `fail`, a status of 400 and above is a failure, too. `answered_before` is how
    many of them an earlier run has answered.
    """

    def __init__(self, *, fail: bool, answered_before: int = 0) -> None:
        self.answered = 0
        self.failed = 0
        self.interrupted = 0
        self.answered_before = answered_before
        self.exit_code = 0
        """That of the first failure in the order of the list."""
        self._fail = fail
        self._first_failure = sys.maxsize

    def count(self, index: int, result: Result) -> None:
        """The request at this position of the list has ended."""
        error, response = result.error, result.response
        if isinstance(error, Interrupted):
            self.interrupted += 1
        elif error is not None:
            self.failed += 1
            self._note_failure(index, error.exit_code)
        else:
            self.answered += 1
            if self._fail and response is not None and response.status >= 400:
                self._note_failure(index, _FAILED_STATUS)

    def _note_failure(self, index: int, exit_code: int) -> None:
        if index < self._first_failure:
            self._first_failure, self.exit_code = index, exit_code

    def counts(self, number: float) -> str:
        """What to say of a run that was interrupted, of so many requests if known."""
        answered = self.answered_before + self.answered
        rest = self.interrupted
        if number != math.inf:
            # Not every one of a great many is marked.
            rest = int(number) - answered - self.failed
        return f"{answered} answered, {rest} not"

    def resumed(self) -> str:
        """What to say of one that went on where another had stopped."""
        now = self.answered + self.failed
        return f"{self.answered_before:,} were answered, {now:,} asked now"
