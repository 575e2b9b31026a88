"""Which reactor a command runs on."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

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
        self.assertIn("eager, epoll", said)

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
