"""A Scrapy project as `scrapy startproject` makes it, under `nbtwisted trace`.

`make suites` runs this where Scrapy is installed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

COMMANDS = Path(sys.executable).parent
SECONDS = 60

SPIDER = """
import time

import scrapy


class BlockingSpider(scrapy.Spider):
    name = "blocking"

    def __init__(self, url):
        super().__init__(start_urls=[url])

    async def parse(self, response):
        yield {"bytes": len(response.body)}
        compute()


def compute():
    end = time.thread_time() + 0.5
    while time.thread_time() < end:
        pass
"""


def run(
    *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command that is installed beside this Python; raises if it fails."""
    ended = subprocess.run(
        [COMMANDS / arguments[0], *arguments[1:]],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if ended.returncode:
        raise AssertionError(f"{arguments} exited with {ended.returncode}: {ended}")
    return ended


class ScrapyProjectTests(SynchronousTestCase):
    """A project whose settings nobody has touched, and a spider of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = Path(folder.name)
        run("scrapy", "startproject", "shop", ".", cwd=self.project)
        Path(self.project, "shop/spiders/blocking.py").write_text(SPIDER)
        server = subprocess.Popen(
            [COMMANDS / "nbtwisted", "serve", "--port", "0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(server.communicate, timeout=SECONDS)
        self.addCleanup(server.terminate)
        assert server.stderr is not None
        said = server.stderr.readline()
        found = re.search(r"http://[\d.]+:\d+", said)
        assert found is not None, said
        self.url = f"{found[0]}/bytes/1000"

    def crawl(self, *options: str, **environment: str) -> str:
        """Crawl one page; returns what is on stderr."""
        ended = run(
            *["nbtwisted", "trace", *options],
            *["scrapy", "crawl", "blocking", "-a", f"url={self.url}"],
            *["-O", "items.json", "-L", "DEBUG"],
            cwd=self.project,
            **environment,
        )
        items = json.loads(Path(self.project, "items.json").read_text())
        self.assertEqual(items, [{"bytes": 1000}])
        return ended.stderr

    def test_default_settings(self) -> None:
        """It crawls as ever on asyncio's reactor; what blocks is named, by its line."""
        said = self.crawl("--out", "trace.json")
        self.assertRegex(said, r"Using reactor: .*\.AsyncioSelectorReactor\n")
        line = 1 + SPIDER.splitlines().index("        compute()")
        self.assertRegex(said, rf'blocking.py", line {line}, in parse\n.*compute\(\)')
        self.assertRegex(said, r"a stall of \d+ ms has ended: Task -> scrapy\.")
        self.assertRegex(said, r"reactor: [\d.]+ s, \d+ turns: .* stalled \d+%")
        text = Path(self.project, "trace.json").read_text()
        events = json.loads(text)["traceEvents"]
        # The page has come over a connection of Twisted's, in an event of its own.
        # Whether that is among the largest is the machine's affair.
        self.assertTrue(any(event["name"].endswith(" sends") for event in events))
        longest = max(
            (event for event in events if event.get("cat") == "callback"),
            key=lambda event: event["dur"] * ("parallel" in event["name"]),
        )
        self.assertGreaterEqual(longest["dur"], 450_000)

    def test_eager(self) -> None:
        """The one line of its settings that makes it faster is taken as it stands."""
        with Path(self.project, "shop/settings.py").open("a") as settings:
            name = "nbtwisted.reactor.eager_asyncio.EagerAsyncioReactor"
            settings.write(f'\nTWISTED_REACTOR = "{name}"\n')
        said = self.crawl("--stall-ms", "200")
        # It goes by the name of Twisted's; the module tells that it is ours.
        self.assertRegex(
            said, r"Using reactor: nbtwisted\..*\.AsyncioSelectorReactor\n"
        )
        self.assertRegex(said, r"a stall of \d+ ms has ended: Task -> scrapy\.")
