"""Start a server on a free port, send it five GETs at once, and stop it.

Each of the answers waits 1, 2 or 3 seconds, and they all wait at the same time.
`make run` runs this.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from server_beside import ServerBeside

from nbtwisted.command_line import end_quietly_when_interrupted
from nbtwisted.reactor.choosing import choose

REPORT = Path(__file__).parents[1] / "build" / "report.html"


def main() -> None:
    """Raises `SystemExit` with the client's exit code, or 1 if there is no server."""
    end_quietly_when_interrupted()
    # Whatever ends this process until the client sees to it also ends the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ServerBeside() as server:
        # While the server starts in its process, the client loads in this one.
        choose([])
        from nbtwisted.client.command import main as client

        os.environ["NBTWISTED_URL"] = server.url()
        REPORT.parent.mkdir(exist_ok=True)
        client(["--timeline", "--report", os.path.relpath(REPORT)])


if __name__ == "__main__":
    main()
