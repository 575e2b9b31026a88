"""The same requests to the server as people run it: by twistd, and by `python -m`."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.server.running import (
    BY_MODULE,
    BY_TWISTD,
    RunningServer,
    open_descriptors,
    read_all,
)

# What differs from one answer to the next, and from one Twisted to the next.
_VARIES = re.compile(
    rb"(?<=\r\n)(Date: [^\r]+|Server: [^\r]+|Server-Timing: [^\r]+)\r\n"
)

FOR_BROWSERS = (
    *(b"Content-Security-Policy", b"X-Content-Type-Options"),
    *(b"Access-Control-Allow-Origin", b"Access-Control-Allow-Credentials"),
    b"Cross-Origin-Resource-Policy",
)


def request(target: str, *, method: str = "GET", host: str = "test") -> bytes:
    return (
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    ).encode("latin-1")


REFUSED = (
    b'{"error": "bad value for %b", "control": "%b", "value": "%b", "expected": "%b"}\n'
)
A_DELAY = b"seconds such as 1.5, 200ms, 2s, or uniform(100ms,300ms)"

PATHS = re.findall(
    r"\S+",
    """
    / /__admin/events /__admin/live /__admin/live.css /__admin/live/{name}.js
    /__admin/ports /__admin/reactor /__admin/requests /__admin/reset /__admin/rules
    /__admin/rules/{name} /__admin/stats
    /absolute-redirect/{n} /anything /anything/{rest} /base64/decode/{value}
    /base64/encode/{value} /base64/{value} /basic-auth/{user}/{passwd} /bearer /brotli
    /bytes/{n} /ca.pem /cache /cache/{n} /cookies /cookies/delete /cookies/set
    /cookies/set/{name}/{value} /deflate /delay/{text} /delete /deny
    /digest-auth/{qop}/{user}/{passwd} /digest-auth/{qop}/{user}/{passwd}/{algorithm}
    /digest-auth/{qop}/{user}/{passwd}/{algorithm}/{stale_after} /drip /dump/request
    /encoding/utf8 /etag/{etag} /forms/post /get /gzip /head /headers /healthz
    /hidden-basic-auth/{user}/{passwd} /hostname /html /image /image/jpeg /image/png
    /image/svg /image/webp /ip /json /jsonl /links/{n} /links/{n}/{offset} /metrics
    /patch /post /put /range/{n} /readyz /redirect-to /redirect/{n}
    /relative-redirect/{n} /response-headers /robots.txt /sse /status/{codes}
    /stream-bytes/{n} /stream/{n} /trailers /unstable /upload /user-agent /uuid /xml
    """,
)

ANSWERS: dict[bytes, tuple[bytes, bytes]] = {
    request("/?_delay=0"): (b"200 OK", b'["wait time: 0sec"]'),
    request("/?_delay=100ms"): (b"200 OK", b'["wait time: 0.1sec"]'),
    request("/healthz"): (b"200 OK", b'{\n  "status": "ok"\n}\n'),
    request("/healthz", method="HEAD"): (b"200 OK", b""),
    request("/delay/50ms?a=1"): (
        b"200 OK",
        b'{\n  "args": {\n    "a": "1"\n  },\n  "headers": {\n'
        b'    "Connection": "close",\n    "Host": "test"\n  },\n'
        b'  "origin": "127.0.0.1",\n  "url": "http://test/delay/50ms?a=1"\n}\n',
    ),
    request("/nope"): (
        b"404 Not Found",
        b'{"error": "no such path", "value": "/nope", "expected": "%b"}\n'
        % ", ".join(PATHS).encode(),
    ),
    request("/", method="POST"): (
        b"405 Method Not Allowed",
        b'{"error": "this path does not take this method", "value": "POST", '
        b'"expected": "GET, HEAD"}\n',
    ),
    **{
        request(f"/delay/{value.decode()}"): (
            b"400 Bad Request",
            REFUSED % (b"delay", b"delay", value, A_DELAY),
        )
        for value in (b"abc", b"-1", b"nan", b"1e9")
    },
    request("/delay/301"): (
        b"400 Bad Request",
        REFUSED
        % (
            b"delay",
            b"delay",
            b"301",
            b"at most 300 seconds, this server's --max-delay",
        ),
    ),
    request("/%ff"): (
        b"404 Not Found",
        b'{"error": "no such path", "value": "/%%ff", "expected": "%b"}\n'
        % ", ".join(PATHS).encode(),
    ),
    request("/", host="a..b"): (
        b"400 Bad Request",
        REFUSED
        % (
            *(b"host", b"host", b"a..b"),
            b"a host, and perhaps a port, such as localhost:8000",
        ),
    ),
}


def fewest_descriptors(server: RunningServer, expected: int) -> int:
    """How many descriptors the server has open.

    It closes a connection a little after its client has, so a look may find too many,
    but never too few: it is looked at again and again, until they are `expected`.
    """
    fewest = open_descriptors(server.process.pid)
    for _ in range(50_000):
        if fewest <= expected:
            break
        fewest = min(fewest, open_descriptors(server.process.pid))
    return fewest


class _AsRun:
    """What holds however the server was started."""

    command: Sequence[str]

    def test_answers(self) -> None:
        with RunningServer(self.command) as server:
            for asked, (status, body) in ANSWERS.items():
                answer = server.ask(asked)
                head, blank, got = answer.partition(b"\r\n\r\n")
                assert blank, answer
                assert head.startswith(b"HTTP/1.1 " + status), (asked, answer)
                assert got == body, (asked, answer)
                assert b"\r\nContent-Type: application/json" in head, answer
                assert re.search(
                    rb"\r\nServer-Timing: asked;dur=\d+, held;dur=[\d.]+", head
                ), answer
                names = re.findall(rb"\r\n([^:]+):", _VARIES.sub(b"", head + blank))
                assert set(names) <= {
                    *(b"Connection", b"Content-Type", b"Content-Length", b"Allow"),
                    *FOR_BROWSERS,
                }, answer
                sandbox = b"\r\nContent-Security-Policy: sandbox\r\n"
                assert (sandbox in head) != (b"/healthz" in asked), answer
                assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head, answer
            server.stop()
        assert "Traceback" not in server.output, server.output

    def test_waits_at_the_same_time(self) -> None:
        with RunningServer(self.command) as server:
            connections = [server.connect() for _ in range(50)]
            for connection in connections:
                connection.sendall(request("/delay/300"))
            # Answered only after all that was sent before it is being held.
            stats = server.ask(request("/__admin/stats", host="localhost"))
            assert b'"in_flight": 50,' in stats, stats
            # They hold up nobody who waits for less.
            answer = server.ask(request("/delay/500ms"))
            held = re.search(rb"asked;dur=500, held;dur=(\d+)", answer)
            assert held, answer
            assert int(held[1]) >= 500, answer
            server.ask(request("/__admin/reset", method="POST", host="localhost"))
            for connection in connections:
                with connection:
                    answer = read_all(connection)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer

    def test_who_leaves_takes_everything_along(self) -> None:
        with RunningServer(self.command) as server, server.connect() as kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            assert kept.recv(15) == b"HTTP/1.1 200 OK"
            # Nothing is about to be closed.
            before = open_descriptors(server.process.pid)
            held = [server.connect() for _ in range(50)]
            for connection in held:
                connection.sendall(request("/delay/300"))
            # Answered only after all that was sent before it is being held.
            server.ask(request("/healthz"))
            assert fewest_descriptors(server, before + 50) == before + 50
            for connection in held:
                connection.shutdown(socket.SHUT_RDWR)
                connection.close()
            assert fewest_descriptors(server, before) == before
            server.stop()
        assert "Traceback" not in server.output, server.output

    def test_a_sigterm_loses_nothing_that_is_held(self) -> None:
        with RunningServer(self.command) as server:
            held = [server.connect() for _ in range(50)]
            for connection in held:
                connection.sendall(request("/delay/1?_size=100000"))
            # Answered only after all that was sent before it is being held.
            server.ask(request("/healthz"))
            server.process.send_signal(signal.SIGTERM)
            for connection in held:
                with connection:
                    answer = read_all(connection)
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
                assert b"\r\nConnection: close\r\n" in answer, answer
                assert answer.endswith(b"\r\n\r\n" + b"*" * 100_000)
            server.stop()
        assert "Traceback" not in server.output, server.output

    def test_max_delay_from_the_environment(self) -> None:
        with RunningServer(self.command, NBTWISTED_MAX_DELAY="1s") as server:
            answer = server.ask(request("/delay/2"))
            assert b"at most 1 seconds" in answer, answer


class ByModuleTests(_AsRun, SynchronousTestCase):
    command = BY_MODULE


class ByTwistdTests(_AsRun, SynchronousTestCase):
    command = BY_TWISTD
