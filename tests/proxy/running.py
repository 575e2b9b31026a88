"""A real proxy in a process of its own, and upstreams to put behind it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from typing import Any

from tests import warm_start
from tests.server.running import RunningServer, read_all

__all__ = ["Echo", "RunningProxy", "received", "run"]

BY_MODULE = (sys.executable, "-m", "nbtwisted.proxy")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, which comes soon when it is told something wrong."""
    return warm_start.run(
        [*BY_MODULE, *arguments], timeout=20, env={**os.environ, **environment}
    )


class RunningProxy(RunningServer):
    """A proxy on a free port, and operators' port; as a context, it is ended."""

    ready = re.compile(r"operators at http://127\.0\.0\.1:(\d+)/")

    def __init__(self, *arguments: str, **environment: str) -> None:
        super().__init__([*BY_MODULE, *arguments], **environment)
        self.operators_port = self.port
        ports = re.findall(r"proxying \S+:(\d+)/? to ", self.output)
        if ports:
            self.port = int(ports[0])

    def operators(self, method: str, path: str, given: Any = None) -> Any:
        """What an operator is answered."""
        body = b"" if given is None else json.dumps(given).encode()
        head = f"{method} {path} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        address = ("127.0.0.1", self.operators_port)
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(head.encode() + body)
            answer = read_all(connection)
        return json.loads(answer.partition(b"\r\n\r\n")[2])


class Echo:
    """An upstream that sends back what it gets, until the client has ended."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def close(self) -> None:
        # Another thread that waits in accept() does not notice a close().
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=[connection], daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    data = connection.recv(65536)
                    connection.sendall(data)
                except OSError:
                    return
                if not data:
                    return


def received(client: socket.socket, size: int) -> bytes:
    """So many bytes, in however many pieces they come."""
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise AssertionError(f"the end after {data!r}")
        data += piece
    return data
