"""A real server in a process of its own, and plain sockets to ask it with."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType

from typing_extensions import Self

from tests import warm_start

BY_MODULE = (
    *(sys.executable, "-m", "nbtwisted.server"),
    *("--listen", "tcp:0:interface=127.0.0.1"),
)
BY_TWISTD = (
    *(sys.executable, "-m", "twisted", "web"),
    *("--class=nbtwisted.server.resource", "--listen", "tcp:0:interface=127.0.0.1"),
)
# Ours says "serving on http://127.0.0.1:8000/", twistd "Site starting on 8000".
_READY = re.compile(r"serving on http://127\.0\.0\.1:(\d+)/|Site starting on (\d+)")


class RunningServer:
    """Starts `command` and waits for its ready line; as a context, ends it."""

    ready = _READY
    """The line, with the port."""

    def __init__(self, command: Sequence[str] = BY_MODULE, **environment: str) -> None:
        self.process = warm_start.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        self.output = ""
        for line in self.process.stdout:
            self.output += line
            if ready := self.ready.search(line):
                self.port = int(ready[ready.lastindex or 0])
                break
        else:
            self.process.wait()
            raise AssertionError(f"no ready line, but:\n{self.output}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def next_line(self) -> str:
        """What it prints next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.output += line
        return line

    def connect(self) -> socket.socket:
        """A connected socket, on which nothing blocks for ever."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, request: bytes) -> bytes:
        """Send raw bytes; everything that comes back until the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)

    def stop(self, by: int = signal.SIGTERM) -> int:
        """End the process; its exit code. `output` is then all that it printed."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        assert self.process.stdout is not None
        with self.process.stdout as rest:
            self.output += rest.read()
        return self.process.wait(timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.process.stdout or not self.process.stdout.closed:
            self.stop(signal.SIGKILL)


def read_all(connection: socket.socket) -> bytes:
    """Everything that comes until the other end closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def open_descriptors(process: int) -> int:
    """How many file descriptors a process has open."""
    return len(os.listdir(f"/proc/{process}/fd"))
