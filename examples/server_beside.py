"""A server on a free port beside a program, which ends with it: for other examples."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType

SERVER = [sys.executable, "-m", "nbtwisted.server"]
FREE_LOOPBACK_PORT = "tcp:0:interface=127.0.0.1"


class ServerBeside:
    """Started at once; as a context, ended at its end."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [*SERVER, "--listen", FREE_LOOPBACK_PORT, *options],
            stderr=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        """Where it serves, as soon as it does; raises `SystemExit` if it does not."""
        assert self._process.stderr is not None
        said = ""
        for line in self._process.stderr:
            if "serving on" in line:
                return line.split()[-1]
            said += line
        sys.exit(said.strip() or "the server did not start")

    @property
    def has_ended(self) -> bool:
        """Whether it has, by itself or by somebody."""
        return self._process.poll() is not None

    def __enter__(self) -> ServerBeside:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        with self._process:
            pass
