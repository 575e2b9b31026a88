"""A real nginx behind a proxy, in HTTP mode and in TCP mode: `make real`."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

import pytest

from tests.proxy.real_servers import FILE_SIZE, RealServer, missing, nginx, until
from tests.proxy.ruled_proxy import RuledProxy

ABSENT = missing("nginx")
pytestmark = pytest.mark.skipif(ABSENT is not None, reason=ABSENT or "")

LARGE = bytes(range(250)) * (FILE_SIZE // 250)
CUT = (HTTPException, ConnectionError)
"""What http.client raises for an answer that is not whole."""


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    with nginx() as running:
        yield running


@pytest.fixture
def proxy(server: RealServer) -> Iterator[RuledProxy]:
    with RuledProxy(f"http://{server.address}") as running:
        yield running


@pytest.fixture
def tcp_proxy(server: RealServer) -> Iterator[RuledProxy]:
    with RuledProxy(f"tcp://{server.address}") as running:
        yield running


class Client:
    """A connection that is used again and again."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(
        self, path: str, *, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        """The answer, and its body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, named)
        answer = self.connection.getresponse()
        return answer, answer.read()

    def seconds(self, path: str) -> float:
        """How long an answer takes."""
        began = time.monotonic()
        answer, _ = self.ask(path)
        assert answer.status == 200
        return time.monotonic() - began


@contextmanager
def client(proxy: RuledProxy) -> Iterator[Client]:
    """A connection to a proxy."""
    made = Client(proxy.port)
    try:
        yield made
    finally:
        made.connection.close()


def latest(proxy: RuledProxy) -> Any:
    """The journal's last entry."""
    return proxy.operators("GET", "/__admin/requests")["requests"][-1]


def upload(server: RealServer, name: str) -> bytes | None:
    """What nginx has got by PUT."""
    path = server.folder / "files" / "uploads" / name
    return path.read_bytes() if path.exists() else None


def test_passes_through(server: RealServer, proxy: RuledProxy) -> None:
    with client(proxy) as made:
        answer, body = made.ask("/large")
        assert (answer.status, body == LARGE) == (200, True)
        first = made.connection.sock
        answer, body = made.ask("/large", method="HEAD")
        assert (answer.getheader("Content-Length"), body) == (str(FILE_SIZE), b"")
        answer, body = made.ask("/large", Range="bytes=7-10")
        assert (answer.status, body) == (206, LARGE[7:11])
        tag = answer.getheader("ETag")
        answer, body = made.ask("/large", If_None_Match=str(tag))
        assert (answer.status, body) == (304, b"")
        assert made.ask("/nowhere")[0].status == 404
        for name, sent in {
            "sized": LARGE,
            "chunks": iter([LARGE[:9], LARGE[9:]]),
        }.items():
            answer, _ = made.ask(f"/uploads/{name}", method="PUT", body=sent)
            assert answer.status == 201
            assert upload(server, name) == LARGE
        # All of it on one connection.
        assert made.connection.sock is first


def test_slow_and_again_as_it_was(proxy: RuledProxy) -> None:
    with client(proxy) as made:
        proxy.rule("slow", delay="400ms", match={"path": "/small"})
        assert made.seconds("/small") >= 0.4
        began = time.monotonic()
        answer, _ = made.ask("/small")
        took = (time.monotonic() - began) * 1000
        timing = str(answer.getheader("Server-Timing"))
        parts = dict(part.strip().split(";dur=") for part in timing.split(","))
        assert float(parts["asked"]) == 400
        # However long nginx takes, that is not in what the proxy held it.
        assert 400 <= float(parts["held"]) <= took - float(parts["upstream"])
        proxy.remove("slow")
        until(lambda: made.seconds("/small") < 0.4)


def test_a_rate(proxy: RuledProxy) -> None:
    proxy.rule("narrow", rate="2MB")
    with client(proxy) as made:
        assert made.seconds("/large") >= 0.8


