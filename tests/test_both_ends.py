"""Server and client in one process, under pytest-twisted (`tests/both_ends.py`)."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

HERE = pathlib.Path(__file__).parent


class BothEndsTests(SynchronousTestCase):
    def test_in_a_process_of_their_own(self) -> None:
        # pytest-twisted leaves the reactor running, and a `ReactorCase` that the same
        # process runs later cannot start it: setup.cfg keeps it from other tests.
        pytest = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=-p no:xdist"]
        ran = subprocess.run(
            [*pytest, str(HERE / "both_ends.py")],
            cwd=HERE.parent,
            capture_output=True,
            text=True,
            timeout=50,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertIn("2 passed", ran.stdout)
