"""Draw the picture at the top of README.md, from a real run: `make pictures`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from server_beside import ServerBeside

CLIENT = [sys.executable, "-m", "nbtwisted.client"]
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "waterfall.svg"

OPTIONS = [
    *("-c", "10", "-L", "--retry", "3", "--retry-delay", "300ms"),
    *("--max-time", "3500ms", "--format", "body"),
]
PATHS = [
    *("/", "/", "/", "/"),
    "/get?_delay=lognormal(800ms,0.4)",
    "/get?_seq=503,503,200&_delay=300ms",
    "/redirect-to?url=/delay/1&_delay=600ms",
    "/get?_drip=1500ms/20&_delay=400ms",
    "/get?_fault=truncate&_delay=700ms",
    "/delay/9",
    "/bytes/9000?_rate=10kB&_delay=800ms",
    "/status/200?_delay=500ms",
]


def main() -> None:
    """Raises `SystemExit` with a message if there is no server."""
    with ServerBeside("--seed", "4") as server:
        url = server.url().rstrip("/")
        PICTURE.parent.mkdir(exist_ok=True)
        subprocess.run(
            [*CLIENT, *OPTIONS, "--report", str(PICTURE)] + [url + p for p in PATHS],
            stdout=subprocess.DEVNULL,
            check=False,
        )


if __name__ == "__main__":
    main()
