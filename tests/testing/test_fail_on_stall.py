"""Tests that block the reactor, in the sessions of those who run them."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import warm_start
from tests.blocking import BLOCK, LINE

# Most of a session's time would go into these plugins' imports.
WITHOUT_OTHERS = (
    *("-p", "no:hypothesispytest", "-p", "no:anyio"),
    *("-p", "no:twisted", "-p", "no:xdist"),
)

# What waits for the processor, because the machine is busy, does not count.
CASES = (
    BLOCK
    + """
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
import pytest
from nbtwisted.testing import FailsOnStall

def compute():
    end = time.thread_time() + 0.4
    while time.thread_time() < end:
        pass

class Plain(TestCase):
    async def test_blocks(self):
        await deferLater(reactor, 0)
        block()

    def test_computes(self):
        return deferLater(reactor, 0, compute)

    async def test_waits(self):
        await deferLater(reactor, 0.12)

    def test_blocks_nobody(self):
        block()

    async def test_fails(self):
        await deferLater(reactor, 0)
        block()
        assert False, "of its own"
"""
)
MARKED = """
class Marked(TestCase):
    @pytest.mark.fail_on_stall("off")
    async def test_off(self):
        await deferLater(reactor, 0)
        block()

    @pytest.mark.fail_on_stall("60s")
    async def test_long(self):
        await deferLater(reactor, 0)
        block()

    @pytest.mark.xfail(strict=True)
    async def test_known(self):
        await deferLater(reactor, 0)
        block()

    @pytest.mark.fail_on_stall("20ms")
    async def test_short(self):
        await deferLater(reactor, 0)
        block()
"""
MIXED = """
class Mixed(FailsOnStall, TestCase):
    fail_on_stall = "50ms"

    async def test_blocks(self):
        await deferLater(reactor, 0)
        block()

    async def test_waits(self):
        await deferLater(reactor, 0)
"""
GREENLETS = (
    BLOCK
    + """
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
import pytest

def test_kind():
    assert isinstance(reactor, __import__(
        "twisted.internet.asyncioreactor", fromlist=["x"]).AsyncioSelectorReactor)

@pytest_twisted.ensureDeferred
async def test_blocks():
    await deferLater(reactor, 0)
    block()

@pytest_twisted.ensureDeferred
async def test_waits():
    await deferLater(reactor, 0.1)

@pytest.fixture
def slow_fixture():
    # The callback that has ended the test before has left its greenlet.
    block()

@pytest_twisted.ensureDeferred
async def test_after_what_blocks_nobody(slow_fixture):
    await deferLater(reactor, 0)
