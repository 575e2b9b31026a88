"""Looks for links of a site that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["broken_links"]


def broken_links(folder: Path) -> Iterator[str]:
    """A line for each link of a page in the folder that leads nowhere."""
    read = {path.resolve(): _Page(path) for path in folder.rglob("*.html")}
    for path, page in read.items():
        for link in page.links:
            scheme, host, target, _, anchor = urlsplit(link)
            if scheme or host:
                continue
            there = (path.parent / unquote(target)).resolve() if target else path
            other = read.get(there)
            if not there.is_file() or (
                anchor and other and unquote(anchor) not in other.anchors
            ):
                yield f"{path.relative_to(folder.resolve())}: {link} leads nowhere"


class _Page(HTMLParser):
    """The links of a page, and what in it can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links to, and its name."""
        for name, value in attrs:
            if name == "id":
                self.anchors.add(value or "")
            elif name in ("href", "src", "srcset") and tag != "use":
                self.links.append(value or "")
