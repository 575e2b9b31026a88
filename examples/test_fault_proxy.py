"""Tests of code whose servers are real, behind a proxy that makes them fail."""

import socket
import socketserver
import threading
from collections.abc import Iterator

import httpx
import pytest

from nbtwisted.pytest_plugin import FaultProxyFactory, SlowServer


class Stock(socketserver.StreamRequestHandler):
    """Stands for a database."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(b"7 " + line)


@pytest.fixture
def stock() -> Iterator[tuple[str, int]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Stock) as server:
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        yield ("127.0.0.1", server.server_address[1])
        server.shutdown()


def in_stock(host: str, port: int, article: str) -> str:
    """What is under test: it asks again when its connection breaks."""
    for _ in range(3):
        try:
            with socket.create_connection((host, port), timeout=10) as connection:
                connection.sendall(f"{article}\n".encode())
                with connection.makefile() as lines:
                    return lines.readline()
        except OSError:
            continue
    return ""


def test_a_connection_that_is_cut(
    stock: tuple[str, int], fault_proxy: FaultProxyFactory
) -> None:
    proxy = fault_proxy(stock)
    proxy.rule(steps=[{"fault": "reset", "after": "3B"}, {}])
    assert in_stock(proxy.host, proxy.port, "bolts") == "7 bolts\n"
    assert [link["state"] == "reset" for link in proxy.links()] == [True, False]


def test_an_answer_that_comes_too_late(
    slow_server: SlowServer, fault_proxy: FaultProxyFactory
) -> None:
    proxy = fault_proxy(slow_server.url)
    with proxy.rule(path="/get", delay="10s"), pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{proxy.url}/get", timeout=0.1)
    assert httpx.get(f"{proxy.url}/get").status_code == 200