def test_another_status_in_its_place(server: RealServer, proxy: RuledProxy) -> None:
    proxy.rule("down", status="503", match={"method": "PUT"})
    with client(proxy) as made:
        answer, _ = made.ask("/uploads/never", method="PUT", body=b"a")
        assert answer.status == 503
        assert upload(server, "never") is None
        assert latest(proxy)["upstream"] is None
        assert made.ask("/small")[0].status == 200
        assert latest(proxy)["upstream"] > 0


def test_a_download_that_is_cut(proxy: RuledProxy) -> None:
    for fault in ("truncate", "reset", "empty", "malformed-chunk", "garbage"):
        proxy.rule("cut", fault=fault)
        with client(proxy) as made, pytest.raises(CUT):
            made.ask("/large")
        proxy.remove("cut")
        with client(proxy) as made:
            assert made.ask("/large")[1] == LARGE


def test_a_rule_whose_time_is_over(proxy: RuledProxy) -> None:
    proxy.rule("cut", fault="truncate")

    def is_whole() -> bool:
        with client(proxy) as made:
            try:
                return made.ask("/large")[1] == LARGE
            except CUT:
                return False

    assert not is_whole()
    proxy.rule("cut", fault="truncate", expires="2s")
    until(is_whole)


def half(proxy: RuledProxy, name: str) -> socket.socket:
    """A connection on which half an upload was sent."""
    connection = socket.create_connection(("127.0.0.1", proxy.port), 10)
    head = f"PUT /uploads/{name} HTTP/1.1\r\nHost: t\r\nContent-Length: {FILE_SIZE}"
    connection.sendall(head.encode() + b"\r\n\r\n" + LARGE[: FILE_SIZE // 2])
    return connection


def test_an_upload_that_is_cut(server: RealServer, proxy: RuledProxy) -> None:
    with half(proxy, "half"):
        until(lambda: list((server.folder / "body").rglob("*[0-9]")))
    until(lambda: not list((server.folder / "body").rglob("*[0-9]")))
    assert upload(server, "half") is None
    with client(proxy) as made:
        answer, _ = made.ask("/uploads/half", method="PUT", body=LARGE)
        assert (answer.status, upload(server, "half")) == (201, LARGE)


def test_cut_in_tcp_mode(server: RealServer, tcp_proxy: RuledProxy) -> None:
    proxy = tcp_proxy
    for fault in ("reset", "close"):
        name = f"cut-{fault}"
        proxy.rule("cut", fault=fault, after="1MB", direction="both")
        with client(proxy) as made, pytest.raises(CUT):
            made.ask("/large")
        with client(proxy) as made, pytest.raises(CUT):
            made.ask(f"/uploads/{name}", method="PUT", body=LARGE)
        # What is smaller passes.
        with client(proxy) as made:
            assert made.ask("/small")[1] == b"a small file\n"
        until(lambda: not list((server.folder / "body").rglob("*[0-9]")))
        assert upload(server, name) is None
        proxy.remove("cut")
        with client(proxy) as made:
            assert made.ask("/large")[1] == LARGE
            made.ask(f"/uploads/{name}", method="PUT", body=LARGE)
        assert upload(server, name) == LARGE


def test_slow_in_tcp_mode(tcp_proxy: RuledProxy) -> None:
    with client(tcp_proxy) as made:
        made.ask("/small")
        tcp_proxy.rule("slow", delay="300ms", slice="5,2,1ms", direction="both")
        assert made.seconds("/small") >= 0.6
        tcp_proxy.remove("slow")
        until(lambda: made.seconds("/small") < 0.3)


def test_an_upstream_that_goes_and_comes_back() -> None:
    with nginx() as server:
        proxy = RuledProxy(f"http://{server.address}")
        with client(proxy) as made:
            assert made.ask("/small")[0].status == 200
    with proxy, client(proxy) as made:
        answer, body = made.ask("/small")
        assert answer.status == 502
        assert json.loads(body)["phase"] == "connect"
        assert "connect" in latest(proxy)["upstream_error"]
        with nginx(server.port):
            assert made.ask("/small")[1] == b"a small file\n"
