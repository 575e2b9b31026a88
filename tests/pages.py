"""Runs what the pages of the documentation show, and compares what it prints."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "ANYTHING",
    "IN_ORDER",
    "PAGES",
    "ROOT",
    "blocks",
    "matches",
    "mismatches",
    "printed_by",
]

ROOT = pathlib.Path(__file__).parent.parent

PAGES = ["README.md", "README.ja.md", "docs/client.md", "docs/delays.md"]
PAGES += ["docs/description.md", "docs/server.md", "docs/load.md"]
PAGES += ["docs/study.md", "docs/rules.md", "docs/cluster.md"]
# What is running stands in the page itself.
IN_ORDER = ["docs/proxy.md", "docs/recordings.md", "docs/reactor.md"]

# "…" alone on a line stands for any lines.
ANYTHING = "…"
# What bars are drawn with.
STROKES = "[·┊╌∩═━─≈▁▂▃▄▅▆▇█┄↻»╳]"
# What the study draws of a program, beside its requests.
MEASURES = "user|system|waiting|memory|ユーザ|システム|待ち|メモリ"
# The port that the pages show.
SHOWN_PORT = "127.0.0.1:8000"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page that are marked with a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def mismatches(
    page: str,
    port: int,
    environment: Mapping[str, str],
    *,
    root: pathlib.Path = ROOT,
    instead: Mapping[str, str] | None = None,
    besides: str | None = None,
) -> list[str]:
    """Run each console block of a page, and list those that printed something else.

    `port` is where the server is that the page has at 8000.
    `instead` maps commands to what is run in their place.
    `besides` is another page, which is run, too: what both show is not run here.
    """
    # The pages write to /tmp and to the home folder, where somebody's files may be in
    # the way; and the study is to know nobody's progress.
    with tempfile.TemporaryDirectory() as folder:
        environment = {**environment, "XDG_STATE_HOME": f"{folder}/state"}
        shown = blocks(page, "console")
        if besides is not None:
            others = blocks(besides, "console")
            shown = [block for block in shown if block not in others]
        return [
            f"{page}: {wrong}"
            for wrong in _mismatches(
                shown, port, environment, root, instead or {}, f"{folder}/"
            )
        ]


def _mismatches(
    shown: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    root: pathlib.Path,
    instead: Mapping[str, str],
    folder: str,
) -> list[str]:
    wrong = []
    for block in shown:
        prompt, *expected = block.splitlines()
        assert prompt.startswith("$ "), prompt
        if "| jq " in prompt and shutil.which("jq") is None:
            continue  # a program that not every machine has
        command = instead.get(prompt[2:], prompt[2:])
        printed = printed_by(
            command.replace(SHOWN_PORT, f"127.0.0.1:{port}"), environment, root, folder
        ).replace(str(port), "8000")
        if not matches(expected, printed.splitlines()):
            wrong.append(f"{command}\n{printed}")
    return wrong


def printed_by(
    command: str, environment: Mapping[str, str], root: pathlib.Path, folder: str
) -> str:
    """What a page's command prints, with `folder` in the place of `/tmp/` and `~/`."""
    printed = subprocess.run(
        command.replace("/tmp/", folder).replace("~/", folder),
        shell=True,
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    ).stdout
    return "".join(
        line + "\n"
        for line in printed.replace(folder, "/tmp/").splitlines()
        # Of the machine, and not of what the page shows.
        if not re.match(r"Warning: the client was |This client cannot ask ", line)
    )


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether lines have the shape of those that a page shows."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == ANYTHING else re.escape(_shape(line)) + r"\n"
        for line in _compared(expected)
    )
    text = "".join(_shape(line) + "\n" for line in _compared(printed))
    return re.fullmatch(pattern, text) is not None


def _compared(lines: list[str]) -> Iterator[str]:
    """All lines but keys, and but system calls, whose names differ between machines."""
    is_of_calls = False
    for line in lines:
        is_of_calls = line.startswith(("system calls:", "システムコール:")) or (
            is_of_calls and line.startswith("  ")
        )
        if not is_of_calls and not _is_key(line):
            yield line


def _shape(line: str) -> str:
    """A line without what is never twice the same: numbers, dates, lengths of bars."""
    # Where the pages have this project, and its programs.
    programs = pathlib.Path(sys.executable).parent
    line = line.replace(f"{programs}/", "/src/nbtwisted/.venv/bin/")
    line = line.replace(f"{ROOT}/", "/src/nbtwisted/")
    line = line.replace(os.path.relpath(programs, ROOT), ".venv/bin")
    line = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "<date>", line)
    # An instant may be a millisecond or two either way of where a unit changes.
    line = re.sub(r"\d+(\.\d+)?(e-\d+)? (m?s\b|(ミリ)?秒)", "<time>", line)
    # The machine may have had too much to do.
    line = re.sub(r"; the client: its timers were .*? late \([^)]*\)", "", line)
    line = re.sub(r"(  \S+/s)  limited  ", r"\1  failed  ", line)
    # A pause that is drawn may be longer than a pace wants to wait.
    line = re.sub(r"; \d+ paced", "", line)
    # How busy a program was: there may be nothing to draw.
    line = re.sub(rf"^({MEASURES}) .*  (?=\S)", r"\1 <drawing>", line)
    line = re.sub(rf"{STROKES}+ *|(<time> *){{2,}}", "<drawing>", line)
    return re.sub(r" {2,}", "  ", re.sub(r"\d+(,\d{3})*(\.\d+)?(e-\d+)?", "#", line))


def _is_key(line: str) -> bool:
    """Whether a line says what strokes mean: those that there were room to be seen."""
    return re.fullmatch(rf"\s+({STROKES} \w+\s*)+", line) is not None
