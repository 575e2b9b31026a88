"""How a run came out: how its requests ended, and the exit code of that. Pure."""

from __future__ import annotations

import math
import sys

from nbtwisted.client.results.ended import Ended

__all__ = ["Outcome"]


class Outcome:
    """How the requests of a run ended.

    `answered_before` is how many of them an earlier run has answered.
    """

    def __init__(self, *, answered_before: int = 0) -> None:
        self.answered = 0
        self.failed = 0
        self.interrupted = 0
        self.answered_before = answered_before
        self.exit_code = 0
        """That of the first failure in the order of the list."""
        self._first_failure = sys.maxsize

    def count(self, index: int, ended: Ended) -> None:
        """The request at this position of the list has ended."""
        if ended.is_interrupted:
            self.interrupted += 1
        elif ended.error:
            self.failed += 1
        else:
            self.answered += 1
        if ended.exit_code and index < self._first_failure:
            self._first_failure, self.exit_code = index, ended.exit_code

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
