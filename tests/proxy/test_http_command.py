"""`nbtwisted proxy` in HTTP mode: what it is told, what it says, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trustme
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.free_port import free_port
from tests.proxy.running import RunningProxy, run
from tests.server.running import BY_MODULE, RunningServer, read_all

NOBODY = "http://127.0.0.1:1"
FREE = ("--port", "0")
BY_TLS = "ssl:0:interface=127.0.0.1:privateKey={path}:certKey={path}"


class HTTPCase(SynchronousTestCase):
    """Proxies in front of a server of ours."""

    def upstream(self) -> str:
        server = RunningServer([*BY_MODULE, "--seed", "7"])
        self.addCleanup(server.__exit__, None, None, None)
        return server.url

    def proxy(self, upstream: str, *arguments: str) -> RunningProxy:
        proxy = RunningProxy(upstream, *FREE, *arguments)
        self.addCleanup(proxy.__exit__, None, None, None)
        return proxy

    def ask(self, proxy: RunningProxy, path: str, *fields: str) -> tuple[int, Any]:
        """The status of an answer, and its body, which is JSON or nothing."""
        answer = proxy.ask(request(path, *fields))
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body) if body else None


def request(path: str, *fields: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", "Host: a.test", "Connection: close", *fields)
    return "\r\n".join([*lines, "", ""]).encode()


class RunTests(HTTPCase):
    def test_what_it_says(self) -> None:
        upstream = self.upstream()
        proxy = self.proxy(upstream)
        self.assertEqual(
            proxy.output,
            f"nbtwisted: proxying {proxy.url} to {upstream.removesuffix('/')}\n"
            f"nbtwisted: operators at http://127.0.0.1:{proxy.operators_port}"
            "/__admin/live\n",
        )
        self.assertEqual(self.ask(proxy, "/get?a=1")[1]["args"], {"a": "1"})
        self.assertEqual(proxy.stop(), 0)
        self.assertEqual(proxy.output.count("\n"), 2)

    def test_each_has_its_own_paths_for_operators(self) -> None:
        proxy = self.proxy(self.upstream(), "--seed", "8")
        # The upstream's are for its own machine's, and not through a proxy.
        status, told = self.ask(proxy, "/__admin/stats")
        self.assertEqual((status, "not through a proxy" in told["error"]), (401, True))
        self.assertEqual(self.ask(proxy, "/healthz"), (200, {"status": "ok"}))
        stats = proxy.operators("GET", "/__admin/stats")
        self.assertEqual((stats["seed"], stats["requests"]), (8, 2))
        refused = proxy.operators("GET", "/get")
        self.assertEqual(refused["error"], "no such path")
        refused = proxy.operators("GET", "/__admin/links")
        self.assertEqual(refused["error"], "there are no links")

    def test_rules_act_on_requests(self) -> None:
        proxy = self.proxy(self.upstream(), "--default", "_header=X-A: b")
        rule = {"name": "down", "match": {"path": "/get"}, "status": 503, "json": [1]}
        proxy.operators("POST", "/__admin/rules", rule)
        self.assertEqual(self.ask(proxy, "/get"), (503, [1]))
        self.assertIn(b"\r\nX-A: b\r\n", proxy.ask(request("/anything")))
        (entry,) = proxy.operators("GET", "/__admin/requests?rule=down")["requests"]
        self.assertIsNone(entry["upstream"])

    def test_where_controls_are_taken(self) -> None:
        upstream = self.upstream()
        field = "X-Nbtwisted-Status: 418"
        for option, by_query, by_field in (
            # The upstream has controls of its own in the query.
            ("headers", "upstream", 418),
            ("all", 418, 418),
            ("none", "upstream", "upstream"),
        ):
            proxy = self.proxy(upstream, "--controls", option)
            for path, fields, expected in (
                ("/get?_status=418", (), by_query),
                ("/get", (field,), by_field),
            ):
                status, _ = self.ask(proxy, path, *fields)
                (entry,) = proxy.operators("GET", "/__admin/requests")["requests"]
                proxy.operators("POST", "/__admin/reset")
                self.assertEqual(status, 418, (option, path))
                by = 418 if entry["upstream"] is None else "upstream"
                self.assertEqual(by, expected, (option, path))

    def test_the_upstream_is_told_of_clients_if_it_is_to_be(self) -> None:
        upstream = self.upstream()
        for arguments, expected in (((), False), (("--forwarded",), True)):
            _, told = self.ask(self.proxy(upstream, *arguments), "/anything")
            self.assertEqual("X-Forwarded-For" in told["headers"], expected)
            self.assertIn("nbtwisted", told["headers"]["Via"])

    def test_the_upstream_is_asked_by_the_client_s_host_if_it_is_to_be(self) -> None:
        upstream = self.upstream()
        for arguments, expected in (((), False), (("--keep-host",), True)):
            proxy = self.proxy(upstream, *arguments)
            _, told = self.ask(proxy, "/anything")
            self.assertEqual(told["headers"]["Host"] == "a.test", expected)

    def test_files_of_rules(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/rules.toml", "w") as file:
                file.write('[[rule]]\nmatch.path = "/a"\nbody_file = "a.json"')
            with open(f"{folder}/a.json", "w") as file:
                file.write("[2]")
            rules = ("--rules", f"{folder}/rules.toml")
            proxy = self.proxy(self.upstream(), *rules)
            self.assertEqual(self.ask(proxy, "/a"), (200, [2]))
            with open(f"{folder}/rules.toml", "w") as file:
                file.write("")
            proxy.process.send_signal(signal.SIGHUP)
            self.assertIn("0 rules from", proxy.next_line())
            self.assertEqual(self.ask(proxy, "/a")[0], 404)

    def test_sigterm_waits_for_what_is_held(self) -> None:
        proxy = self.proxy(self.upstream())
        with proxy.connect() as held:
            held.sendall(request("/get", "X-Nbtwisted-Delay: 1s"))
            while not proxy.operators("GET", "/__admin/stats")["in_flight"]:
                pass
            proxy.process.send_signal(signal.SIGTERM)
            said = "nbtwisted: waiting up to 30 s for 1 responses\n"
            self.assertEqual(proxy.next_line(), said)
            self.assertTrue(read_all(held).startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual(proxy.process.wait(10), 0)

    def test_operators_see_links_of_the_api_beside_it(self) -> None:
        upstream = self.upstream()
        proxy = self.proxy(upstream, "--toxiproxy-api", "tcp:0")
        api = re.search(r"API at http://127\.0\.0\.1:(\d+)/", proxy.next_line())
        assert api is not None, proxy.output
        operators, proxy.operators_port = proxy.operators_port, int(api[1])
        place = upstream.removeprefix("http://").removesuffix("/")
        made = proxy.operators("POST", "/proxies", {"name": "a", "upstream": place})
        proxy.operators_port = operators
        self.assertEqual(proxy.operators("GET", "/__admin/links"), {"links": []})
        port = int(made["listen"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(request("/get"))
            read_all(client)
        self.assertEqual(self.ask(proxy, "/get")[0], 200)
        (link,) = proxy.operators("GET", "/__admin/links")["links"]
        self.assertEqual(link["port"], "a")
        (asked,) = proxy.operators("GET", "/__admin/requests")["requests"]
        self.assertEqual(asked["target"], "/get")

    def test_a_loop(self) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        proxy = RunningProxy(url, "--port", str(port))
        self.addCleanup(proxy.__exit__, None, None, None)
        status, told = self.ask(proxy, "/get")
        self.assertEqual(status, 508)
        self.assertEqual(told["upstream"], url)

    def test_what_passes_is_recorded(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/passed.har"
            proxy = self.proxy(self.upstream(), "--record", path)
            self.ask(proxy, "/get?a=1", "Cookie: secret")
            self.ask(proxy, "/get", "X-Nbtwisted-Status: 503")
            self.assertEqual(proxy.stop(), 0)
            with open(path) as file:
                written = file.read()
            (entry,) = json.loads(written)["log"]["entries"]
            self.assertTrue(entry["request"]["url"].endswith("/get?a=1"))
            # (The upstream's echo of it is a body.)
            fields = {it["name"]: it["value"] for it in entry["request"]["headers"]}
            self.assertNotEqual(fields.get("Cookie"), "secret")
            server = RunningServer([*BY_MODULE, "--har", path])
            self.addCleanup(server.__exit__, None, None, None)
            self.assertIn(b'"a": "1"', server.ask(request("/get?a=1")))

    def test_a_record_that_cannot_be_written(self) -> None:
        ended = run(NOBODY, *FREE, "--record", "/nowhere/a.har")
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(
            ended.stderr,
            "nbtwisted: error: --record: cannot write /nowhere/a.har: "
            "No such file or directory\n",
        )


class FailingTests(HTTPCase):
    def test_an_upstream_that_is_not_there(self) -> None:
        proxy = self.proxy(NOBODY)
        self.assertEqual(
            proxy.next_line(),
            f"nbtwisted: warning: {NOBODY} cannot be reached: "
            "127.0.0.1 port 1: Connection refused\n",
        )
        status, told = self.ask(proxy, "/get")
        self.assertEqual((status, told["phase"]), (502, "connect"))
        passing = self.proxy(NOBODY, "--upstream-errors", "pass")
        with self.assertRaises(ConnectionResetError):
            passing.ask(request("/get"))

    def test_an_upstream_that_says_nothing(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            where = f"http://127.0.0.1:{silent.getsockname()[1]}"
            proxy = self.proxy(where, "--upstream-timeout", "100ms")
            status, told = self.ask(proxy, "/get")
        self.assertEqual(status, 504)
        self.assertEqual(told["upstream"], where)


class TLSTests(HTTPCase):
    @contextmanager
    def certificate(self) -> Iterator[tuple[str, str]]:
        """The paths of an authority's certificate, and of one for 127.0.0.1."""
        authority = trustme.CA()
        ours = authority.issue_cert("127.0.0.1")
        with (
            authority.cert_pem.tempfile() as trusted,
            ours.private_key_and_cert_chain_pem.tempfile() as path,
        ):
            yield trusted, path

    def test_clients_and_the_upstream_by_tls(self) -> None:
        with self.certificate() as (trusted, path):
            upstream = ByTLS([*BY_MODULE[:3], "--listen", BY_TLS.format(path=path)])
            self.addCleanup(upstream.__exit__, None, None, None)
            where = f"https://127.0.0.1:{upstream.port}"
            certificate = ("--tls-cert", path)
            proxy = self.proxy(where, "--cacert", trusted, *certificate)
            self.assertIn(f"proxying https://127.0.0.1:{proxy.port}/", proxy.output)
            context = ssl.create_default_context(cafile=trusted)
            context.set_alpn_protocols(["h2", "http/1.1"])
            with context.wrap_socket(
                proxy.connect(), server_hostname="127.0.0.1"
            ) as client:
                self.assertEqual(client.selected_alpn_protocol(), "http/1.1")
                client.sendall(request("/get"))
                self.assertTrue(read_all(client).startswith(b"HTTP/1.1 200 OK\r\n"))
            # Nobody whom the system knows has signed for it.
            distrustful = self.proxy(where)
            status, told = self.ask(distrustful, "/get")
            self.assertEqual((status, told["phase"]), (502, "tls"))
            self.assertEqual(self.ask(self.proxy(where, "-k"), "/get")[0], 200)
            # It is not for this name.
            by_name = f"tls+tcp://localhost:{upstream.port}"
            for warned, expected in (
                (distrustful, "authority: nobody knows who signed it"),
                (
                    self.proxy(by_name, "--cacert", trusted),
                    "name: it is not for localhost but for 127.0.0.1",
                ),
            ):
                self.assertRegex(
                    warned.next_line(),
                    "^nbtwisted: warning: (https|tls\\+tcp)://[a-z0-9.:]+ cannot be "
                    f"reached: the certificate was refused for its {expected}\n$",
                )
            # Whom it trusts it says nothing of.
            self.assertEqual(proxy.stop(), 0)
            self.assertNotIn("warning", proxy.output)

    def test_files_that_cannot_be_used(self) -> None:
        for arguments, expected in {
            ("--cacert", "/nowhere"): "cannot read /nowhere: No such file",
            ("--cacert", __file__): "expected certificates, or a key, in PEM",
            ("--tls-cert", "/nowhere"): "cannot read /nowhere: No such file",
        }.items():
            ended = run("https://127.0.0.1:1", *FREE, *arguments)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(expected, ended.stderr)
            self.assertEqual(ended.stderr.count("\n"), 1, ended.stderr)


class ByTLS(RunningServer):
    ready = re.compile(r"serving on https://127\.0\.0\.1:(\d+)/")
