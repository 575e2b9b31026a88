"""`nbtwisted serve --har`: what it is told, and what it says."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import warm_start
from tests.server.har_entries import entry
from tests.server.running import BY_MODULE, BY_TWISTD, RunningServer

ASKED = b"GET /orders?page=1 HTTP/1.0\r\n\r\n"


class HARCommandTests(SynchronousTestCase):
    def har(self, *entries: Any) -> str:
        descriptor, path = tempfile.mkstemp(suffix=".har")
        self.addCleanup(os.unlink, path)
        with open(descriptor, "w") as file:
            json.dump({"log": {"entries": entries}}, file)
        return path

    def complaint(self, code: int, *arguments: str, **environment: str) -> str:
        """The only line that a server says which does not start."""
        done = warm_start.run(
            [*BY_MODULE, *arguments], timeout=20, env={**os.environ, **environment}
        )
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        (line,) = done.stderr.splitlines()
        return line

    def test_it_is_played(self) -> None:
        path = self.har(entry(status=201), entry(url="data:,"))
        for command in (BY_MODULE, BY_TWISTD):
            with RunningServer(command, NBTWISTED_HAR=path) as server:
                self.assertIn(b" 201 Created\r\n", server.ask(ASKED))
                left_out = f"{path}: 1 of 2 entries are left out: no HTTP"
                self.assertIn(left_out, server.output)

    def test_with_its_time(self) -> None:
        path = self.har(entry(timings={"wait": 60}))
        arguments = ("--har", path, "--timing", "recorded")
        with RunningServer([*BY_MODULE, *arguments]) as server:
            self.assertIn(b"asked;dur=60,", server.ask(ASKED))
        with RunningServer([*BY_MODULE, *arguments[:2]]) as server:
            self.assertIn(b"asked;dur=0,", server.ask(ASKED))

    def test_a_file_that_cannot_be_played(self) -> None:
        empty = self.har()
        self.assertEqual(
            self.complaint(1, "--har", empty),
            f"nbtwisted: error: --har: cannot play {empty}: there is no entry in it",
        )
        self.assertEqual(
            self.complaint(1, NBTWISTED_HAR="/nowhere/a.har"),
            "nbtwisted: error: NBTWISTED_HAR: cannot read /nowhere/a.har: No such file "
            "or directory",
        )
        many = self.har(*(entry(url=f"http://a/{n}") for n in range(10_000)))
        self.assertIn(
            f"cannot play {many}: at most 10000 rules",
            self.complaint(1, "--har", many, "--default", "_delay=1"),
        )
        slow = self.har(entry(timings={"wait": 301_000}))
        arguments = ("--har", slow, "--timing", "recorded")
        self.assertIn(
            "takes 301 s: expected at most 300", self.complaint(1, *arguments)
        )
        with RunningServer([*BY_MODULE, *arguments, "--max-delay", "301"]):
            pass

    def test_options(self) -> None:
        for arguments, expected in (
            (("--timing", "recorded"), "--timing: expected --har FILE beside it"),
            (("--har", "a", "--timing", "x"), "'x': expected none or recorded"),
            (("--har", "a", "--har", "b"), "--har: expected only one"),
            (("--har", ""), "--har: '': expected a value that is not empty"),
        ):
            self.assertIn(expected, self.complaint(2, *arguments))
