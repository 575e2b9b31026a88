"""The proxy's options: what is taken, and what is refused in one sentence."""

from __future__ import annotations

import contextlib
import io
import os

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.target import Origin
from nbtwisted.proxy.options import NO_PORT, ProxyOptions, read_options
from nbtwisted.proxy.stream.place import Upstream

REFUSED = {
    "": "UPSTREAM: there is none: expected http://host[:port], https://host[:port], "
    "tcp://host:port or tls+tcp://host:port, or --toxiproxy-api ENDPOINT",
    "http://a/api": "UPSTREAM: 'http://a/api': there is a path in it",
    "http://a http://b": "unrecognized arguments: http://b",
    "http://a --admin-port x": "--admin-port: 'x': expected a whole number, 0 or more, "
    "or none",
    "http://a --admin-port 65536": "expected a port up to 65535, or none",
    "http://a --upstream-errors x": "--upstream-errors: 'x': expected status or pass",
    "http://a --controls x": "--controls: 'x': expected headers, all or none",
    "http://a --record-bodies x": "expected bytes such as 0, 500, 10kB or 1MB",
    "http://a --upstream-timeout 0": "--upstream-timeout: '0': expected",
    "http://a --tls-key k": "--tls-key: expected --tls-cert FILE beside it",
    "http://a --tls-cert c --listen ssl:1:privateKey=k:certKey=c": "--tls-cert: "
    "expected no endpoint with TLS of its own beside it (--listen ssl:1",
    "http://a --record-bodies 2MB": "--record-bodies: expected --record FILE beside it",
    "http://a --record-secrets": "--record-secrets: expected --record FILE beside it",
    "https://a -k --cacert f": "--cacert: expected no -k beside it",
    "http://a --cacert f": "--cacert: expected an https:// or tls+tcp:// UPSTREAM",
    "tcp://a:1 --cacert f": "--cacert: expected an https:// or tls+tcp:// UPSTREAM",
    "http://a --record f --access-log f": "expected another file than",
    "http://a --default _after=2s": "there is no field after",
    "http://a --listen tcp:1 --port 1": "expected neither --port nor --host beside it",
    "tcp://a:1 --default _status=503": "there is no field status",
    "tcp://a:1 --record f": "--record: expected an http:// or https:// UPSTREAM",
    "tcp://a:1 --controls all": "--controls: expected an http:// or https:// UPSTREAM",
    "tcp://a:1 --forwarded": "--forwarded: expected an http:// or https:// UPSTREAM",
    "--toxiproxy-api tcp:1 --port 5": "--port: expected UPSTREAM beside it",
    "--toxiproxy-api tcp:1 --rules f": "--rules: expected UPSTREAM beside it",
}


class OptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {})

    def read(self, arguments: str) -> ProxyOptions:
        return read_options(arguments.split())

    def refusal(self, arguments: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as ended:
            self.read(arguments)
        self.assertEqual(ended.exception.code, 2)
        return said.getvalue()

    def test_beside_the_server_on_loopback(self) -> None:
        options = self.read("http://a.test")
        self.assertEqual(options.upstream, Origin(False, "a.test", 80))
        self.assertEqual(options.listen, ("tcp:8001:interface=127.0.0.1",))
        self.assertEqual(options.admin_port, 0)

    def test_a_stream(self) -> None:
        options = self.read("tcp://a.test:5432 --default _fault=reset&_after=10kB")
        self.assertEqual(options.upstream, Upstream("a.test", 5432))

    def test_an_api_in_place_of_an_upstream(self) -> None:
        options = self.read("--toxiproxy-api tcp:8474 --seed 7 --admin-port none")
        self.assertIsNone(options.upstream)
        self.assertEqual(options.admin_port, NO_PORT)

    def test_controls_of_a_proxy(self) -> None:
        options = self.read("http://a --default _ask_delay=1s&_status=503")
        self.assertEqual(options.default, "_ask_delay=1s&_status=503")

    def test_certificates(self) -> None:
        self.assertTrue(self.read("https://a -k").insecure)
        options = self.read("https://a --cacert ca.pem --tls-cert c --tls-key k")
        self.assertEqual(options.cacert, "ca.pem")
        self.assertEqual((options.tls_cert, options.tls_key), ("c", "k"))

    def test_bytes_of_bodies(self) -> None:
        for text, size in {"0": 0, "500": 500, "10kB": 10_000, "1MiB": 2**20}.items():
            options = self.read(f"http://a --record f --record-bodies {text}")
            self.assertEqual(options.record_bodies, size)
        self.assertFalse(options.record_secrets)
        self.assertTrue(
            self.read("http://a --record f --record-secrets").record_secrets
        )

    def test_the_environment(self) -> None:
        environment = {
            "NBTWISTED_UPSTREAM": "tcp://a:1",
            "NBTWISTED_PORT": "9",
            "NBTWISTED_ADMIN_PORT": "none",
            "NBTWISTED_UPSTREAM_TIMEOUT": "5s",
            "NBTWISTED_INSECURE": "yes",
        }
        self.patch(os, "environ", environment)
        options = self.read("")
        self.assertEqual(options.upstream, Upstream("a", 1))
        self.assertEqual(options.listen, ("tcp:9:interface=127.0.0.1",))
        self.assertEqual(options.admin_port, NO_PORT)
        self.assertEqual(options.upstream_timeout, 5.0)
        self.assertTrue(options.insecure)
        # What is typed goes before it.
        self.assertEqual(self.read("http://b").upstream, Origin(False, "b", 80))

    def test_the_environment_is_refused_by_its_name(self) -> None:
        self.patch(os, "environ", {"NBTWISTED_UPSTREAM": "a"})
        self.assertIn("NBTWISTED_UPSTREAM: 'a': there is no scheme", self.refusal(""))

    def test_what_is_refused(self) -> None:
        for arguments, expected in REFUSED.items():
            said = self.refusal(arguments)
            self.assertIn(expected, said, arguments)
            self.assertEqual(said.count("\n"), 1, said)

    def test_no_secret_is_repeated(self) -> None:
        for upstream in ("http://me:secret@a", "tcp://me:secret@a:1", "me:secret@a"):
            self.assertNotIn("secret", self.refusal(upstream))
