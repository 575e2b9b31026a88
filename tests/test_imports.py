"""The modules whose docstrings say "Pure" are those that the linter holds to it."""

from __future__ import annotations

import ast
import configparser
import pathlib
import re
import unittest

from twisted.trial.unittest import SynchronousTestCase

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "nbtwisted"


def modules_that_call_themselves_pure() -> set[str]:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(r"\bPure\b", docstring or ""):
            found.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return found


@unittest.skipUnless((ROOT / "setup.cfg").exists(), "no checkout")
class PureTests(SynchronousTestCase):
    def test_the_linter_checks_what_docstrings_claim(self) -> None:
        settings = configparser.ConfigParser()
        settings.read(ROOT / "setup.cfg", encoding="utf-8")
        named = settings["importlinter:contract:pure"]["source_modules"].split()
        checked = set()
        for name in named:
            path = ROOT.joinpath(*name.split("."))
            # With a package, the linter checks all that is in it.
            modules = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
            checked |= {
                ".".join(module.relative_to(ROOT).with_suffix("").parts)
                for module in modules
            }
        self.assertEqual(modules_that_call_themselves_pure(), checked)
