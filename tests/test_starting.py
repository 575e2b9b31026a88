"""Commands in a new interpreter, which loads what they need and nothing more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import trustme
from twisted.trial.unittest import SynchronousTestCase

from tests.server.running import BY_MODULE, RunningServer

# With an option of its own, it is no fork of the warm process of the tests.
NEW = (sys.executable, "-B")

LOADED = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, sep="\\n", file=sys.stderr))
from nbtwisted.__main__ import main
main()
"""

NOT_FOR_A_PLAIN_GET = {
    *("OpenSSL", "cryptography", "service_identity", "ssl", "twisted.internet.ssl"),
    *("twisted.protocols.tls", "nbtwisted.client.connection.tls"),
    *("asyncio", "concurrent.futures", "http.client", "http.cookiejar", "email"),
    *("urllib.request", "tempfile", "pickle", "idna", "twisted.python.filepath"),
    *("twisted.internet.udp", "twisted.internet.unix", "twisted.internet.endpoints"),
    *("twisted.application", "twisted.plugin", "twisted.web", "klein", "werkzeug"),
    *("rich", "prometheus_client", "hdrh", "nbtwisted.server", "nbtwisted.load"),
    *("nbtwisted.timeline", "nbtwisted.client.results.recording"),
    *("nbtwisted.cluster.cluster", "dask", "distributed"),
}

# None in its place: to import it raises, as where it is not installed.
WITHOUT_DASK = """
import importlib, pkgutil, sys
for name in ("dask", "distributed", "tornado", "fsspec"):
    sys.modules[name] = None
import nbtwisted
for module in pkgutil.walk_packages(nbtwisted.__path__, "nbtwisted."):
    importlib.import_module(module.name)
    print(module.name)
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    # Coverage would load more.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    return subprocess.run(
        [*NEW, *command],
        capture_output=True,
        text=True,
        check=False,
        # Before pytest takes this process for one that hangs.
        timeout=50,
        env=environment,
    )


class StartingTests(SynchronousTestCase):
    def body(self, *arguments: str) -> str:
        ran = run("-m", "nbtwisted", "get", "--format=body", *arguments)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout

    def test_what_a_plain_get_loads(self) -> None:
        with RunningServer() as server:
            ran = run("-c", LOADED, "get", f"{server.url}get")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("HTTP/1.1 200 OK", ran.stdout)
        loaded = set(ran.stderr.split())
        self.assertIn("nbtwisted.client.command", loaded)
        self.assertEqual(loaded & NOT_FOR_A_PLAIN_GET, set())

    def test_what_one_loads_that_may_be_redirected(self) -> None:
        with RunningServer() as server:
            ran = run("-c", LOADED, "get", "-L", f"{server.url}get")
        self.assertIn("nbtwisted.client.connection.tls", ran.stderr.split())

    def test_what_a_plain_load_loads(self) -> None:
        with RunningServer() as server:
            ran = run("-c", LOADED, "load", "-n1", f"{server.url}get")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        loaded = set(ran.stderr.split())
        self.assertEqual(loaded & {"OpenSSL", "asyncio", "dask", "distributed"}, set())

    def test_nothing_needs_dask_to_be_loaded(self) -> None:
        ran = run("-c", WITHOUT_DASK)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("nbtwisted.cluster.cluster", ran.stdout.split())

    def test_tls(self) -> None:
        issued = trustme.CA().issue_cert("127.0.0.1")
        with tempfile.TemporaryDirectory() as folder:
            issued.private_key_and_cert_chain_pem.write_to_path(f"{folder}/both.pem")
            where = f"ssl:0:interface=127.0.0.1:privateKey={folder}/both.pem"
            command = [*NEW, *BY_MODULE[1:], "--listen", where]
            with RunningServer(command) as server:
                url = server.next_line().split()[-1] + "get"
                moved = f"{server.url}redirect-to?url={url}"
                self.assertEqual(json.loads(self.body("-k", url))["url"], url)
                self.assertEqual(json.loads(self.body("-kL", moved))["url"], url)
                refused = run("-m", "nbtwisted", "get", url)
                self.assertEqual(refused.returncode, 60, refused.stderr)
                loaded = run("-m", "nbtwisted", "load", "-kn5", "--json=-", url)
        self.assertEqual(loaded.returncode, 0, loaded.stderr)
        self.assertEqual(json.loads(loaded.stdout)["statuses"], {"200": 5})

    def test_a_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            command = [*NEW, *BY_MODULE[1:], "--listen", f"unix:{path}"]
            with RunningServer(command):
                said = self.body("--unix-socket", path, "http://any.invalid/get")
        self.assertEqual(json.loads(said)["origin"], "unix")
