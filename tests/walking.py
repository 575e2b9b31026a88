"""What docs/architecture.md says of a request's way, and the way that one takes."""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Callable
from types import FrameType

ROOT = pathlib.Path(__file__).parents[1]

Stop = tuple[str, list[str]]
"""A file, and the functions of it that are called there."""


def walks(part: str) -> list[tuple[str, str, list[Stop]]]:
    """Each kind of request through a part, how to make it, and the stops on its way."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    _, _, section = page.partition(f"\n## One road through the {part}\n")
    section, _, _ = section.partition("\n## ")
    beginning = _stops_of("\n".join(re.findall(r"^[123]\. .*", section, re.M)))
    rows = re.findall(r"^\| ([\w ]+) \| ([^|]+) \| (.*`: `.*) \|$", section, re.M)
    return [(kind, how, beginning + _stops_of(rest)) for kind, how, rest in rows]


def _stops_of(text: str) -> list[Stop]:
    """The files that a text names, and of each the functions: `file`: `f` → `g`."""
    return [
        (file, re.findall(r"`(\w+)`", functions))
        for file, functions in re.findall(r"`([\w/]+\.py)`: ((?:`\w+`(?: → )?)+)", text)
    ]


def calls_of(part: str, act: Callable[[], object]) -> list[tuple[str, str]]:
    """The functions of a part that are called, each with its file."""
    folder = ROOT / "nbtwisted" / part
    calls = []

    def note(frame: FrameType, event: str, _: object) -> None:
        path = pathlib.Path(frame.f_code.co_filename)
        if event == "call" and folder in path.parents:
            calls.append((path.relative_to(folder).as_posix(), frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return calls
