"""Start a server on a free port, send it five GETs at once, and stop it.

Each of the answers waits 1, 2 or 3 seconds, and they all wait at the same time.
`make run` runs this.
"""

from __future__ import annotations

import os
import subprocess
import sys

SERVER = [sys.executable, "-m", "nbtwisted.server"]
FREE_LOOPBACK_PORT = "tcp:0:interface=127.0.0.1"


def main() -> None:
    """Raises `SystemExit` with the client's exit code."""
    with subprocess.Popen(
        [*SERVER, "--listen", FREE_LOOPBACK_PORT], stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            # While the server starts in its process, the client loads in this one.
            from nbtwisted.client.command import main as client

            assert server.stderr is not None
            ready_line = server.stderr.readline()
            os.environ["NBTWISTED_URL"] = ready_line.split()[-1]
            client(["--timeline"])
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
