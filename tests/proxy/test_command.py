"""`nbtwisted proxy` in TCP mode: what it is told, what it says, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import tempfile

import trustme
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.free_port import free_port
from tests.proxy.running import Echo, RunningProxy, received, run
from tests.server.running import read_all

FREE = ("--port", "0")
NOBODY = "tcp://127.0.0.1:1"


class EndTests(SynchronousTestCase):
    """What ends before it has begun."""

    def refusal(self, *arguments: str, code: int = 1) -> str:
        ended = run(*arguments)
        self.assertEqual(ended.returncode, code, ended.stderr)
        self.assertEqual(ended.stdout, "")
        self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)
        return ended.stderr

    def test_what_cannot_be_read(self) -> None:
        self.assertIn("UPSTREAM: there is none", self.refusal(code=2))

    def test_a_place_that_is_its_own(self) -> None:
        port = free_port()
        for host in ("localhost", "127.0.0.1"):
            said = self.refusal(f"tcp://{host}:{port}", "--port", str(port))
            self.assertIn(f"{host}:{port} is this proxy itself: expected", said)

    def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            said = self.refusal(NOBODY, "--port", port)
            self.assertIn("--port: cannot listen on", said)
            self.assertIn("Address already in use: expected a free place", said)
            said = self.refusal(NOBODY, *FREE, "--admin-port", port)
            self.assertIn("--admin-port: cannot listen on", said)

    def test_files_that_cannot_be_used(self) -> None:
        for arguments, expected in {
            ("--tls-cert", "/nowhere"): "cannot read /nowhere: No such file",
            ("--tls-cert", __file__): "expected certificates, or a key, in PEM",
            ("--cacert", "/nowhere"): "cannot read /nowhere: No such file",
            ("--rules", "/nowhere"): "--rules: /nowhere: ",
            ("--access-log", "/nowhere/a"): "cannot write /nowhere/a: No such file",
        }.items():
            said = self.refusal("tls+tcp://127.0.0.1:1", *FREE, *arguments)
            self.assertIn(expected, said)


class RunTests(SynchronousTestCase):
    """What runs in front of an upstream that sends everything back."""

    def setUp(self) -> None:
        self.upstream = Echo()
        self.addCleanup(self.upstream.close)

    def proxy(self, *arguments: str, **environment: str) -> RunningProxy:
        proxy = RunningProxy(self.upstream.url, *FREE, *arguments, **environment)
        self.addCleanup(proxy.__exit__, None, None, None)
        return proxy

    def linked(self, proxy: RunningProxy) -> socket.socket:
        """A client whose link is open."""
        client = proxy.connect()
        self.addCleanup(client.close)
        client.sendall(b"here")
        self.assertEqual(received(client, 4), b"here")
        return client

    def test_what_it_says(self) -> None:
        proxy = self.proxy()
        ours = f"tcp://127.0.0.1:{proxy.port}"
        self.assertEqual(
            proxy.output,
            f"nbtwisted: proxying {ours} to {self.upstream.url}\n"
            f"nbtwisted: operators at http://127.0.0.1:{proxy.operators_port}"
            "/__admin/live\n",
        )
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual(proxy.output.count("\n"), 2)

    def test_links_for_operators(self) -> None:
        proxy = self.proxy("--seed", "7")
        client = self.linked(proxy)
        (link,) = proxy.operators("GET", "/__admin/links")["links"]
        self.assertEqual((link["up"], link["down"], link["state"]), (4, 4, "open"))
        stats = proxy.operators("GET", "/__admin/stats")
        self.assertEqual((stats["links"], stats["open"], stats["seed"]), (1, 1, 7))
        self.assertEqual(proxy.operators("POST", "/__admin/reset"), {"released": 1})
        self.assertEqual(client.recv(1), b"")
        self.linked(proxy)
        (link,) = proxy.operators("GET", "/__admin/links?since=1")["links"]
        self.assertEqual(link["id"], 2)
        refused = proxy.operators("GET", "/__admin/links?since=x")
        self.assertEqual(refused["expected"], "the id of a link, such as 7")

    def test_metrics(self) -> None:
        proxy = self.proxy()
        self.linked(proxy).close()
        where = f"http://127.0.0.1:{proxy.operators_port}/metrics"
        metrics = fetched(where)
        self.assertIn('nbtwisted_link_bytes_total{direction="up"} 4.0', metrics)
        self.assertNotIn("nbtwisted_requests", metrics)
        # Turns are counted from the first time that somebody asks.
        self.assertIn("reactor_turn_seconds_count 0.0", metrics)
        turns = re.search(r"reactor_turn_seconds_count (\S+)", fetched(where))
        assert turns is not None
        self.assertGreater(float(turns[1]), 0)

    def test_rules_act_on_links(self) -> None:
        proxy = self.proxy("--default", "_slice=2")
        client = self.linked(proxy)
        rule = {"name": "cut", "fault": "reset", "after": "3B"}
        proxy.operators("POST", "/__admin/rules", rule)
        client.sendall(b"12345")
        with self.assertRaises(ConnectionResetError):
            received(client, 5)
        (link,) = proxy.operators("GET", "/__admin/links?rule=cut")["links"]
        self.assertEqual(link["state"], "reset")
        self.assertEqual(proxy.operators("GET", "/__admin/links?rule=no")["links"], [])

    def test_rules_that_it_has_no_words_for(self) -> None:
        refused = self.proxy().operators("POST", "/__admin/rules", {"status": 503})
        self.assertEqual(refused["control"], "status")

    def test_a_file_of_rules_is_read_again(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/rules.toml"
            with open(path, "w") as file:
                file.write('[[rule]]\nfault = "close"')
            proxy = self.proxy("--rules", path)
            self.assertIn(f"1 rule from {path}", proxy.output)
            with proxy.connect() as client:
                client.sendall(b"lost")
                self.assertEqual(read_all(client), b"")
            with open(path, "w") as file:
                file.write("")
            proxy.process.send_signal(signal.SIGHUP)
            self.assertIn(f"0 rules from {path}", proxy.next_line())
            self.linked(proxy)

    def test_sigterm_waits_for_links(self) -> None:
        proxy = self.proxy()
        client = self.linked(proxy)
        proxy.process.send_signal(signal.SIGTERM)
        said = proxy.next_line()
        self.assertEqual(said, "nbtwisted: waiting up to 30 s for 1 links\n")
        with contextlib.suppress(ConnectionResetError), proxy.connect() as refused:
            self.assertEqual(refused.recv(1), b"")
        self.assertEqual(
            proxy.operators("GET", "/readyz")["error"], "the server is about to stop"
        )
        client.sendall(b"still")
        self.assertEqual(client.recv(5), b"still")
        client.close()
        self.assertEqual(proxy.process.wait(10), 0)

    def test_a_second_signal_waits_no_more(self) -> None:
        proxy = self.proxy()
        client = self.linked(proxy)
        proxy.process.send_signal(signal.SIGTERM)
        proxy.next_line()
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual(proxy.output.splitlines()[-1], "nbtwisted: gave up 1 links")
        self.assertEqual(client.recv(1), b"")

    def test_ctrl_c_waits_for_nothing(self) -> None:
        proxy = self.proxy()
        self.linked(proxy)
        self.assertEqual(proxy.stop(signal.SIGINT), 0)
        self.assertEqual(proxy.output.count("\n"), 2)

    def test_an_upstream_that_is_not_there(self) -> None:
        proxy = RunningProxy(NOBODY, *FREE)
        self.addCleanup(proxy.__exit__, None, None, None)
        self.assertEqual(
            proxy.next_line(),
            f"nbtwisted: warning: {NOBODY} cannot be reached: "
            "127.0.0.1 port 1: Connection refused\n",
        )
        with contextlib.suppress(ConnectionResetError), proxy.connect() as client:
            self.assertEqual(client.recv(1), b"")
        (link,) = proxy.operators("GET", "/__admin/links")["links"]
        self.assertEqual(link["state"], "upstream failed")

    def test_several_places(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            proxy = RunningProxy(
                self.upstream.url,
                *("--listen", "tcp:0:interface=127.0.0.1"),
                *("--listen", f"unix:{path}"),
            )
            self.addCleanup(proxy.__exit__, None, None, None)
            self.linked(proxy)
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(path)
                client.sendall(b"by a path")
                self.assertEqual(client.recv(9), b"by a path")
            proxy.stop(signal.SIGINT)
            self.assertFalse(os.path.exists(path))

    def test_no_port_for_operators(self) -> None:
        proxy = ProxyWithoutOperators(self.upstream.url, *FREE, "--admin-port", "none")
        self.addCleanup(proxy.__exit__, None, None, None)
        self.linked(proxy)
        proxy.stop(signal.SIGINT)
        self.assertNotIn("operators", proxy.output)

    def test_tls_for_clients(self) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        with authority.cert_pem.tempfile() as trusted:
            context = ssl.create_default_context(cafile=trusted)
        with certificate.private_key_and_cert_chain_pem.tempfile() as path:
            proxy = self.proxy("--tls-cert", path)
        self.assertIn("proxying tls+tcp://127.0.0.1:", proxy.output)
        with context.wrap_socket(
            proxy.connect(), server_hostname="127.0.0.1"
        ) as client:
            client.sendall(b"secret")
            self.assertEqual(client.recv(6), b"secret")

    def test_the_access_log(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/log"
            proxy = self.proxy("--access-log", path)
            with proxy.connect() as client:
                client.sendall(b"hello")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(client), b"hello")
            proxy.stop()
            with open(path) as log:
                self.assertRegex(
                    log.read(),
                    r"^127\.0\.0\.1:\d+ - - \[\d\d/\w{3}/\d{4}:[\d:]{8} \+0000\] "
                    + re.escape(f'"{self.upstream.url}" up=5 down=5 took=')
                    + r'\d\.\d{3} stages="" outcome="closed by client"\n$',
                )

    def test_the_environment(self) -> None:
        proxy = RunningProxy(
            NBTWISTED_UPSTREAM=self.upstream.url,
            NBTWISTED_PORT="0",
            NBTWISTED_ADMIN_TOKEN="let-me-in",
        )
        self.addCleanup(proxy.__exit__, None, None, None)
        self.linked(proxy)
        refused = proxy.operators("GET", "/__admin/links")
        self.assertEqual(refused["expected"], "Authorization: Bearer TOKEN")

    def test_the_api_of_toxiproxy(self) -> None:
        proxy = RunningProxy("--toxiproxy-api", "tcp:0")
        self.addCleanup(proxy.__exit__, None, None, None)
        api = re.search(r"API at http://127\.0\.0\.1:(\d+)/", proxy.next_line())
        assert api is not None, proxy.output
        operators, proxy.operators_port = proxy.operators_port, int(api[1])
        wanted = {"name": "echo", "upstream": f"127.0.0.1:{self.upstream.port}"}
        made = proxy.operators("POST", "/proxies", wanted)
        proxy.port = int(made["listen"].rpartition(":")[2])
        self.linked(proxy)
        # Operators see its links.
        proxy.operators_port = operators
        (link,) = proxy.operators("GET", "/__admin/links")["links"]
        self.assertEqual((link["port"], link["up"]), ("echo", 4))
        self.assertEqual(proxy.stop(), 0)

    def test_the_api_for_other_machines_if_it_is_told_so(self) -> None:
        wanted = {"name": "a", "listen": "0.0.0.0:0", "upstream": "127.0.0.1:1"}
        for endpoint, is_remote in {"tcp:0": False, r"tcp:0:0.0.0.0": True}.items():
            proxy = RunningProxy("--toxiproxy-api", endpoint)
            self.addCleanup(proxy.__exit__, None, None, None)
            api = re.search(r"API at http://(.*):(\d+)/", proxy.next_line())
            assert api is not None, proxy.output
            self.assertEqual(api[1], "0.0.0.0" if is_remote else "127.0.0.1")
            proxy.operators_port = int(api[2])
            made = proxy.operators("POST", "/proxies", wanted)
            self.assertEqual("name" in made, is_remote, made)


class ProxyWithoutOperators(RunningProxy):
    ready = re.compile(r"proxying tcp://127\.0\.0\.1:(\d+) to")


def fetched(url: str) -> str:
    from urllib.request import urlopen

    with urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text
