"""docs/client.md says how a request can end: by which errors, and their exit codes."""

from __future__ import annotations

import pathlib
import re

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client import errors

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "client.md"
ROW = re.compile(r"^\| ((?:`[a-z ]+`(?:, )?)+) \| (`[A-Z].*?`) \| .* \| ([\d, ]+) \|$")


class ErrorTests(SynchronousTestCase):
    def test_the_page_has_each_with_its_phase_and_exit_code(self) -> None:
        phases: dict[str, str] = {}
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            if row := ROW.match(line):
                for name in re.findall(r"\w+", row[2]):
                    phases[name] = phases.get(name, "") + row[1]
                    code = str(vars(errors)[name].exit_code)
                    self.assertIn(code, re.findall(r"\d+", row[3]), name)
        self.assertEqual(set(phases), set(errors.__all__) - {"RequestError"})
        for name, found in phases.items():
            self.assertIn(f"`{vars(errors)[name].phase}`", found)
