"""The upstream of a proxy, as values know it. Pure."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from nbtwisted.server.model.body import Body
from nbtwisted.server.model.headers import HeaderLines

__all__ = ["Upstream", "UpstreamAnswer"]


class Upstream(Protocol):
    """A server that is asked for the answers of a proxy."""

    @property
    def place(self) -> str:
        """Where it is, for people to read: `http://127.0.0.1:8000`."""


class UpstreamAnswer(NamedTuple):
    """An answer, as far as it is for whoever asked the proxy."""

    status: int
    reason: str
    headers: HeaderLines
    """Text by UTF-8; bytes that are none are lone surrogates, as Python has it."""
    body: Body
