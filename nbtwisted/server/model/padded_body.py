"""A body of which only the beginning is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nbtwisted.server.model.body import Filler, Whole
from nbtwisted.server.model.control_text import parse_size
from nbtwisted.server.model.controls import Content

__all__ = ["Padded", "lengthened"]


@dataclass(frozen=True)
class Padded:
    """Bytes that are there, and as many times `*` behind them as make `length`."""

    content: bytes
    length: int
    in_chunks: bool = False

    def pieces(self) -> Iterator[bytes]:
        """As every body's."""
        yield from Whole(self.content).pieces()
        yield from Filler(self.length - len(self.content)).pieces()


def lengthened(content: Content | None, size: object) -> Content:
    """The content, filled up to so many bytes.

    Raises `ValueError` with what was expected.
    """
    if content is None or not isinstance(content.body, Whole):
        raise ValueError("a body beside it, without placeholders")
    length = parse_size(str(size))
    if length < content.body.length:
        raise ValueError(f"the size of its body, {content.body.length}, or more")
    return content._replace(body=Padded(content.body.content, length))
