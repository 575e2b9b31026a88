"""What was recorded is played in its own time, on this machine: `make replay`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pages import ROOT

pytestmark = pytest.mark.timeout(180)
"""Seconds: a try takes 7, and there may be five."""

TRIES = 5
"""Other programs run meanwhile, and hold one or the other up."""

PHASES = ("dns", "connect", "ssl", "send", "wait", "receive")
"""What a server has a part in.

Not `blocked`, which is the client's own: after a 503 it sends one request after another
to a host, and who is next depends on the waits that it draws before it tries again.
"""

Attempts = dict[tuple[int, int], dict[str, Any]]


def attempts(path: Path) -> Attempts:
    """The entries of a HAR, but for those that were sent again at once."""
    entries = json.loads(path.read_text())["log"]["entries"]
    found: Attempts = {}
    for entry in sorted(
        entries, key=lambda entry: (entry["_index"], entry["_attempt"])
    ):
        if entry.get("_then") != "resend":
            number = sum(index == entry["_index"] for index, _ in found)
            found[entry["_index"], number] = entry
    return found


def outcome(entry: dict[str, Any]) -> Any:
    """How an attempt ended."""
    response = entry["response"]
    content = response["content"]
    error = entry.get("_error", {}).get("type")
    return response["status"], error, content["mimeType"], content.get("text")


def differences(recorded: Attempts, played: Attempts) -> dict[str, str]:
    """The phases that differ by more than 20 ms and by more than 10 %."""
    assert recorded.keys() == played.keys()
    found = {}
    for place, before in recorded.items():
        after = played[place]
        assert outcome(before) == outcome(after), before["request"]["url"]
        for phase in PHASES:
            then, now = (max(e["timings"][phase], 0) for e in (before, after))
            if abs(then - now) > max(20, then / 10):
                found[f"{place} {phase}"] = f"{then} ms, and then {now} ms"
    return found


def test_the_waterfalls_agree(tmp_path: Path) -> None:
    left: dict[str, str] | None = None
    for number in range(TRIES):
        folder = tmp_path / str(number)
        example = [sys.executable, str(ROOT / "examples" / "replay.py"), str(folder)]
        subprocess.run(example, check=True, timeout=60)
        recorded = attempts(folder / "recorded.har")
        assert len(recorded) == 17
        found = differences(recorded, attempts(folder / "played.har"))
        # What is held up in one run is not in another.
        left = {p: said for p, said in found.items() if left is None or p in left}
        if not left:
            return
    raise AssertionError(f"what agrees in none of {TRIES} runs: {left}")
