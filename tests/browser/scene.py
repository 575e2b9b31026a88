"""A server that is watched, and what there is to say of the live page."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

from playwright.sync_api import Page, expect

from tests.proxy.running import RunningProxy
from tests.server.running import RunningServer

__all__ = ["GONE", "Scene", "listening_on", "rows", "says", "watched"]

GONE = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET")
"""What Chromium says of a server that is gone; nobody can keep it from saying so."""


class Scene:
    """A server, and clients on plain sockets that wait for its answers."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.url = f"{server.url}__admin/live"
        self.clients: list[socket.socket] = []

    def ask(self, *targets: str) -> socket.socket:
        for target in targets:
            client = self.server.connect()
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
            self.clients.append(client)
        return client

    def operate(
        self, method: str, path: str, given: object = None, **headers: str
    ) -> Any:
        """What an operator is answered, by JSON."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, f"/__admin/{path}", json.dumps(given), headers)
            answer = connection.getresponse()
            told = json.load(answer)
            assert answer.status < 300, told
            return told
        finally:
            connection.close()

    def rules(self, *given: dict[str, Any]) -> None:
        """Set these rules, in this order."""
        self.operate("PUT", "rules", {"rule": given})

    def status(self, target: str) -> int:
        """The status with which a request is answered at once."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request("GET", target)
            return connection.getresponse().status
        finally:
            connection.close()

    def leave(self) -> None:
        for client in self.clients:
            client.close()


def listening_on(port: int, *options: str) -> RunningServer:
    listen = ("--listen", f"tcp:{port}:interface=127.0.0.1")
    return RunningServer((sys.executable, "-m", "nbtwisted.server", *listen, *options))


def rows(page: Page, text: str = "") -> Any:
    return page.locator("#rows li", has_text=text)


def says(page: Page, element: str, text: str) -> None:
    expect(page.locator(element)).to_contain_text(text)


def watched(proxy: RunningProxy, open_page: Callable[..., Page], **how: Any) -> Page:
    """The live page of a proxy."""
    url = f"http://127.0.0.1:{proxy.operators_port}/__admin/live"
    # The proxy ends before its page.
    page = open_page(url, complaints=GONE, **how)
    says(page, "#connection", "connected")
    return page
