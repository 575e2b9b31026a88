"""Programs that know nothing of rules meet what their `rules.toml` says."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest
import urllib.parse
import urllib.request
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.rules.reading import Reading, no_file
from nbtwisted.server.rules.rule_set import RuleSet
from nbtwisted.server.rules.text import parse_text
from tests.pages import ROOT, SHOWN_PORT, blocks
from tests.server.running import RunningServer

SERVE = [sys.executable, "-m", "nbtwisted", "serve", "--port", "0", "--seed", "1"]
PATH = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"

# How requests end: status, fault and outcome.
ANSWERED = (200, None, "answered")
PAID = (201, None, "answered")
UNAVAILABLE = (503, None, "answered")
RESET = (None, "reset", "broken")


class ExampleTests(SynchronousTestCase):
    def run_example(self, name: str) -> dict[str, list[tuple[Any, ...]]]:
        """Run what the README of an example shows.

        Returns how the requests of each rule ended.
        """
        folder = ROOT / "examples" / name
        [block] = blocks(f"examples/{name}/README.md", "console")
        prompt, _, expected = block.removeprefix("$ ").partition("\n")
        with RunningServer([*SERVE, "--rules", str(folder / "rules.toml")]) as server:
            address = f"127.0.0.1:{server.port}"
            printed = subprocess.run(
                prompt.replace(SHOWN_PORT, address),
                shell=True,
                cwd=folder,
                env={**os.environ, "PATH": PATH, "PYTHONUTF8": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                timeout=30,
                check=False,
            ).stdout
            self.assertEqual(printed, expected)
            rules = [rule["name"] for rule in _asked(server, "rules")["rules"]]
            return {rule: _ends(server, rule) for rule in rules}

    def test_orders(self) -> None:
        self.assertEqual(
            self.run_example("orders"),
            {
                "order 17 is slow": [ANSWERED],
                "order 18 recovers": [RESET, UNAVAILABLE, ANSWERED],
                "no other order is found": [UNAVAILABLE] * 4,
            },
        )

    def test_payments(self) -> None:
        self.assertEqual(
            self.run_example("payments"),
            {
                "order 17 is paid slowly": [PAID],
                "order 18 is paid at last": [
                    (None, "stall", "cancelled"),
                    (None, "empty", "broken"),
                    UNAVAILABLE,
                    PAID,
                ],
                "no other order is paid": [RESET] * 4,
                "a payment without a key": [],
            },
        )

    def test_weather(self) -> None:
        self.assertEqual(
            self.run_example("weather"),
            {
                "London is too slow": [(None, None, "cancelled")],
                "Oslo breaks off": [(200, "truncate", "broken")],
                "Lima recovers": [(429, None, "answered"), ANSWERED],
                "other cities come drop by drop": [ANSWERED],
            },
        )

    @unittest.skipIf(shutil.which("curl") is None, "there is no curl")
    def test_downloads(self) -> None:
        self.assertEqual(
            self.run_example("downloads"),
            {
                "the report is slow": [ANSWERED],
                "the notes recover": [
                    (200, "truncate", "broken"),
                    (200, "stall-body", "cancelled"),
                    UNAVAILABLE,
                    ANSWERED,
                ],
                "the rest fails": [(500, None, "answered")] * 4,
            },
        )

    def test_health(self) -> None:
        if not _node_has_undici():
            self.skipTest("there is no Node, or one without fetch")
        late = (None, None, "cancelled")
        self.assertEqual(
            self.run_example("health"),
            {
                "the service goes down and comes back": [
                    *(ANSWERED, ANSWERED, late, late, RESET, RESET),
                    *(UNAVAILABLE, UNAVAILABLE, ANSWERED, ANSWERED),
                ]
            },
        )

    def test_rules_of_the_demo(self) -> None:
        text = (ROOT / "examples" / "demo.toml").read_text()
        rules = RuleSet(parse_text(text, Reading(300.0, no_file)))
        self.assertEqual(len(rules.rules), 4)
        self.assertEqual(list(rules.warnings), [])


def _node_has_undici() -> bool:
    if shutil.which("node") is None:
        return False
    code = 'process.exit(typeof fetch === "function" ? 0 : 1)'
    return subprocess.run(["node", "-e", code], check=False).returncode == 0


def _ends(server: RunningServer, rule: str) -> list[tuple[Any, ...]]:
    requests = _asked(server, "requests", rule=rule)["requests"]
    return [(each["status"], each["fault"], each["outcome"]) for each in requests]


def _asked(server: RunningServer, what: str, **query: str) -> Any:
    url = f"{server.url}__admin/{what}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
