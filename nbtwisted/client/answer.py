"""What came back, and how long each part of it took. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer", "Head", "Timing"]


@dataclass(frozen=True)
class Timing:
    """When a request left the queue, and the seconds that each phase took.

    A phase that was not reached is None.
    """

    started: float
    """Unix time at which the request left the queue."""
    queued: float
    """Seconds from being asked for to leaving the queue; not part of `total`."""
    dns: float | None
    """Seconds to look the host's name up; 0 or nearly so for an address."""
    connect: float | None
    """Seconds from having an address to being connected."""
    tls: float | None
    """Seconds from being connected to the end of the TLS handshake, if there is one."""
    wait: float | None
    """Seconds from the last request byte sent to the first answer byte received."""
    receive: float | None
    """Seconds from the first answer byte received to the last."""
    total: float
    """Seconds from leaving the queue to the end of the answer, or to the error."""


@dataclass(frozen=True)
class Head:
    """The status line and the header fields of an answer."""

    http_version: str
    """`1.0` or `1.1`."""
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    """Names and values in the order and the letters received, as ISO 8859-1."""


@dataclass(frozen=True)
class Answer:
    """The whole answer to one request."""

    url: str
    """The URL asked for, without any user name and password."""
    fileno: int | None
    """The file descriptor of the connection that it came over, if it had one."""
    head: Head
    raw: bytes
    """Every byte of the answer as received: interim heads, head, body, framing."""
    body: bytes
    """The body without the framing of a chunked transfer; not decompressed."""
    timing: Timing

    @property
    def status(self) -> int:
        """The status code, 200 to 999."""
        return self.head.status
