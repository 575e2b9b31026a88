"""`get --compressed`, against a real server."""

from __future__ import annotations

import functools
import gzip
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.client.test_command import run
from tests.client.test_content_coding import brotli, zstd
from tests.server.running import BY_MODULE, RunningServer

A_LOT = bytes(70_000_000)
"""More than a body may have."""


@functools.cache
def bodies() -> dict[str, tuple[str, bytes]]:
    """Pack them, which takes 0.4 s: the coding and the bytes of each."""
    return {
        "gzip": ("gzip", gzip.compress(b"[1]")),
        "large": ("gzip", gzip.compress(b"x" * 3_000_000)),
        "brotli": ("br", brotli(b"[2]")),
        "zstd": ("zstd", zstd(b"[3]")),
        "twice": ("deflate, br", brotli(zlib.compress(b"[4]"))),
        "bomb": ("gzip", gzip.compress(A_LOT)),
        "nested": ("gzip, gzip", gzip.compress(gzip.compress(A_LOT))),
        "cut": ("gzip", gzip.compress(b"[5]")[:-1]),
        "unknown": ("compress", b"[6]"),
    }


RULE = """
[[rule]]
match = {{ path = "/packed/{name}" }}
body_file = "{name}"
header = "Content-Encoding: {coding}"
"""


class CompressedTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name, (_, body) in bodies().items():
            (self.folder / name).write_bytes(body)
        rules = self.folder / "rules.toml"
        each = [RULE.format(name=n, coding=c) for n, (c, _) in bodies().items()]
        rules.write_text("".join(each))
        self.server = RunningServer([*BY_MODULE, "--rules", str(rules)])
        self.addCleanup(self.server.__exit__, None, None, None)

    def get(self, *arguments: str) -> tuple[list[dict[str, Any]], int]:
        """The records of requests for paths, and the exit code."""
        options, paths = arguments[:-1], arguments[-1].split()
        urls = [self.server.url + path for path in paths]
        ended = run("--compressed", "--format", "jsonl", *options, *urls)
        return [
            json.loads(line) for line in ended.stdout.splitlines()
        ], ended.returncode

    def test_what_is_asked_for_and_unpacked(self) -> None:
        records, code = self.get("gzip deflate brotli get")
        self.assertEqual(code, 0)
        for record in records:
            echo = json.loads(record["body"])
            accepted = echo["headers"]["Accept-Encoding"]
            self.assertEqual(accepted, "gzip, deflate, br, zstd")
            self.assertEqual(record["bytes"], len(record["body"]))
        records, _ = self.get("-H", "Accept-Encoding: x", "gzip")
        echo = json.loads(records[0]["body"])
        self.assertEqual(echo["headers"]["Accept-Encoding"], "x")

    def test_every_coding(self) -> None:
        names = ("gzip", "brotli", "zstd", "twice")
        records, code = self.get(" ".join(f"packed/{name}" for name in names))
        bodies = [record["body"] for record in records]
        self.assertEqual((bodies, code), (["[1]", "[2]", "[3]", "[4]"], 0))

    def test_large_ones_beside_others(self) -> None:
        records, code = self.get("-n", "5", "packed/large get")
        self.assertEqual([r["bytes"] for r in records[:5]], [3_000_000] * 5)
        self.assertEqual((len(records), code), (10, 0))

    def test_bombs(self) -> None:
        for name in ("bomb", "nested"):
            records, code = self.get(f"packed/{name}")
            error = records[0]["error"]
            size = len(bodies()[name][1])
            self.assertEqual(code, 63)
            self.assertEqual(
                error,
                {
                    "type": "UnpacksTooLarge",
                    "phase": "content coding",
                    "message": f"the body of {size:,} bytes unpacks to more than "
                    f"67,108,864: more than {2**26 // size:,} to 1",
                },
            )

    def test_what_cannot_be_unpacked(self) -> None:
        records, code = self.get("packed/cut packed/unknown packed/gzip")
        self.assertEqual(
            [record["error"] and record["error"]["message"] for record in records],
            [
                "the body ends before its gzip does",
                "content-encoding 'compress': expected gzip, deflate, br or zstd",
                None,
            ],
        )
        self.assertEqual(code, 61)

    def test_raw_is_as_it_came(self) -> None:
        path = self.folder / "a.raw"
        run("--compressed", "-o", str(path), f"{self.server.url}packed/brotli")
        self.assertTrue(path.read_bytes().endswith(bodies()["brotli"][1] + b"\n"))

    def test_an_archive_of_it(self) -> None:
        path = self.folder / "a.har"
        self.get("--har", str(path), "packed/large packed/gzip")
        # In the order in which they ended.
        entries = json.loads(path.read_text())["log"]["entries"]
        (small,) = (entry for entry in entries if entry["_index"] == 1)
        content = small["response"]["content"]
        packed = len(bodies()["gzip"][1])
        self.assertEqual((content["text"], content["compression"]), ("[1]", 3 - packed))
        self.assertEqual(small["response"]["bodySize"], packed)
