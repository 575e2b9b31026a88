"""Reports and intervals of runs that nobody made, and the pages that they are on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from nbtwisted.timeline.load.page import load_page

__all__ = [
    "BEGAN",
    "CURVE",
    "FOUR",
    "HOSTILE",
    "NOTHING",
    "Read",
    "active_content",
    "cells",
    "interval",
    "latency",
    "page",
    "report",
    "section",
]

BEGAN = 1_700_000_000.25
HOSTILE = "http://x/<img src=x onerror=alert(1)>\"'&</script><!--\u202e\ud800\x1b"
NAMES = ("p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99")


def latency(seconds: float) -> dict[str, float]:
    return dict.fromkeys(("mean", "min", "max", *NAMES), seconds)


def report(**more: Any) -> dict[str, Any]:
    return {
        "urls": ["http://127.0.0.1:8000/?_delay=0"],
        "urls_left_out": 0,
        "methods": {"GET": 40},
        "connections": 5,
        "rate": None,
        "stages": None,
        "seconds": 0.3,
        "sent": 40,
        "answered": 40,
        "failed": 0,
        "rps": 400.0,
        "bytes": 760,
        "latency": latency(0.01),
        "uncorrected": None,
        "statuses": {"200": 40},
        "errors": [],
        "client": {"cpu": 0.1},
        "interrupted": False,
        "warnings": [],
        **more,
    }


def interval(began: float, ended: float, **more: Any) -> dict[str, Any]:
    figures = {"p50": 0.01, "p90": 0.02, "p99": 0.03, "max": 0.04}
    return {
        "began": began,
        "ended": ended,
        "answered": 10,
        "failed": 0,
        "latency": figures,
        "uncorrected": None,
        "statuses": {"2xx": 10},
        "errors": {},
        **more,
    }


NOTHING: dict[str, Any] = {
    "answered": 0,
    "latency": None,
    "statuses": {},
}
FOUR = [interval(n / 10, (n + 1) / 10) for n in range(4)]
CURVE = [(0.0, 0.008), (0.5, 0.01), (0.9, 0.02), (1 - 1 / 40, 0.04)]


def page(
    found: dict[str, Any] | None = None,
    intervals: list[dict[str, Any]] = FOUR,
    uncorrected: list[tuple[float, float]] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    curve: list[tuple[float, float]] = CURVE,
    before: Sequence[dict[str, Any]] = (),
) -> str:
    return load_page(
        report() if found is None else found,
        began=BEGAN,
        intervals=intervals,
        curves={"latency": curve, "uncorrected": uncorrected},
        conditions=conditions or [],
        before=before,
    )


class Read(HTMLParser):
    """What a browser makes of a page: its elements, and the text of all of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.data = ""
        self._inside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside.append(dict(attrs).get("id") or tag)

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] == ["data"] and not self.data:
            self.data = data
        # Neither styles nor scripts are shown.
        if self._inside[-1:] not in (["style"], ["script"], ["data"]):
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._inside.append("")

    def count(self, tag: str, **attributes: str) -> int:
        return sum(
            name == tag and attributes.items() <= found.items()
            for name, found in self.elements
        )


def section(text: str, name: str) -> str:
    """The element of a page that has this id."""
    found = re.search(rf'<(\w+) [^>]*id="{name}".*?</\1>', text, re.DOTALL)
    assert found is not None, name
    return found[0]


def cells(text: str) -> list[list[str]]:
    """The rows of the tables of a section."""
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in re.findall(r"<tr.*?</tr>", text)
    ]


def active_content(text: str) -> list[str]:
    """What a page has that could do something, besides its own script and data."""
    read = Read(text)
    found = ["img"] * read.count("img") + ["script"] * (read.count("script") - 2)
    for name, attributes in read.elements:
        found += [
            f"{name} {key}"
            for key in attributes
            if key.startswith("on") or key == "style"
        ]
    if not text.replace("\n", "").isprintable():
        found.append("what is not printable")
    return found
