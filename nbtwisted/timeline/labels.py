"""URLs without what most of them have in common, and need not say in each row. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

__all__ = ["shortener"]


def shortener(urls: Iterable[str]) -> Callable[[str], str]:
    """What takes off the origin that at least half of these have, and `http://`."""
    origins = Counter(
        url[: url.find("/", len("https://"))]
        for url in urls
        if url.startswith(("http://", "https://"))
    )
    common, number = origins.most_common(1)[0] if origins else ("", 0)
    if number * 2 < origins.total():
        common = ""

    def short(url: str) -> str:
        if common and url.startswith(common + "/"):
            return url[len(common) :]
        return url.removeprefix("http://")

    return short
