"""Each test of the cookbook catches the client that has the bug, and no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.rules.reading import Reading
from nbtwisted.server.rules.text import parse_text
from tests.pages import ROOT

pytestmark = pytest.mark.timeout(300)
"""Seconds: all recipes together have taken 97 on a machine with far too much to do."""

# The errors of a test that is itself wrong.
MISTAKES = ("AttributeError", "ImportError", "ModuleNotFound", "NameError", "TypeError")

Rules = list[Mapping[str, Any]]


class Entry(NamedTuple):
    """An entry of the page: the name of its test, the test, and its rules."""

    name: str
    test: str
    rules: Rules


class Outcome(NamedTuple):
    """A test was run: why it failed, if it did, and the rules that it gave."""

    failure: str
    rules: Rules


class CookbookTests(SynchronousTestCase):
    def test_each_test_fails_with_the_wrong_client_alone(self) -> None:
        # All of them in one test: one process runs them.
        entries = list(_entries())
        with TemporaryDirectory() as folder:
            outcomes = _run(entries, Path(folder))
        clients = [(e.name, client) for e in entries for client in ("wrong", "right")]
        self.assertEqual(sorted(outcomes), sorted(clients))
        for entry in entries:
            right = outcomes[entry.name, "right"]
            self.assertEqual(right.failure, "", entry.name)
            self.assertEqual(right.rules, entry.rules, entry.name)
            wrong = outcomes[entry.name, "wrong"]
            self.assertNotEqual(wrong.failure, "", f"{entry.name} does not catch it")
            self.assertFalse(wrong.failure.startswith(MISTAKES), wrong.failure)

    def test_the_table_has_all_entries(self) -> None:
        rows = re.findall(r"^\| \[(.*)\]\(#(.*)\) \|", _page(), re.M)
        titles = re.findall(r"^### (.*)$", _page(), re.M)
        slugs = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
        links = [slug.replace(" ", "-") for slug in slugs]
        self.assertEqual(rows, list(zip(titles, links, strict=True)))


def _page() -> str:
    return (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")


def _entries() -> Iterator[Entry]:
    """The entries that this machine can run."""
    for text in re.split(r"^### ", _page(), flags=re.M)[1:]:
        title = text.partition("\n")[0]
        name = "test_" + re.sub(r"\W+", "_", title.lower()).strip("_")
        [test] = _blocks(text, "python")
        if "curl" in test and shutil.which("curl") is None:
            continue
        rules = [
            rule.source
            for block in _blocks(text, "toml")
            for rule in parse_text(block, Reading(300.0, _no_file))
        ]
        yield Entry(name, test, [_comparable(rule) for rule in rules])


def _run(entries: Iterable[Entry], folder: Path) -> Mapping[tuple[str, str], Outcome]:
    """Run the tests of all entries; returns their outcomes, by name and client."""
    shutil.copy(ROOT / "examples" / "pytest.ini", folder)
    for entry in entries:
        (folder / f"{entry.name}.py").write_text(entry.test, encoding="utf-8")
    report = ["--junit-xml=report.xml", "-p", "tests.rules_given"]
    printed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *report],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Before pytest takes this process for one that hangs.
        timeout=290,
        check=False,
    ).stdout
    outcomes = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        test = re.fullmatch(r"test_\w+\[(\w+)\]", case.attrib["name"])
        if test is None or case.find("error") is not None:
            raise AssertionError(printed)
        problem = case.find("failure")
        failure = "" if problem is None else problem.attrib["message"]
        rules = [json.loads(rule.attrib["value"]) for rule in case.iter("property")]
        outcomes[case.attrib["classname"], test[1]] = Outcome(
            failure, [_comparable(rule) for rule in rules]
        )
    return outcomes


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def _comparable(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """A rule without its name, and with the port that the page shows."""
    text = re.sub(r"localhost:\d+", "localhost:8000", json.dumps(rule))
    fields: Mapping[str, Any] = json.loads(text)
    return {name: value for name, value in fields.items() if name != "name"}


def _no_file(name: str) -> bytes:
    raise ValueError("no file")
