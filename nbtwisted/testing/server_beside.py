"""Servers in a process beside the one that asks for them.

One process has all of them, because a new one takes 0.3 s and a new port milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, Any

from nbtwisted.server.model.fault_port import FaultPort, check_kind
from nbtwisted.testing.fault_proxy import FaultProxy
from nbtwisted.testing.operated import SECONDS_TO_ANSWER, OperatedServer

__all__ = ["ServerProcess", "ServerProcessDied", "SlowServer"]

SECONDS_TO_START = 30
"""The same for the first answer: it has yet to import what it needs."""

LINES_SHOWN = 10
"""Of what a process that died has said on stderr."""

SECONDS_TO_END = 2
"""That it has when nobody wants it any more."""


class SlowServer(OperatedServer):
    """A server beside a test, which takes rules. `url` has no slash at its end."""

    def __init__(self, port: int, seed: int, process: ServerProcess) -> None:
        super().__init__(port, seed)
        self._process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def __repr__(self) -> str:
        return f"<SlowServer {self.url} seed={self.seed}>"

    def fault_port(self, kind: str) -> FaultPort:
        """Open a port whose connections fail, which is closed with the server.

        `docs/server.md` has the kinds. The port has a `kind`, a `host`, a `port`, a
        `url` (without a slash at its end) and, if it has TLS, a `ca_pem`. Raises
        `ValueError` for a kind that there is not, and `OSError` where it cannot be.
        """
        check_kind(kind)
        return self._process.open_fault_port(self, kind)


class ServerProcessDied(Exception):
    """The process of the servers has died, or had to be killed; says why."""


class ServerProcess:
    """The process of the servers, which begins to start at once.

    `outlived_by` are the PIDs of those, besides us, who end after it.
    """

    def __init__(self, *outlived_by: int) -> None:
        self._outlived_by = outlived_by
        self._is_over = False
        self._open: set[SlowServer | FaultProxy] = set()
        self._start()

    def open(self, **settings: Any) -> SlowServer:
        """Have a server opened; raises `ServerProcessDied`.

        The settings are `rules` and `default`, as `server_with_rules` has them, and
        those of `DelayServer`: `seed`, `max_delay`, `max_in_flight` and `lenient`.
        Raises `ValueError` for rules that cannot be read. If the process has been
        stopped, a new one starts.
        """
        answer = self._ask_for({"open": settings})
        server = SlowServer(answer["port"], settings["seed"], self)
        self._open.add(server)
        return server

    def open_proxy(self, upstream: str, **settings: Any) -> FaultProxy:
        """Have a proxy opened in front of an upstream; raises `ServerProcessDied`.

        The settings are those of `opened_proxy`, and `seed`. Raises `ValueError` for
        those that cannot be, and for an upstream that cannot be read.
        """
        ports = self._ask_for({"proxy": {"upstream": upstream, **settings}})
        proxy = FaultProxy(upstream, settings["seed"], ports)
        self._open.add(proxy)
        return proxy

    def _ask_for(self, what: dict[str, Any]) -> dict[str, Any]:
        answer = self._tell(what)
        if "refused" in answer:
            raise ValueError(answer["refused"])
        return answer

    def open_fault_port(self, server: SlowServer, kind: str) -> FaultPort:
        """Have a port opened beside a server's own.

        Raises `OSError` where it cannot be, and `ServerProcessDied`.
        """
        if server not in self._open:
            raise ServerProcessDied("the process of this slow server has ended")
        answer = self._tell({"fault_port": kind, "of": server.port})
        if "refused" in answer:
            raise OSError(answer["refused"])
        return FaultPort(**answer)

    def close(self, server: SlowServer | FaultProxy) -> None:
        """Have a server or a proxy closed; raises `ServerProcessDied`.

        Nothing is to be done if its process has ended since.
        """
        if server in self._open:
            self._open.remove(server)
            self._tell({"close": server.port})

    def stop(self) -> str:
        """End the process; returns what it complained of."""
        if self._is_over:
            return ""
        self._is_over = True
        self._open.clear()
        with contextlib.suppress(BrokenPipeError):
            self._told.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            # It hangs.
            self._process.kill()
            self._process.wait()
        self._answers.close()
        with self._complaints:
            self._complaints.seek(0)
            return self._complaints.read()

    def _start(self) -> None:
        # A file, because nobody reads a pipe while the tests run.
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115
        parents = map(str, (os.getpid(), *self._outlived_by))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nbtwisted.testing.server_process", *parents],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
            # Ctrl-C is for the tests; the end of stdin is for this.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._told, self._answers = self._process.stdin, self._process.stdout
        self._patience = SECONDS_TO_START
        self._is_over = False

    def _tell(self, what: dict[str, Any]) -> dict[str, Any]:
        """Returns the answer to an order; raises `ServerProcessDied`."""
        if self._is_over:
            self._start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self._told.write(json.dumps(what).encode() + b"\n")
            line = _line(self._answers, self._patience)
        except TimeoutError:
            self._process.kill()
            complaints = self.stop()
            why = f"did not answer within {self._patience} s, and was killed"
        except BaseException:
            # Ctrl-C, or a test's own timeout: by the next time, the answer to this
            # would be taken for that one's.
            self._process.kill()
            self.stop()
            raise
        else:
            if line:
                self._patience = SECONDS_TO_ANSWER
                answer: dict[str, Any] = json.loads(line)
                return answer
            complaints = self.stop()
            why = f"died: {_how(self._process.returncode)}"
        last = complaints.splitlines()[-LINES_SHOWN:]
        raise ServerProcessDied("\n".join([f"the slow server {why}", *last]))


def _line(stream: IO[bytes], seconds: float) -> bytes:
    """The next line, or nothing at the stream's end; raises `TimeoutError`."""
    line = b""
    give_up = time.monotonic() + seconds
    ready = select.poll()
    ready.register(stream, select.POLLIN)
    while not line.endswith(b"\n"):
        left = give_up - time.monotonic()
        if left <= 0 or not ready.poll(left * 1000):
            raise TimeoutError
        some = os.read(stream.fileno(), 4096)
        if not some:
            return b""
        line += some
    return line


def _how(exit_code: int) -> str:
    """How a process has ended."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"killed by signal {-exit_code}"
