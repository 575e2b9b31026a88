"""A request, as bytes. Pure."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Message"]


class Message(NamedTuple):
    """A request, as it is sent."""

    head: bytes
    """From its first line to its blank line."""
    body: bytes = b""

    @property
    def method(self) -> str:
        """As it stands in the first line."""
        return self.head[: self.head.index(b" ")].decode("ascii")

    @property
    def is_head(self) -> bool:
        """Whether no body follows the response's head, whatever that says."""
        return self.head.startswith(b"HEAD ")
