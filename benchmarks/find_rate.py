"""That `--find-rate` finds rates that are known, of our own server with a limit.

`python -m benchmarks.find_rate`, or `make find-rate`: one server lets 200 requests a
second pass (`_limit`), and one holds 60 at once for 0.3 s each
(`--max-in-flight`), which are 200 a second as well. What is beyond gets a 429 or a 503.
Exits with 1 if a search is off by more than `CLOSE`, and again when it is repeated:
machines that run this are busy, and a busy one finds how busy it is.

A server that lets bursts through takes more for a short time than for long: `_limit`
begins with 200 to spare. So there is no pause between two trials, in which it would
have them again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.server.running import BY_MODULE, RunningServer

KNOWN = 200
CLOSE = 0.05
TRIAL = ("-q", "180", "--warmup", "0.5")
LOAD = (sys.executable, "-m", "nbtwisted.load", "--json", "-")
ATTEMPTS = 3
LONGEST = 300
"""Seconds: a search that takes as long is over by itself."""


@dataclass(frozen=True)
class Search:
    """A search that goes on in a process of its own."""

    name: str
    process: subprocess.Popen[str]

    @classmethod
    def begin(cls, name: str, url: str, *options: str) -> Search:
        """Begin."""
        told = [*LOAD, *TRIAL, *options, "--find-rate", "non2xx<1%", url]
        return cls(name, subprocess.Popen(told, stdout=subprocess.PIPE, text=True))

    def end(self) -> bool:
        """Wait for it and say what it found; whether that is right."""
        printed, _ = self.process.communicate(timeout=LONGEST)
        found = json.loads(printed)["found_rate"]
        rate = found["rate"]
        is_right = rate is not None and abs(rate / KNOWN - 1) <= CLOSE
        print(
            f"{self.name:<16} found {rate}/s, known {KNOWN}/s: "
            f"{'right' if is_right else 'WRONG'} ({len(found['trials'])} trials, "
            f"confidence {found['confidence']:.0%})",
            flush=True,
        )
        if not is_right:
            for trial in found["trials"]:
                print(f"  {trial['rate']:>8}/s  {trial['verdict']}: {trial['shown']}")
        return is_right


def main() -> None:
    """Raises `SystemExit`."""
    began = time.monotonic()
    full = (*BY_MODULE, "--max-in-flight", "60")
    with RunningServer() as limited, RunningServer(full) as holding:
        held = f"{holding.url}?_delay=300ms"
        left = [
            ("_limit=200/1s", f"{limited.url}?_delay=0&_limit=200/1s", "-z", "2"),
            ("--max-in-flight", held, "-z", "1.5", "-c", "200"),
        ]
        for _ in range(ATTEMPTS):
            searches = [(told, Search.begin(*told)) for told in left]
            left = [told for told, search in searches if not search.end()]
            if not left:
                break
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
