"""Fails tests of trial's that block the reactor.

    from nbtwisted.testing import FailsOnStall

    class OrderTests(FailsOnStall, TestCase):
        fail_on_stall = "50ms"

`FailsOnStall` stands before `TestCase`, and works in every process that runs the test:
under `trial`, in workers of `trial -j`, under pytest.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from zope.interface import directlyProvides, providedBy

from nbtwisted.reactor.adopting import CannotTrace
from nbtwisted.testing.stalls.limit import limit_from
from nbtwisted.testing.stalls.listening import StallError, Stalls, listen

__all__ = ["FailsOnStall", "StallsFail", "failure_for"]

# Runners leave frames of such modules out of what they show.
__unittest = True

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class FailsOnStall:
    """A test case of trial's whose tests fail when they block the reactor.

    A callback of a running reactor that takes as long as `fail_on_stall` fails its
    test, which would otherwise succeed: in `setUp`, in the test, in its cleanups or in
    `tearDown`. A test that is `todo` for it is one that fails as expected.
    """

    fail_on_stall: str = "100ms"
    """How long a callback may take: a time and its unit, or `off`. A test method may
    have an attribute of this name of its own."""

    def run(self, result: Any = None) -> Any:
        """Run the test, which has an error where this cannot be done."""
        case: Any = self
        # As unittest takes it, which makes a result of its own where there is none.
        result = case.defaultTestResult() if result is None else result
        method = getattr(case, case._testMethodName, None)
        try:
            told = getattr(method, "fail_on_stall", self.fail_on_stall)
            limit = limit_from("fail_on_stall", told)
            stalls = None if limit is None else listen(limit)
        except (ValueError, CannotTrace):
            # What is raised here ends trial, and with it every other test.
            result.startTest(case)
            result.addError(case, sys.exc_info())
            result.stopTest(case)
            return result
        if stalls is None:
            return super().run(result)  # type: ignore[misc]
        try:
            return super().run(StallsFail(result, stalls))  # type: ignore[misc]
        finally:
            stalls.close()


class StallsFail:
    """A test's result, for which a test that has blocked the reactor has failed."""

    def __init__(self, result: Any, stalls: Stalls) -> None:
        self._result = result
        self._stalls = stalls
        # Trial asks what it can be told.
        directlyProvides(self, providedBy(result))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def addSuccess(self, test: Any) -> None:
        """It has passed, but for this."""
        if self._stalls.found:
            self._result.addFailure(test, failure_for(test, self._stalls))
        else:
            self._result.addSuccess(test)

    def addUnexpectedSuccess(self, test: Any, *todo: Any) -> None:
        """It has passed and was to fail, which this may be."""
        if self._stalls.found:
            self._result.addExpectedFailure(
                test, failure_for(test, self._stalls), *todo
            )
        else:
            self._result.addUnexpectedSuccess(test, *todo)


def failure_for(test: Any, stalls: Stalls) -> ExcInfo:
    """What a test has failed with: as `sys.exc_info` has it, which all results take."""
    try:
        raise StallError(stalls.told(test.id()))
    except StallError:
        kind, error, traceback = sys.exc_info()
        assert kind is not None
        assert error is not None
        return kind, error, traceback
