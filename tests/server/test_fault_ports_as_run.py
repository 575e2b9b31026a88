"""Fault ports of a real server: what clients of all kinds see, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.free_port import free_port
from nbtwisted.server.model.fault_port import KINDS
from nbtwisted.server.ports.held import MOST_HELD
from tests import warm_start
from tests.pages import ROOT
from tests.server.running import (
    BY_MODULE,
    BY_TWISTD,
    RunningServer,
    open_descriptors,
    read_all,
)

DEADLINE = "0.4"
"""Seconds, for what never ends."""

TIMED_OUT = 28
BAD_CERTIFICATE = 60

OURS = (sys.executable, "-m", "nbtwisted.client")


def opening(kinds: Sequence[str]) -> list[str]:
    return [argument for kind in kinds for argument in ("--fault-port", kind)]


@contextlib.contextmanager
def serving(*kinds: str) -> Iterator[tuple[RunningServer, dict[str, int]]]:
    """A server with fault ports, and the numbers of these."""
    with RunningServer([*BY_MODULE, *opening(kinds)]) as server:
        numbers = {}
        for kind in kinds:
            line = server.next_line()
            said = rf"nbtwisted: fault port {kind} on 127\.0\.0\.1:(\d+)\n"
            match = re.fullmatch(said, line)
            assert match, line
            numbers[kind] = int(match[1])
        yield server, numbers


def connect(number: int, wait: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", number), timeout=wait)


class TableTests(SynchronousTestCase):
    """The table of `docs/server.md` is true."""

    def table(self) -> dict[str, tuple[int, int]]:
        """The exit codes of curl and of `nbtwisted get`, by kind."""
        page = (ROOT / "docs/server.md").read_text(encoding="utf-8")
        _, _, chapter = page.partition("\n## Fault ports\n")
        rows = re.findall(
            r"^\| `([\w-]+)` \| .* \| (\d+) \| (\d+) \|$",
            chapter.partition("\n## ")[0],
            re.M,
        )
        return {kind: (int(curl), int(ours)) for kind, curl, ours in rows}

    def check(self, program: Sequence[str], url: str, trusted: str, code: int) -> None:
        # A machine may be slow; only what never ends has a deadline that is short.
        patience = ["--max-time", DEADLINE if code == TIMED_OUT else "20"]
        trusting = ["--cacert", trusted]
        self.assertEqual(self.code([*program, *patience, *trusting, url]), code, url)
        if code == BAD_CERTIFICATE:
            # And nothing else is wrong.
            self.assertEqual(self.code([*program, *patience, "-k", url]), 0, url)

    def code(self, command: Sequence[str]) -> int:
        return warm_start.run(command, timeout=30).returncode

    def test_exit_codes(self) -> None:
        table = self.table()
        self.assertEqual(tuple(table), KINDS)
        with serving(*KINDS) as (server, numbers), tempfile.TemporaryDirectory() as it:
            answer = server.ask(b"GET /ca.pem HTTP/1.0\r\n\r\n")
            trusted = pathlib.Path(it, "ca.pem")
            trusted.write_bytes(answer.partition(b"\r\n\r\n")[2])
            for kind, (by_curl, by_ours) in table.items():
                scheme = "https" if kind.startswith("tls-") else "http"
                url = f"{scheme}://127.0.0.1:{numbers[kind]}/get"
                self.check(OURS, url, str(trusted), by_ours)
                if shutil.which("curl") is not None:
                    self.check(["curl", "-s"], url, str(trusted), by_curl)


class AsRunTests(SynchronousTestCase):
    def test_the_list(self) -> None:
        with serving("silent", "tls-good", "silent") as (server, numbers):
            answer = server.ask(b"GET /__admin/ports HTTP/1.0\r\n\r\n")
        ports = json.loads(answer.partition(b"\r\n\r\n")[2])["ports"]
        self.assertEqual(
            [port["kind"] for port in ports], ["silent", "tls-good", "silent"]
        )
        self.assertEqual(len({port["port"] for port in ports}), 3)
        self.assertEqual(ports[1]["url"], f"https://127.0.0.1:{numbers['tls-good']}")

    def test_clients_come_and_go(self) -> None:
        with serving("silent") as (server, numbers):
            before = open_descriptors(server.process.pid)
            with contextlib.ExitStack() as clients:
                # More than are accepted: the rest wait where it looks the same.
                for _ in range(MOST_HELD + 200):
                    clients.enter_context(connect(numbers["silent"])).sendall(b"GET")
                last = clients.enter_context(connect(numbers["silent"], wait=0.1))
                with self.assertRaises(TimeoutError):
                    last.recv(1)
                full = before + MOST_HELD
                while (held := open_descriptors(server.process.pid)) < full:
                    server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
                # Twisted accepts some at a time.
                self.assertLess(held, full + 150)
            while open_descriptors(server.process.pid) > before:
                server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
            # It accepts again.
            with connect(numbers["silent"]):
                while open_descriptors(server.process.pid) == before:
                    server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")

    def test_nothing_is_read(self) -> None:
        with serving("silent") as (_, numbers), connect(numbers["silent"]) as client:
            client.settimeout(0.1)
            sent = 0
            # What the kernel has room for, and not a byte more.
            with self.assertRaises(TimeoutError):
                while sent < 16_000_000:
                    sent += client.send(bytes(65536))

    def test_a_reset(self) -> None:
        with serving("reset-on-accept") as (_, numbers):
            for said in (b"GET", b""):
                with (
                    connect(numbers["reset-on-accept"]) as client,
                    self.assertRaises(ConnectionResetError),
                ):
                    # One that is late to send is reset before it does.
                    client.sendall(said)
                    client.recv(1)

    def test_a_signal_with_clients_on_each(self) -> None:
        for by in (signal.SIGTERM, signal.SIGINT):
            with serving(*KINDS) as (server, numbers), contextlib.ExitStack() as open:
                clients = []
                for kind, number in numbers.items():
                    for said in (b"", b"\x16\x03\x01\x00\x01a", b"GET"):
                        client = open.enter_context(socket.socket())
                        client.setblocking(False)
                        client.connect_ex(("127.0.0.1", number))
                        with contextlib.suppress(OSError):
                            client.send(said)
                        clients.append((kind, client))
                server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
                # It waits for nobody.
                self.assertEqual(server.stop(by), 0)
                self.assertNotIn("waiting", server.output)
                self.assertNotIn("Traceback", server.output)
                for kind, client in clients:
                    client.settimeout(5)
                    if kind != "no-accept":
                        with contextlib.suppress(ConnectionError):
                            read_all(client)

    def run_it(
        self, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return warm_start.run(
            [*BY_MODULE, *arguments], timeout=20, env={**os.environ, **variables}
        )

    def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            kind = f"refuse:{taken.getsockname()[1]}"
            why = (
                f"cannot open refuse on 127.0.0.1:{kind[7:]}: Address already in use: "
                "expected a free port (0 is any that is free)"
            )
            ran = self.run_it("--fault-port", kind)
            self.assertEqual((ran.returncode, ran.stdout), (1, ""))
            self.assertEqual(ran.stderr, f"nbtwisted: error: --fault-port: {why}\n")
            ran = self.run_it(NBTWISTED_FAULT_PORT=kind)
            self.assertEqual(
                ran.stderr, f"nbtwisted: error: NBTWISTED_FAULT_PORT: {why}\n"
            )
            ran = warm_start.run(
                BY_TWISTD, timeout=20, env={**os.environ, "NBTWISTED_FAULT_PORT": kind}
            )
            self.assertEqual(ran.returncode, 1)
            self.assertIn(f"error: NBTWISTED_FAULT_PORT: {why}\n", ran.stderr)

    def test_two_on_one_port(self) -> None:
        number = free_port()
        ran = self.run_it(*opening([f"silent:{number}", f"no-accept:{number}"]))
        self.assertEqual(ran.returncode, 1)
        self.assertIn("cannot open no-accept on", ran.stderr)

    def test_a_kind_that_is_none(self) -> None:
        ran = self.run_it("--fault-port", "no-acept")
        self.assertEqual((ran.returncode, ran.stderr.count("\n")), (2, 1))
        self.assertIn("'no-acept': expected no-accept, or another one of", ran.stderr)

    def test_under_twistd(self) -> None:
        kinds = {"NBTWISTED_FAULT_PORT": "silent refuse tls-good no-accept"}
        with RunningServer(BY_TWISTD, **kinds) as server:
            answer = server.ask(b"GET /__admin/ports HTTP/1.0\r\n\r\n")
            ports = json.loads(answer.partition(b"\r\n\r\n")[2])["ports"]
            silent, refusing, good, full = (port["port"] for port in ports)
            for port in ports:
                place = f"{port['host']}:{port['port']}"
                said = rf"fault port {port['kind']} on {re.escape(place)}\b"
                self.assertRegex(server.output, said)
            with connect(silent, wait=0.1) as client, self.assertRaises(TimeoutError):
                client.recv(1)
            with self.assertRaises(ConnectionRefusedError):
                connect(refusing)
            with self.assertRaises(TimeoutError):
                connect(full, wait=0.1)
            url = f"https://127.0.0.1:{good}/get"
            ran = warm_start.run([*OURS, "-k", url], timeout=20)
            self.assertIn(f'"url": "{url}"', ran.stdout)
            # A connection that is held does not keep it from ending.
            with connect(silent):
                # twistd ends by the signal that it was sent.
                self.assertEqual(server.stop(), -signal.SIGTERM)
        self.assertNotIn("Traceback", server.output)
