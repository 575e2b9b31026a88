"""A plugin of pytest that writes into its report which rules a test gave its server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nbtwisted.testing.rules import RuleInForce, TakesRules


@pytest.fixture(autouse=True)
def rules_given(
    monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    give = TakesRules.rule

    def rule(server: TakesRules, **fields: Any) -> RuleInForce:
        given = give(server, **fields)
        newest = server.rules()[0]
        record_property("rule", json.dumps(newest["rule"]))
        return given

    monkeypatch.setattr(TakesRules, "rule", rule)
