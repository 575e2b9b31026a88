"""A URI in its parts, and references resolved against it: RFC 3986. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["URI", "split_uri", "without_dots"]

# RFC 3986, appendix B; but a scheme begins with a letter (3.1).
_PARTS = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?",
    re.DOTALL,
)


def split_uri(text: str) -> tuple[str | None, str | None, str, str | None, str | None]:
    """Take any text apart: the fields of a `URI`, but for the scheme as it came."""
    match = _PARTS.fullmatch(text)
    assert match is not None, "the expression takes any text"
    return match.groups()  # type: ignore[return-value]


@dataclass(frozen=True)
class URI:
    """A URI, or a reference relative to one; what is not there is None.

    That is something else than an empty part: `http://h/?` has a query.
    """

    scheme: str | None
    """In small letters."""
    authority: str | None
    """User, host and port."""
    path: str
    query: str | None
    fragment: str | None

    @classmethod
    def split(cls, text: str) -> URI:
        """Take any text apart."""
        scheme, authority, path, query, fragment = split_uri(text)
        return cls(scheme and scheme.lower(), authority, path, query, fragment)

    def __str__(self) -> str:
        """The text, as 5.3 puts it together."""
        return "".join(
            (
                "" if self.scheme is None else f"{self.scheme}:",
                "" if self.authority is None else f"//{self.authority}",
                self.path,
                "" if self.query is None else f"?{self.query}",
                "" if self.fragment is None else f"#{self.fragment}",
            )
        )

    def resolve(self, reference: URI) -> URI:
        """What a reference means to who has this for a base: 5.2.2."""
        path, query = without_dots(reference.path), reference.query
        if reference.scheme is not None:
            return URI(
                reference.scheme, reference.authority, path, query, reference.fragment
            )
        if reference.authority is not None:
            return URI(
                self.scheme, reference.authority, path, query, reference.fragment
            )
        if not reference.path:
            path = self.path
            query = self.query if query is None else query
        elif not reference.path.startswith("/"):
            path = without_dots(self._merged(reference.path))
        return URI(self.scheme, self.authority, path, query, reference.fragment)

    def _merged(self, path: str) -> str:
        """A relative path in the place of this one's last segment: 5.2.3."""
        if self.authority is not None and not self.path:
            return f"/{path}"
        return self.path[: self.path.rfind("/") + 1] + path


def without_dots(path: str) -> str:
    """The path without `.` and `..`: 5.2.4."""
    if "." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            # Above the root there is nothing.
            del kept[max(len(kept) - 1, 1) :]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)
