"""Record a run, have it played, and ask for the same again: two pictures alike.

Writes `recorded.har` and `recorded.svg`, `played.har` and `played.svg`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from server_beside import ServerBeside

CLIENT = [sys.executable, "-m", "nbtwisted.client"]

OPTIONS = [
    *("-c", "20", "-L", "--retry", "2", "--retry-delay", "50ms"),
    *("--format", "body", "--no-progress", "-i", "-"),
]
# Of this one nothing comes. The others may take as long as a busy machine does.
STALL = "/get?_fault=stall"
PATHS = [
    "/delay/1",
    "/get?_delay=lognormal(600ms,0.4)",
    "/get?_drip=800ms/20&_delay=300ms",
    "/bytes/9000?_rate=10kB&_delay=500ms",
    "/sse?count=4&duration=1500ms",
    "/get?_seq=503,503,200&_delay=250ms",
    "/redirect-to?url=/delay/800ms&_delay=400ms",
    "/get?_fault=truncate&_delay=150ms&_drip=300ms/9",
    "/get?_fault=malformed-chunk&_delay=700ms",
    STALL,
    "/status/404?_delay=900ms",
    "/status/204?_delay=150ms",
]


def run(name: str, folder: Path, *options: str) -> None:
    """Ask a server of these options, and write down what came of it."""
    har, picture = folder / f"{name}.har", folder / f"{name}.svg"
    with ServerBeside(*options) as server:
        url = server.url().rstrip("/")
        jobs = [
            {"url": url + path, "max_time": 2.5 if path == STALL else 30}
            for path in PATHS
        ]
        subprocess.run(
            [*CLIENT, *OPTIONS, "--har", str(har), "--report", str(picture)],
            input="\n".join(map(json.dumps, jobs)),
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def main() -> None:
    """Raises `SystemExit` with a message if there is no server."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/replay")
    folder.mkdir(parents=True, exist_ok=True)
    run("recorded", folder, "--seed", "4")
    run("played", folder, "--har", str(folder / "recorded.har"), "--timing", "recorded")


if __name__ == "__main__":
    main()