"""
)


class SessionCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_it(
        self, text: str, module: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        (self.folder / "test_it.py").write_text(text)
        return warm_start.run(
            [sys.executable, "-m", module, *arguments], timeout=60, cwd=self.folder
        )

    def pytest(self, text: str, *arguments: str) -> tuple[dict[str, str], str]:
        """How each test ended, and all that was said."""
        ran = self.run_it(
            text, "pytest", "-v", "-rN", *arguments, "-p", "no:cacheprovider"
        )
        ended = re.findall(r"::(test_\w+) ([A-Z]+)", ran.stdout)
        return dict(ended), ran.stdout + ran.stderr


class PytestTests(SessionCase):
    def test_by_the_command_line_and_by_marks(self) -> None:
        ended, said = self.pytest(
            CASES + MARKED, *WITHOUT_OTHERS, "--fail-on-stall", "50ms"
        )
        self.assertEqual(
            ended,
            {
                "test_blocks": "FAILED",
                "test_computes": "FAILED",
                "test_waits": "PASSED",
                "test_blocks_nobody": "PASSED",
                "test_fails": "FAILED",
                "test_off": "PASSED",
                "test_long": "PASSED",
                "test_known": "XFAIL",
                "test_short": "FAILED",
            },
            said,
        )
        place = f"test_it.py:{LINE}, in block\n"
        self.assertRegex(said, rf"blocked the reactor for \d+ ms: {place}")
        self.assertIn("test: test_it.py::Plain::test_blocks\n", said)
        self.assertIn("callback: deferLater -> test_it.Plain.test_blocks\n", said)
        self.assertIn("limit: 50 ms", said)
        self.assertIn("limit: 20 ms", said)
        self.assertRegex(said, r"test_it\.py:\d+, in compute\n")
        # Where it has failed by itself, both are told, and each once.
        self.assertIn("AssertionError: of its own", said)
        self.assertEqual(len(re.findall("-- Blocked the reactor --", said)), 1)
        self.assertEqual(len(re.findall(r"blocked the reactor for", said)), 4)

    def test_by_a_mark_alone(self) -> None:
        ended, said = self.pytest(CASES + MARKED, *WITHOUT_OTHERS, "-k", "Marked")
        self.assertEqual(
            ended,
            {
                "test_off": "PASSED",
                "test_long": "PASSED",
                # It passes, where a strict xfail must not.
                "test_known": "FAILED",
                "test_short": "FAILED",
            },
            said,
        )

    def test_by_the_file_and_off(self) -> None:
        (self.folder / "pytest.ini").write_text("[pytest]\nfail_on_stall = 50ms\n")
        few = ("-k", "Plain and test_blocks or test_short", *WITHOUT_OTHERS)
        ended, said = self.pytest(CASES + MARKED, *few)
        self.assertEqual(ended["test_blocks"], "FAILED", said)
        ended, said = self.pytest(CASES + MARKED, *few, "--fail-on-stall", "off")
        self.assertEqual(set(ended.values()), {"PASSED"}, said)

    def test_pytest_twisted(self) -> None:
        others = ("-p", "no:hypothesispytest", "-p", "no:anyio")
        ended, said = self.pytest(
            GREENLETS, *others, "--reactor", "asyncio", "--fail-on-stall", "50ms"
        )
        self.assertEqual(
            ended,
            {
                "test_kind": "PASSED",
                "test_blocks": "FAILED",
                "test_waits": "PASSED",
                "test_after_what_blocks_nobody": "PASSED",
            },
            said,
        )
        self.assertRegex(said, r"blocked the reactor for \d+ ms: test_it\.py:\d+, in b")

    def test_where_no_reactor_runs(self) -> None:
        _, said = self.pytest(
            "def test_it(): pass", *WITHOUT_OTHERS, "--fail-on-stall", "50ms"
        )
        self.assertIn("no reactor of Twisted's was run", said)
        self.assertIn("1 passed", said)

    def test_what_is_no_limit(self) -> None:
        text = "import pytest\n@pytest.mark.fail_on_stall(50)\ndef test_it(): pass"
        expected = "expected a time above 0 and its unit, such as 50ms, or off"
        for arguments, what in [
            (["--fail-on-stall", "50"], f"--fail-on-stall: '50': {expected}"),
            (["--fail-on-stall="], f"--fail-on-stall: '': {expected}"),
            ([], f"test_it.py::test_it: mark fail_on_stall: 50: {expected}"),
        ]:
            ended, said = self.pytest(text, *WITHOUT_OTHERS, *arguments)
            self.assertEqual(ended, {})
            self.assertIn(f"ERROR: {what}\n", said)
            self.assertNotIn("Traceback", said)

    def test_what_is_no_limit_in_a_worker(self) -> None:
        text = "import pytest\n@pytest.mark.fail_on_stall(50)\ndef test_it(): pass"
        _, said = self.pytest(text, *WITHOUT_OTHERS[:-2], "-n1")
        self.assertIn("test_it.py::test_it: mark fail_on_stall: 50: expected", said)
        self.assertNotIn("INTERNALERROR", said)


class TrialTests(SessionCase):
    def trial(self, text: str, *arguments: str) -> str:
        ran = self.run_it(text, "twisted.trial", *arguments, "test_it")
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        return ran.stdout + ran.stderr

    def test_the_reporter(self) -> None:
        said = self.trial(CASES, "--reporter=fail-on-stall")
        self.assertRegex(said, r"test_blocks \.\.\. +\[FAIL\]")
        self.assertRegex(said, r"test_blocks_nobody \.\.\. +\[OK\]")
        self.assertRegex(said, r"test_waits \.\.\. +\[OK\]")
        self.assertRegex(said, r"blocked the reactor for \d+ ms: \S+:\d+, in block\n")
        self.assertIn("test: test_it.Plain.test_blocks\n", said)
        self.assertIn("limit: 100 ms", said)

    def test_the_mixin_in_workers(self) -> None:
        said = self.trial(MIXED_ALONE, "-j1")
        self.assertRegex(said, r"test_blocks \.\.\. +\[FAIL\]")
        self.assertRegex(said, r"test_waits \.\.\. +\[OK\]")
        self.assertRegex(said, r"blocked the reactor for \d+ ms: \S+:\d+, in block\n")

    def test_the_reporter_says_that_workers_are_not_seen(self) -> None:
        said = self.trial(MIXED_ALONE, "-j1", "--reporter=fail-on-stall")
        self.assertRegex(said, "^.*: --reporter=fail-on-stall does not see what .* -j ")
        self.assertIn("run it without -j, or use nbtwisted.testing.FailsOnStall", said)
        self.assertEqual(said.count("\n"), 1, said)


MIXED_ALONE = CASES[: CASES.index("class Plain")] + MIXED
