"""A recording as people make it, and play it: by `nbtwisted proxy` and `serve`."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.client.test_har import VALIDATOR
from tests.proxy.running import RunningProxy, run
from tests.server.running import BY_MODULE, RunningServer

ASKED = (
    *("GET /uuid", "GET /uuid", "GET /status/503", "GET /delay/150ms"),
    *("GET /bytes/3000?seed=1", "GET /stream-bytes/5000?seed=2", "GET /gzip"),
    *("GET /drip?duration=300ms&numbytes=9", "HEAD /get?a=b", "POST /anything"),
    *("GET /cookies/set/a/b", "GET /absent"),
)
FAILED = {
    "/bytes/1000?seed=3&_fault=truncate": "ResponseCutShort",
    "/get?_fault=reset": "ConnectionLost",
    "/get?_fault=empty": "EmptyResponse",
    "/get?_fault=garbage": "MalformedResponse",
}


def request(asked: str) -> bytes:
    method, _, target = asked.partition(" ")
    body = b"question" if method == "POST" else b""
    return (
        f"{method} {target} HTTP/1.1\r\nHost: a.test\r\nCookie: a=secret\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


def answer(server: RunningServer, asked: str) -> tuple[int, bytes, float]:
    """The status, the body without its framing, and the seconds that it took."""
    began = time.monotonic()
    raw = server.ask(request(asked))
    seconds = time.monotonic() - began
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = unchunked(body)
    return int(head.split()[1]), body, seconds


def unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        body += data[:size]
        data = data[size + 2 :] if size else b""
    return body


class AsRunTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "day.har")

    def entries(self) -> list[dict[str, Any]]:
        archive = json.loads(Path(self.path).read_bytes())
        VALIDATOR.validate(archive)
        found: list[dict[str, Any]] = archive["log"]["entries"]
        return found

    def proxy(self, upstream: RunningServer, *options: str) -> RunningProxy:
        return RunningProxy(
            *(upstream.url.rstrip("/"), "--port", "0", "--record", self.path), *options
        )

    def test_it_is_recorded_and_played(self) -> None:
        with RunningServer() as upstream:
            options = ("--default", "_delay=20ms", "--record-bodies", "2kB")
            with self.proxy(upstream, *options) as proxy:
                passed = [answer(proxy, asked) for asked in ASKED]
                for target in FAILED:
                    proxy.ask(request(f"GET {target}"))
                self.assertEqual(proxy.stop(), 0, proxy.output)
        found = self.entries()
        self.assertEqual(len(found), len(ASKED) + len(FAILED))
        urls = [each["request"]["url"] for each in found]
        self.assertEqual(urls[0], f"{upstream.url}uuid")
        errors = [each["_error"]["type"] for each in found if "_error" in each]
        self.assertEqual(errors, [*FAILED.values()])
        headers = json.dumps([each["request"]["headers"] for each in found])
        self.assertIn("(not written)", headers)
        self.assertNotIn("secret", headers)
        posted = next(e for e in found if e["request"]["method"] == "POST")
        self.assertEqual(posted["request"]["postData"]["text"], "question")

        arguments = ("--har", self.path, "--timing", "recorded")
        with RunningServer([*BY_MODULE, *arguments]) as played:
            again = [answer(played, asked) for asked in ASKED]
            for asked, (status, body, _), (told, said, took) in zip(
                ASKED, passed, again, strict=True
            ):
                self.assertEqual(told, status, asked)
                if asked == "GET /gzip":
                    # It is unpacked, and says so itself.
                    self.assertTrue(json.loads(said)["gzipped"])
                else:
                    self.assertEqual(len(said), len(body), asked)
                    self.assertEqual(said[:2000], body[:2000], asked)
                if "delay" in asked or "drip" in asked:
                    self.assertGreater(took, 0.14, asked)
            truncated, *broken = FAILED
            raw = played.ask(request(f"GET {truncated}"))
            self.assertIn(b"\r\nContent-Length: 1000\r\n", raw)
            self.assertEqual(len(raw.partition(b"\r\n\r\n")[2]), 500)
            for target, error in zip(broken, [*FAILED.values()][1:], strict=True):
                if error == "ConnectionLost":
                    with self.assertRaises(ConnectionResetError):
                        played.ask(request(f"GET {target}"))
                elif error == "EmptyResponse":
                    self.assertEqual(played.ask(request(f"GET {target}")), b"")
                else:
                    raw = played.ask(request(f"GET {target}"))
                    self.assertTrue(raw.startswith(b"\xff"))

    def test_one_that_is_killed_leaves_an_archive(self) -> None:
        with RunningServer() as upstream, self.proxy(upstream) as proxy:
            for _ in range(3):
                answer(proxy, "GET /get")
            deadline = time.monotonic() + 10
            while len(self.entries()) < 3 and time.monotonic() < deadline:
                os.sched_yield()
            proxy.stop(by=signal.SIGKILL)
        self.assertEqual(len(self.entries()), 3)

    def test_an_upstream_that_is_not_there(self) -> None:
        with RunningServer() as upstream:
            upstream.stop()
            with self.proxy(upstream) as proxy:
                self.assertEqual(answer(proxy, "GET /get")[0], 502)
                proxy.stop()
        (found,) = self.entries()
        self.assertEqual(found["_error"]["type"], "ConnectFailed")
        self.assertEqual(found["response"]["status"], 0)

    def test_a_file_that_cannot_be_written(self) -> None:
        arguments = ("http://127.0.0.1:1", "--port", "0", "--record", "/nowhere/a.har")
        ended = run(*arguments)
        self.assertEqual(ended.returncode, 1)
        said = "--record: cannot write /nowhere/a.har: No such file or directory"
        self.assertEqual(ended.stderr, f"nbtwisted: error: {said}\n")
