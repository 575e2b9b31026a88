"""Fills a lesson's page in with what a run of its program was. Pure.

A page has figures, as `{{seconds}}`, and empty fences: `program`, `picture` and
`output`. What is put into these differs between a terminal and a book.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, cast

from nbtwisted.study.picture import seconds, totals
from nbtwisted.study.run import Run
from nbtwisted.study.text import Language

__all__ = ["Fence", "figures", "filled", "joined"]

Fence = Literal["program", "picture", "output"]

_FENCE = re.compile(r"^```(program|picture|output)\n```$", re.MULTILINE)
_FIGURE = re.compile(r"\{\{ *([\w. -]+?) *\}\}")
_WIDE = "\u3000-\u9fff\uff00-\uffef"
_JOINT = re.compile(rf"(?<=[{_WIDE}])\n(?:> ?| +)?(?=[{_WIDE}\w`*([])(?!\d+\. )")
_HEADING = re.compile(r"^(#+ .*)\n(?!\n)", re.MULTILINE)
_PRINTED = re.compile(r"^(\w[\w .-]*): +(.+?) *$", re.MULTILINE)


def filled(
    page: str, values: Mapping[str, str], content: Callable[[Fence], str]
) -> str:
    """The page with its figures, and with what `content` gives for each fence.

    Raises `LookupError` for a figure that is not among the values.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise LookupError(f"{match[0]}: expected one of {', '.join(values)}")
        return values[match[1]]

    page = _FIGURE.sub(value, page)
    return _FENCE.sub(lambda match: content(cast(Fence, match[1])), page)


def figures(run: Run, language: Language) -> dict[str, str]:
    """The figures of a run, with their units, by the names that pages have for them."""
    of_requests = totals(run)
    values = {
        "seconds": seconds(of_requests.seconds, language),
        "program_seconds": seconds(run.seconds, language),
        "in_turn": seconds(of_requests.in_turn, language),
        "requests": f"{len(run.requests):,}",
        "answers": f"{of_requests.answers:,}",
        "errors": f"{of_requests.errors:,}",
        "together": f"{run.together:,}",
        "user": seconds(run.user, language),
        "system": seconds(run.system, language),
        "processor": seconds(run.user + run.system, language),
        "waiting": seconds(run.waiting, language),
        "threads": f"{run.threads:,}",
        "processes": f"{run.processes:,}",
        "memory": f"{run.memory / 1e6:.0f} MB",
        "descriptors": f"{run.descriptors:,}",
    }
    for name, made in (run.calls or {}).items():
        values[f"calls.{name}"] = f"{made.count:,}"
        for error, count in (made.errors or {}).items():
            values[f"errors.{name}.{error}"] = f"{count:,}"
    for key, printed in _PRINTED.findall(run.stdout):
        values.setdefault(f"printed.{key}", printed)
    return values


def joined(page: str) -> str:
    """The page with the lines of Japanese paragraphs joined.

    A source has one sentence a line, and Markdown makes a blank of the line's end.
    """
    parts = re.split(r"(^```.*?^```$)", page, flags=re.MULTILINE | re.DOTALL)
    # Every second part is a fence.
    parts[::2] = [_JOINT.sub("", _HEADING.sub(r"\1\n\n", part)) for part in parts[::2]]
    return "".join(parts)
