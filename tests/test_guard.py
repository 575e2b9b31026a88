"""The guards themselves: each thing left behind fails the test that left it."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from tests.guard import ClockCase, ReactorCase

ROOT = pathlib.Path(__file__).parent.parent

kept: list[Any] = []


class _Careless(ClockCase):
    """Each method leaves something behind, and would pass without the guard."""

    def test_nothing(self) -> None:
        pass

    def test_lost_error(self) -> None:
        fail(ValueError("nobody looks at this"))

    def test_delayed_call(self) -> None:
        self.clock.callLater(1, list)

    def test_socket(self) -> None:
        kept.append(socket.socket())

    async def test_coroutine(self) -> None:
        raise AssertionError("never awaited")

    def test_deferred(self) -> Any:
        return Deferred()


class _CarelessOnReactor(ReactorCase):
    def test_nothing(self) -> None:
        pass

    def test_lost_error(self) -> None:
        fail(ValueError("nobody looks at this"))

    def test_delayed_call(self) -> None:
        self.reactor.callLater(30, list)

    def test_socket(self) -> None:
        kept.append(socket.socket())


# The runners look for cases in a module's names: these are not for them to run.
CARELESS = {"clock": _Careless, "reactor": _CarelessOnReactor}
del _Careless, _CarelessOnReactor


class GuardTests(SynchronousTestCase):
    def outcome(self, kind: str, name: str) -> str:
        result = unittest.TestResult()
        CARELESS[kind](name).run(result)
        while kept:
            kept.pop().close()
        return "passed" if result.wasSuccessful() else "failed"

    def test_what_leaves_nothing_passes(self) -> None:
        self.assertEqual(self.outcome("clock", "test_nothing"), "passed")

    def test_lost_error(self) -> None:
        self.assertEqual(self.outcome("clock", "test_lost_error"), "failed")

    def test_delayed_call(self) -> None:
        self.assertEqual(self.outcome("clock", "test_delayed_call"), "failed")

    def test_socket(self) -> None:
        self.assertEqual(self.outcome("clock", "test_socket"), "failed")

    def test_coroutine(self) -> None:
        self.assertEqual(self.outcome("clock", "test_coroutine"), "failed")

    def test_deferred(self) -> None:
        self.assertEqual(self.outcome("clock", "test_deferred"), "failed")

    def test_on_the_reactor(self) -> None:
        self.assertEqual(self.outcome("reactor", "test_nothing"), "passed")
        self.assertEqual(self.outcome("reactor", "test_lost_error"), "failed")
        self.assertEqual(self.outcome("reactor", "test_delayed_call"), "failed")
        self.assertEqual(self.outcome("reactor", "test_socket"), "failed")


WARNS = """
import warnings
import tests
from twisted.trial.unittest import SynchronousTestCase

class Tests(SynchronousTestCase):
    def test_nothing(self):
        pass

    def test_warning(self):
        warnings.warn("nobody looks at this")
"""


class WorkerTests(SynchronousTestCase):
    def test_warnings_are_errors_in_workers_too(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "test_warns.py").write_text(WARNS, encoding="utf-8")
            ran = subprocess.run(
                [sys.executable, "-m", "twisted.trial", "-j1", "test_warns"],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": f"{ROOT}:{folder}"},
                capture_output=True,
                text=True,
                check=False,
            )
        self.assertIn("FAILED (errors=1, ", ran.stdout, ran.stderr)


FUNCTIONS = """
import socket
from twisted.internet.defer import fail
from tests.conftest import nothing_left
from tests.guard import real_reactor

kept = []

def test_nothing():
    pass

def test_lost_error():
    fail(ValueError("nobody looks at this"))

def test_delayed_call():
    kept.append(real_reactor().callLater(30, list))

def test_clean_up():
    kept.pop().cancel()

def test_socket():
    kept.append(socket.socket())

def test_clean_up_again():
    kept.pop().close()

async def test_coroutine():
    raise AssertionError("never awaited")
"""


def test_functions_are_guarded_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function that leaves something behind errs or fails, and no other does."""
    pytester.makepyfile(FUNCTIONS)
    # For `tests.conftest`, and because a reactor runs but once in a process.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    ran = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "error", "-rfE")
    unhappy = set(re.findall(r"^(?:FAILED|ERROR) .*::(\w+)", ran.stdout.str(), re.M))
    assert unhappy == {
        "test_lost_error",
        "test_delayed_call",
        "test_socket",
        "test_coroutine",
    }


DEFERRED = """
from twisted.internet.defer import Deferred

def test_deferred():
    return Deferred()
"""


def test_a_deferred_that_never_fires_ends_the_run(pytester: pytest.Pytester) -> None:
    """The suite's kind of timeout gets through to a reactor that waits for ever."""
    pytester.makepyfile(DEFERRED)
    ran = pytester.runpytest_subprocess("--timeout=1", "--timeout-method=thread")
    assert ran.ret != 0
    assert "Timeout" in ran.stdout.str()
