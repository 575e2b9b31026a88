"""The line of the access log for a link that is over."""

from __future__ import annotations

from datetime import datetime, timezone

from nbtwisted.printable import printable
from nbtwisted.proxy.stream.journal import LinkEntry
from nbtwisted.server.access_log import quoted

__all__ = ["link_line"]


def link_line(entry: LinkEntry, upstream: str) -> str:
    """The line: what Apache's lines begin with, and then names with their values."""
    came = datetime.fromtimestamp(entry.came, timezone.utc)
    names = dict.fromkeys(name for names in entry.acting.values() for name in names)
    return " ".join(
        (
            printable(entry.peer, longest=80),
            "- -",
            came.strftime("[%d/%b/%Y:%H:%M:%S +0000]"),
            quoted(upstream.encode()),
            f"up={entry.up}",
            f"down={entry.down}",
            f"took={entry.took or 0.0:.3f}",
            f"stages={quoted(', '.join(names).encode())}",
            f"outcome={quoted(entry.outcome.encode())}",
            *_error(entry.upstream_error),
        )
    )


def _error(error: str | None) -> tuple[str, ...]:
    """Why there is no upstream, if it is so."""
    return () if error is None else (f"error={quoted(error.encode())}",)
