"""The programs that a page leaves running, each in a terminal of its own."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from tests import warm_start
from tests.pages import ANYTHING, ROOT, matches, printed_by

__all__ = ["Terminals", "behind_the_proxy", "mismatches_in_order"]

SECONDS_TO_BE_READY = 30
# Where a command says which port it listens on.
_LISTENING = re.compile(r"(--(?:admin-)?port[ =]|\btcp:)\d+")
_FENCE = re.compile(r"^```(console|text)\n(.*?)^```$", re.M | re.S)
_LEFT_RUNNING = re.compile(r"\$ (cd \S+ && )?nbtwisted (serve|proxy|trace)\b")
# The programs that are told their ports.
_SERVERS = ("nbtwisted serve", "nbtwisted proxy")
# A look at the program that was started last, which takes a while until it waits.
_LOOK = re.compile(r"(nbtwisted ps (?:--\w+ )*)\d+")
SECONDS_TO_BE_SEEN = 30
_ADDRESS = re.compile(r"(127\.0\.0\.1|localhost):(\d+)")


def mismatches_in_order(
    text: str,
    terminals: Terminals,
    environment: Mapping[str, str],
    root: pathlib.Path = ROOT,
    instead: Mapping[str, str] | None = None,
    run_too: str = "$ none",
) -> list[str]:
    """Do what a page's text shows from its top to its end, and list what is not so.

    In blocks of `text`, a program that serves is started, and left running; whatever
    else is in them is not run, unless it begins with `run_too`. Those of `console` are
    run to their ends. `instead` maps commands to what is run in their place.
    """
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = f"{name}/"
        for language, block in _FENCE.findall(text):
            prompt, *expected = block.splitlines()
            if language == "console" or prompt.startswith(run_too):
                command = prompt.removeprefix("$ ")
                if terminals.lack(command):
                    continue
                command = terminals.here((instead or {}).get(command, command))
                give_up = time.monotonic()
                if _LOOK.match(command):
                    give_up += SECONDS_TO_BE_SEEN
                while True:
                    printed = terminals.as_shown(
                        printed_by(command, environment, root, folder)
                    )
                    if matches(expected, printed.splitlines()):
                        break
                    if time.monotonic() > give_up:
                        wrong.append(f"{command}\n{printed}")
                        break
            elif _LEFT_RUNNING.match(prompt) and not terminals.lack(prompt):
                seen = terminals.start(block, folder=folder)
                if seen is not None:
                    wrong.append(seen)
    return wrong


def behind_the_proxy(page: str) -> str:
    """The part of a README about the proxy, behind what it has running by then."""
    text = (ROOT / page).read_text(encoding="utf-8")
    serve = text.partition("```text\n$ nbtwisted serve")[2].partition("```")[0]
    [part] = [each for each in text.split("\n### ") if "\n$ nbtwisted proxy" in each]
    return f"```text\n$ nbtwisted serve{serve}```\n{part}"


class Terminals:
    """Starts programs that serve; as a context, ends them.

    Each listens on free ports in place of those that the page shows. Which these are
    is read from what it prints.

    ports   the port that there is for each that the page shows
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        root: pathlib.Path = ROOT,
        nbtwisted: Sequence[str] = (sys.executable, "-m", "nbtwisted"),
    ) -> None:
        self.ports: dict[str, str] = {}
        self._environment = environment
        self._root = root
        self._nbtwisted = nbtwisted
        self._running: list[tuple[str, subprocess.Popen[str]]] = []
        self._last_pid: int | None = None

    def start(self, block: str, *, folder: str = "/tmp/") -> str | None:
        """Start the program of a block; one that reads or writes the same HAR is ended.

        `folder` stands in for `/tmp/`. Returns what it has printed, if that is not what
        the page shows.
        """
        prompt, *expected = block.splitlines()
        command = prompt.removeprefix("$ ")
        self._end_what_is_in_the_way(command)
        here = self.here(command).replace("/tmp/", folder)
        place, _, words = here.rpartition(" && ")
        if words.startswith(_SERVERS):
            words = _LISTENING.sub(r"\g<1>0", words)
            if not _LISTENING.search(words):
                # At the port that it has by default.
                words += " --port 0"
        process = warm_start.Popen(
            [*self._nbtwisted, *shlex.split(words)[1:]],
            cwd=self._root / place.removeprefix("cd "),
            env=dict(self._environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._running.append((command, process))
        self._last_pid = process.pid
        if expected[-1:] == [ANYTHING]:
            # It may say more.
            expected.pop()
        assert process.stdout is not None
        late = threading.Timer(SECONDS_TO_BE_READY, process.kill)
        late.start()
        lines = [process.stdout.readline().rstrip("\n") for _ in expected]
        late.cancel()
        for line, seen in zip(expected, lines, strict=True):
            shown = [port for _, port in _ADDRESS.findall(line)]
            found = [port for _, port in _ADDRESS.findall(seen)]
            self.ports.update(zip(shown, found, strict=False))
        if matches(expected, lines):
            return None
        return f"{here}\n" + "\n".join(lines)

    def here(self, text: str) -> str:
        """A page's text with the ports that there are, and the PID to look at."""
        text = _LOOK.sub(rf"\g<1>{self._last_pid}", text)
        return _ADDRESS.sub(
            lambda found: f"{found[1]}:{self.ports.get(found[2], found[2])}", text
        )

    def lack(self, command: str) -> bool:
        """Whether a command needs what is not installed here: Scrapy.

        So does a look at a program that was not started.
        """
        if _LOOK.match(command):
            return self._last_pid is None
        is_lacking = "scrapy" in command and importlib.util.find_spec("scrapy") is None
        if is_lacking:
            self._last_pid = None
        return is_lacking

    def as_shown(self, text: str) -> str:
        """What was printed, with the ports that the page shows."""
        back = {real: shown for shown, real in self.ports.items()}
        return _ADDRESS.sub(
            lambda found: f"{found[1]}:{back.get(found[2], found[2])}", text
        )

    def _end_what_is_in_the_way(self, command: str) -> None:
        files = _recordings(command)
        for other, process in list(self._running):
            if files & _recordings(other):
                self._running.remove((other, process))
                _end(process)

    def __enter__(self) -> Terminals:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for command, process in reversed(self._running):
            if "nbtwisted trace" in command:
                # It was looked at, and may hang.
                process.kill()
            _end(process)


def _recordings(command: str) -> set[str]:
    return {word for word in shlex.split(command) if word.endswith(".har")}


def _end(process: subprocess.Popen[str]) -> None:
    """Ctrl-C, once; and then what cannot be refused."""
    process.terminate()
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
