"""Proxies on real sockets, beside curl: what is sent, how it ends, and with which code.

Each proxy plays the hosts behind it, too.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import trustme
from twisted.trial.unittest import SynchronousTestCase

from tests.client.test_command import run

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
OPEN = b"HTTP/1.1 200 OK\r\n\r\n"
REPLY = b"\5\0\0\1" + bytes(6)
CURL = shutil.which("curl")

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def listening(serve: Serve) -> Iterator[str]:
    """Serve each connection, one after another; gives the host and port."""

    def accept() -> None:
        # It is shut down in the end.
        with contextlib.suppress(OSError):
            while True:
                connection, _ = port.accept()
                connection.settimeout(10)
                # Clients leave when they have seen enough.
                with connection, contextlib.suppress(OSError):
                    serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as port:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"127.0.0.1:{port.getsockname()[1]}"
        finally:
            port.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def saying(*answers: bytes) -> Serve:
    """Sends one answer after another, each when something came; then closes."""

    def serve(connection: socket.socket) -> None:
        for answer in answers:
            if connection.recv(65536):
                connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    return serve


def silent(connection: socket.socket) -> None:
    """Says nothing until the client leaves."""
    while connection.recv(65536):
        pass


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


class ThroughTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.trusted = str(Path(folder.name) / "authority.pem")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.trusted)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("host.example").configure_cert(self.context)
        self.told: list[bytes] = []

    def tunnel(self, *answers: bytes) -> Serve:
        """A proxy that answers like this, and then is the host, in TLS."""

        def serve(connection: socket.socket) -> None:
            for answer in answers:
                self.told.append(connection.recv(65536))
                connection.sendall(answer)
            with self.context.wrap_socket(connection, server_side=True) as host:
                self.told.append(host.recv(65536))
                host.sendall(WHOLE)
                silent(host)

        return serve

    def test_a_tunnel_in_tls(self) -> None:
        for kind, answers, told in [
            ("http", [OPEN], b"CONNECT host.example:443 HTTP/1.1\r\n"),
            ("socks5h", [b"\5\2", b"\1\0", REPLY], b"\5\2\0\2"),
        ]:
            with listening(self.tunnel(*answers)) as place:
                proxy = f"{kind}://me:secret@{place}"
                for host, code in [("host.example", 0), ("other.example", 60)]:
                    self.told.clear()
                    ran = run(
                        *("-x", proxy, "--cacert", self.trusted, "--format", "jsonl"),
                        f"https://{host}/a",
                    )
                    self.assertEqual(ran.returncode, code, ran.stderr)
                    self.assertNotIn("secret", ran.stdout + ran.stderr)
                    record = json.loads(ran.stdout)
                    if code:
                        self.assertEqual(record["error"]["phase"], "tls")
                        continue
                    self.assertTrue(self.told[0].startswith(told), self.told)
                    sent = self.told[-1]
                    self.assertTrue(sent.startswith(b"GET /a HTTP/1.1\r\n"), sent)
                    self.assertNotIn(b"Proxy-", sent)
                    self.assertEqual(record["body"], "hello")
                    self.assertGreater(record["timing"]["proxy"], 0)

    def test_in_the_clear_as_the_environment_says(self) -> None:
        def serve(connection: socket.socket) -> None:
            self.told.append(connection.recv(65536))
            connection.sendall(WHOLE)

        with listening(serve) as place:
            environment = {"http_proxy": f"me:secret@{place}", "no_proxy": "127.0.0.1"}
            urls = ["http://a.example/", "http://b.example/b"]
            ran = run("--format", "body", *urls, environment=environment)
            self.assertEqual((ran.returncode, ran.stdout), (0, "hellohello"))
            firsts = {told.partition(b"\r\n")[0] for told in self.told}
            expected = {b"GET %b HTTP/1.1" % url.encode() for url in urls}
            self.assertEqual(firsts, expected)
            for told in self.told:
                self.assertIn(b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n", told)
            ran = run(f"http://{place}/", environment=environment)
            self.assertEqual(ran.returncode, 0)
            self.assertTrue(self.told[-1].startswith(b"GET / HTTP/1.1\r\n"))


@unittest.skipIf(CURL is None, "curl is not installed")
class CurlTests(SynchronousTestCase):
    def codes(self, proxy: str, url: str, *more: str) -> tuple[int, int]:
        """curl's exit code, and ours."""
        assert CURL is not None
        curl = subprocess.run(
            [CURL, "-q", "-s", "-x", proxy, *more, url],
            stdout=subprocess.DEVNULL,
            timeout=20,
        )
        return curl.returncode, run("-x", proxy, *more, url).returncode

    def test_exit_codes(self) -> None:
        connect: list[tuple[int, Sequence[bytes]]] = [
            (56, [b"HTTP/1.1 407 No\r\n\r\n"]),
            (56, [b"HTTP/1.1 401 No\r\nContent-Length: 5\r\n\r\nhello"]),
            (56, [b"HTTP/1.1 502 No\r\nContent-Length: 9\r\n\r\nhello"]),
            (56, [b"garbage\r\n\r\n"]),
            (56, [b"HTTP/1.1 20"]),
            (56, []),
            # It is the first byte of what is to be TLS.
            (35, [OPEN, b"early"]),
        ]
        socks: list[tuple[int, Sequence[bytes]]] = [
            (97, [b"\4\0"]),
            (97, [b"\5\xff"]),
            (97, [b"\5\2", b"\1\1"]),
            (97, [b"\5"]),
            (97, [b"\5\0", b"\5\5\0\1" + bytes(6)]),
            (97, [b"\5\0", b"\5\0\0\1"]),
            (97, []),
        ]
        for kind, cases in [
            ("http", connect),
            ("socks5h", socks),
            ("socks5", socks[-2:]),
        ]:
            for code, answers in cases:
                url = "https://127.0.0.2/" if kind == "socks5" else "https://h.example/"
                with listening(saying(*answers)) as place:
                    codes = self.codes(f"{kind}://me:you@{place}", url)
                self.assertEqual(codes, (code, code), (kind, answers))

    def test_nobody_there_or_silent(self) -> None:
        for kind in ("http", "socks5h"):
            with refusing() as place:
                for url in ("http://h.example/", "https://h.example/"):
                    self.assertEqual(self.codes(f"{kind}://{place}", url), (7, 7))
            with listening(silent) as place:
                for option in ("-m", "--connect-timeout"):
                    codes = self.codes(f"{kind}://{place}", url, option, "0.3")
                    self.assertEqual(codes, (28, 28), (kind, option))
