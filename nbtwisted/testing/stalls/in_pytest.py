"""Fails the tests of a session of pytest's that block the reactor.

A test has failed if a callback that a running Twisted reactor made in it took too long:
in its setup, in itself, or in its teardown. So have those of trial's cases, and those
of pytest-twisted.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from nbtwisted.reactor.adopting import CannotTrace
from nbtwisted.reactor.tracing.recorder import Call
from nbtwisted.testing.stalls.listening import listen, recorder
from nbtwisted.testing.stalls.options import OPTION, limit_of

__all__ = ["StallFails"]

_FOUND = pytest.StashKey[str]()


class StallFails:
    """The plugin of a session in which tests may fail for this."""

    def __init__(self, limit: float | None) -> None:
        self._has_looked = False
        # Before the program asks for its reactor, if that can be.
        if limit is not None:
            with _usage_errors():
                listen(limit).close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A test is set up."""
        return (yield from self._phase(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """It is run."""
        return (yield from self._phase(item))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """It is torn down."""
        return (yield from self._phase(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test that has failed in another way has also done this."""
        report = yield
        text = item.stash.get(_FOUND, None)
        if text is not None:
            del item.stash[_FOUND]
            if report.failed and text not in report.longreprtext:
                report.sections.append(("Blocked the reactor", text))
        return report

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say if nobody has looked at anything."""
        # Of workers' reactors the process that controls them knows nothing.
        if terminalreporter.config.pluginmanager.has_plugin("dsession"):
            return
        traced = recorder()
        if self._has_looked and (traced is None or not traced.turns):
            terminalreporter.write_line(
                f"{OPTION}: no reactor of Twisted's was run, so no test could fail "
                "for it",
                yellow=True,
            )

    def _phase(self, item: pytest.Item) -> Generator[None, Any, Any]:
        try:
            limit = limit_of(item)
        except pytest.UsageError as error:
            pytest.fail(str(error), pytrace=False)
        if limit is None:
            return (yield)
        with _usage_errors():
            stalls = listen(limit)
        self._has_looked = True
        _follow_greenlets()
        try:
            result = yield
        finally:
            stalls.close()
            if stalls.found:
                item.stash[_FOUND] = stalls.told(item.nodeid)
        if stalls.found:
            pytest.fail(item.stash[_FOUND], pytrace=False)
        return result


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except CannotTrace as error:
        raise pytest.UsageError(f"{OPTION}: {error}") from None


class _Pauses:
    """Has callbacks pause while the greenlet that runs the reactor is not there.

    pytest-twisted runs it in one, and a callback that ends a test leaves that: what
    comes until it is back is not its doing.
    """

    def __init__(self, reactors: Any, before: Any) -> None:
        self.reactors = reactors
        self._before = before
        self._paused: Call | None = None

    def __call__(self, event: str, greenlets: Any) -> None:
        if self._before is not None:
            self._before(event, greenlets)
        traced = recorder()
        if traced is None or event not in ("switch", "throw"):
            return
        was_there, is_there = map(self._is_reactors, greenlets)
        if was_there and not is_there:
            self._paused = traced.leave()
        elif is_there and not was_there:
            traced.come_back(self._paused)
            self._paused = None

    def _is_reactors(self, greenlet: Any) -> bool:
        """Whether it is that one, or one that a callback has made for itself."""
        while greenlet is not None:
            if greenlet is self.reactors:
                return True
            greenlet = greenlet.parent
        return False


def _follow_greenlets() -> None:
    """See to pytest-twisted's, if there is one."""
    # A name that is not public, tried with pytest-twisted 1.14.3.
    instances = getattr(sys.modules.get("pytest_twisted"), "_instances", None)
    reactors = getattr(instances, "gr_twisted", None)
    if reactors is None:
        return
    # It has no types.
    greenlet = import_module("greenlet")
    before = greenlet.gettrace()
    if not isinstance(before, _Pauses) or before.reactors is not reactors:
        greenlet.settrace(_Pauses(reactors, before))
