"""`trial --reporter=fail-on-stall`: fails whatever tests block the reactor.

How long a callback may take is `$NBTWISTED_FAIL_ON_STALL`, such as `50ms`; 100 ms
unless told otherwise. Everything else is what trial's own reporter does.

It sees the tests of its own process, so not those in the workers of `trial -j`, for
which there is `nbtwisted.testing.FailsOnStall`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.python.usage import UsageError
from twisted.scripts.trial import Options
from twisted.trial.reporter import TreeReporter

from nbtwisted.reactor.adopting import CannotTrace
from nbtwisted.testing.stalls.fails_on_stall import failure_for
from nbtwisted.testing.stalls.limit import limit_from
from nbtwisted.testing.stalls.listening import Stalls, listen

__all__ = ["StallReporter"]

VARIABLE = "NBTWISTED_FAIL_ON_STALL"
DEFAULT = "100ms"
FOR_TRIAL = "StallReporterForTrial"


class StallReporter(TreeReporter):
    """Trial's own reporter, for which a test that blocks the reactor has failed.

    Raises `SystemExit` where it cannot do that.
    """

    _stalls: Stalls | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            self._limit = limit_from(VARIABLE, os.environ.get(VARIABLE) or DEFAULT)
        except ValueError as error:
            raise SystemExit(f"trial: {error}") from None
        super().__init__(*args, **kwargs)

    def startTest(self, test: Any) -> None:
        """A test begins."""
        if self._limit is not None:
            try:
                self._stalls = listen(self._limit)
            except CannotTrace as error:
                raise SystemExit(f"trial: --reporter=fail-on-stall: {error}") from None
        super().startTest(test)

    def stopTest(self, test: Any) -> None:
        """It has ended."""
        if self._stalls is not None:
            self._stalls.close()
            self._stalls = None
        super().stopTest(test)

    def addSuccess(self, test: Any) -> None:
        """It has passed, but for this."""
        if self._stalls is not None and self._stalls.found:
            self.addFailure(test, failure_for(test, self._stalls))
        else:
            super().addSuccess(test)

    def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
        """It has passed and was to fail, which this may be."""
        if self._stalls is not None and self._stalls.found:
            failure = self._getFailure(failure_for(test, self._stalls))
            self.addExpectedFailure(test, failure, todo)
        else:
            super().addUnexpectedSuccess(test, todo)


def __getattr__(name: str) -> Any:
    """The class for `trial`, which asks for it by this name when it has its options.

    Raises `UsageError` for -j. When an instance is made, workers run already, and trial
    shows a traceback for each that is not let begin.
    """
    if name != FOR_TRIAL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _has_workers():
        raise UsageError(
            "--reporter=fail-on-stall does not see what the workers of -j do: run it "
            "without -j, or use nbtwisted.testing.FailsOnStall"
        )
    return StallReporter


def _has_workers() -> bool:
    """Whether the `trial` that asks runs its tests in other processes."""
    frame: Any = sys._getframe()
    while frame is not None:
        # It tells plugins nothing of its options.
        asking = frame.f_locals.get("self")
        if isinstance(asking, Options):
            return bool(asking["jobs"])
        frame = frame.f_back
    return False
