"""The pages are run: what they say a command prints is what it prints."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.server.running import BY_MODULE, RunningServer

ROOT = pathlib.Path(__file__).parent.parent
PAGES = ["README.md", "README.ja.md", "docs/client.md", "docs/delays.md"]
PAGES += ["docs/server.md", "docs/load.md", "docs/reactor.md"]
# What a page shows under a name that only a checkout after `make run` has.
STANDS_FOR = {"make run": "python examples/five_at_once.py"}
# "…" alone on a line stands for any lines.
ANYTHING = "…"
# What bars are drawn with.
STROKES = "[·╌═━─█┄↻»╳]"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def a_port_of_four_digits() -> int:
    """One that nobody uses, and as long as the 8000 that the pages show."""
    for port in range(8001, 10_000):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port is taken")


def shape(line: str) -> str:
    """A line without what is never twice the same: numbers, dates, lengths of bars."""
    line = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "<date>", line)
    # An instant may be a millisecond or two either way of where a unit changes.
    line = re.sub(r"\d+(\.\d+)?(e-\d+)? m?s\b", "<time>", line)
    line = re.sub(rf"{STROKES}+ *|(<time> *){{2,}}", "<drawing>", line)
    return re.sub(r" {2,}", "  ", re.sub(r"\d+(\.\d+)?(e-\d+)?", "#", line))


def is_key(line: str) -> bool:
    """Whether a line says what strokes mean: those that there were room to be seen."""
    return re.fullmatch(rf"\s+({STROKES} \w+\s*)+", line) is not None


def matches(expected: list[str], printed: list[str]) -> bool:
    pattern = "".join(
        r"(?:.*\n)*?" if line == ANYTHING else re.escape(shape(line)) + r"\n"
        for line in expected
        if not is_key(line)
    )
    text = "".join(shape(line) + "\n" for line in printed if not is_key(line))
    return re.fullmatch(pattern, text) is not None


class DocsTests(SynchronousTestCase):
    def test_what_commands_print(self) -> None:
        environment = {
            **os.environ,
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
        }
        environment.pop("NBTWISTED_URL", None)
        ran = 0
        listen = f"tcp:{a_port_of_four_digits()}:interface=127.0.0.1"
        # The pages say when what they show depends on the seed.
        with RunningServer(
            [*BY_MODULE[:3], "--listen", listen, "--seed", "1"]
        ) as server:
            for page in PAGES:
                for block in blocks(page, "console"):
                    command, *expected = block.splitlines()
                    self.assertTrue(command.startswith("$ "), command)
                    if "| jq " in command and shutil.which("jq") is None:
                        continue  # a program that not every machine has
                    command = STANDS_FOR.get(command[2:], command[2:])
                    printed = subprocess.run(
                        command.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
                        shell=True,
                        cwd=ROOT,
                        env=environment,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                        timeout=60,
                        check=False,
                    ).stdout
                    printed = printed.replace(str(server.port), "8000")
                    self.assertTrue(
                        matches(expected, printed.splitlines()),
                        f"{page}: {command}\n{printed}",
                    )
                    ran += 1
        self.assertGreaterEqual(ran, 8)

    def test_shown_code_is_that_of_the_examples(self) -> None:
        examples = [path.read_text() for path in (ROOT / "examples").glob("*.py")]
        for page in PAGES:
            for block in blocks(page, "python"):
                self.assertTrue(any(block in text for text in examples), block)

    def test_links_lead_somewhere(self) -> None:
        for page in [*PAGES, "docs/architecture.md", "CHANGELOG.md"]:
            text = (ROOT / page).read_text(encoding="utf-8")
            for link in re.findall(r"\]\(([^)#]+)\)", text):
                if not link.startswith("https://"):
                    self.assertTrue(((ROOT / page).parent / link).exists(), link)

    def test_matching_can_fail(self) -> None:
        self.assertTrue(matches(["a 1", "…", "b"], ["a 2", "x", "y", "b"]))
        self.assertFalse(matches(["a 1", "b"], ["a 2", "x", "b"]))
        self.assertFalse(matches(["a 1"], ["c 1"]))
        self.assertTrue(matches(["a ━━ 1 s"], ["a ━─━╳  2 s", "  ━ held  ╳ error"]))
        self.assertFalse(matches(["a ━━ 1 s"], ["a  2 s"]))
