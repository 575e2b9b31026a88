"""Which reactor a command runs on."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor import EagerEPollReactor
from nbtwisted.reactor.timers import follow_environment
from tests.clock_that_steps import BY_STEPS

CHOOSE = """
import sys
from nbtwisted.reactor.choosing import choose
choose(sys.argv[1:])
from twisted.internet import reactor
print(type(reactor).__name__)
"""


class ChoosingTests(SynchronousTestCase):
    def chosen(self, *arguments: str, before: str = "", **environment: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-c", before + CHOOSE, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env={**os.environ, **environment},
        )
        self.assertNotIn("Traceback", ran.stderr)
        return (ran.stdout + ran.stderr).strip()

    def test_eager_unless_told_otherwise(self) -> None:
        self.assertEqual(self.chosen(), "EagerEPollReactor")
        self.assertEqual(self.chosen("-n", "5", "http://x/"), "EagerEPollReactor")

    def test_as_told(self) -> None:
        self.assertEqual(self.chosen("--reactor", "poll"), "PollReactor")
        self.assertEqual(self.chosen("-4", "--reactor=select"), "SelectReactor")
        self.assertEqual(self.chosen(NBTWISTED_REACTOR="epoll"), "EPollReactor")
        told = self.chosen("--reactor", "eager", NBTWISTED_REACTOR="epoll")
        self.assertEqual(told, "EagerEPollReactor")

    def test_one_that_nobody_knows(self) -> None:
        said = self.chosen("--reactor", "nonsense")
        self.assertRegex(said, "^nbtwisted: error: --reactor 'nonsense': expected one")
        self.assertIn("eager, eager-asyncio, epoll", said)

    def test_what_the_environment_has_wrong(self) -> None:
        said = self.chosen("--reactor", "traced", NBTWISTED_STALL_MS="abc")
        self.assertRegex(said, "^nbtwisted: error: NBTWISTED_STALL_MS='abc': expected")
        said = self.chosen(NBTWISTED_CLOCK="abc")
        self.assertRegex(said, "^nbtwisted: error: NBTWISTED_CLOCK='abc': expected")
        said = self.chosen(NBTWISTED_THREAD_CHECK="abc")
        self.assertIn("error: NBTWISTED_THREAD_CHECK='abc': expected 1, strict", said)

    def test_where_there_is_no_epoll(self) -> None:
        without = "import select; del select.epoll\n"
        self.assertEqual(self.chosen(before=without), "PollReactor")
        said = self.chosen("--reactor", "eager", before=without)
        self.assertIn("this platform has no epoll: expected Linux", said)

    def test_where_somebody_has_chosen(self) -> None:
        before = "from twisted.internet import selectreactor as r; r.install()\n"
        self.assertEqual(self.chosen(before=before), "SelectReactor")

    def test_the_commands_know_the_option(self) -> None:
        for module in ("nbtwisted.server", "nbtwisted.client"):
            ran = subprocess.run(
                [sys.executable, "-m", module, "--help"],
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            self.assertIn("--reactor NAME", ran.stdout)


class ClockTests(SynchronousTestCase):
    """A clock that is set moves no timer."""

    def ran(self, *how: str, **environment: str) -> str:
        ended = subprocess.run(
            [*BY_STEPS, "tests.reactor.timers_across_steps", *how],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env={**os.environ, **environment},
        )
        return ended.stdout.strip() or f"exit code {ended.returncode}: {ended.stderr}"

    def test_of_our_commands(self) -> None:
        self.assertEqual(self.ran("choose"), "soon")
        self.assertEqual(self.ran("choose", "--reactor", "select"), "soon")

    def test_of_other_programs_that_ask(self) -> None:
        for module in ("nbtwisted.reactor.eager", "nbtwisted.reactor.traced"):
            self.assertEqual(self.ran(module, TRIED_CLOCK="steady"), "soon")

    def test_a_clock_that_nobody_knows(self) -> None:
        said = self.ran("nbtwisted.reactor", TRIED_CLOCK="sundial")
        self.assertIn("NBTWISTED_CLOCK='sundial': expected steady or wall", said)

    def test_unix_time_unless_asked(self) -> None:
        # Many programs take it for the date.
        self.patch(os, "environ", {})
        reactor = EagerEPollReactor()
        self.addCleanup(reactor._poller.close)
        follow_environment(reactor)
        self.assertIs(reactor.seconds, time.time)
