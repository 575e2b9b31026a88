"""Start a server on a free port, send it five GETs at once, stop it, say what is next.

Each of the answers waits 1, 2 or 3 seconds, and they all wait at the same time.
`make run` runs this.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from server_beside import ServerBeside

from nbtwisted.command_line import end_quietly_when_interrupted, say
from nbtwisted.reactor.choosing import choose

REPORT = Path(__file__).parents[1] / "build" / "report.html"
# Beside the Python that runs this: in .venv, which is not on everybody's path.
NBTWISTED = Path(sys.executable).with_name("nbtwisted")


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
        try:
            client(
                ["--noproxy", "*", "--timeline", "--report", os.path.relpath(REPORT)]
            )
        except SystemExit as end:
            if not end.code:
                say(f"Learn how this works: {os.path.relpath(NBTWISTED)} study")
            raise


if __name__ == "__main__":
    main()
