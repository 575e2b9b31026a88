"""URLs without what most of them have in common, and need not say in each row. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

__all__ = ["common_origin", "short"]


def common_origin(urls: Iterable[str]) -> str:
    """The origin that at least half of these have; or nothing."""
    origins = Counter(
        url[: url.find("/", len("https://"))]
        for url in urls
        if url.startswith(("http://", "https://"))
    )
    origin, number = origins.most_common(1)[0] if origins else ("", 0)
    return origin if number * 2 >= origins.total() else ""


def short(url: str, origin: str) -> str:
    """The URL without that origin; without `http://`, if it has another."""
    if origin and url.startswith(origin + "/"):
        return url[len(origin) :]
    return url.removeprefix("http://")
