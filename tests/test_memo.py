"""The policy of memos: what is remembered, and for how long."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.memo import Memo


class MemoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(Memo, "is_on", True)
        self.steps: list[str] = []
        self.memo = Memo(self.step, fits=lambda given: len(given) < 5)

    def step(self, given: str) -> list[str]:
        self.steps.append(given)
        return [given, str(int(given, 16))]

    def test_what_came_twice_is_remembered(self) -> None:
        self.assertEqual(self.memo("a"), ["a", "10"])
        self.assertEqual(len(self.memo), 0)
        second = self.memo("a")
        self.assertEqual(len(self.memo), 1)
        self.assertIs(self.memo("a"), second)
        self.assertEqual(self.memo("b"), ["b", "11"])
        self.assertEqual(self.steps, ["a", "a", "b"])

    def test_what_does_not_fit_is_not(self) -> None:
        for text in ("1234", "12345"):
            for _ in range(4):
                self.memo(text)
        self.assertEqual(self.steps, ["1234"] * 2 + ["12345"] * 4)

    def test_errors_are_not(self) -> None:
        for _ in range(3):
            with self.assertRaises(ValueError):
                self.memo("x")
        self.assertEqual(self.steps, ["x"] * 3)
        self.assertEqual(len(self.memo), 0)

    def test_begins_anew_when_it_is_full(self) -> None:
        self.patch(Memo, "MOST", 3)
        for text in ("1", "1", "2", "2", "3", "3"):
            self.memo(text)
        self.assertEqual(len(self.memo), 3)
        self.memo("4")
        self.assertEqual(len(self.memo), 3)
        self.memo("4")
        self.assertEqual(len(self.memo), 1)

    def test_what_came_long_ago_came_for_the_first_time(self) -> None:
        self.patch(Memo, "MOST", 3)
        for text in ("1", "2", "3", "4", "1"):
            self.memo(text)
        self.assertEqual(len(self.memo), 0)
        self.memo("4")
        self.assertEqual(len(self.memo), 1)

    def test_off(self) -> None:
        self.patch(Memo, "is_on", False)
        for _ in range(3):
            self.assertEqual(self.memo("a"), ["a", "10"])
        self.assertEqual((self.steps, len(self.memo)), (["a"] * 3, 0))

    def test_the_suite_can_be_run_with_all_of_them_off(self) -> None:
        # As `make memos-off` does: whatever else of ours is set is not for the tests.
        for switch, is_on in (("off", "False"), ("on", "True")):
            environment = {**os.environ, "NBTWISTED_MEMOS": switch}
            environment.pop("NBTWISTED_TESTS", None)
            told = subprocess.run(
                [
                    *(sys.executable, "-c"),
                    "import tests, nbtwisted.memo as memo; print(memo.Memo.is_on)",
                ],
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
                text=True,
                timeout=60,
            )
            self.assertEqual(told.stdout.strip(), is_on)
