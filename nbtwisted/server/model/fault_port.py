"""Ports whose connections fail: their kinds, and what is known of an open one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

__all__ = ["KINDS", "FaultPort", "check_kind"]

KINDS = (
    *("no-accept", "refuse", "reset-on-accept", "silent", "tls-stall"),
    *("tls-expired", "tls-not-yet", "tls-wrong-host", "tls-self-signed"),
    *("tls-unknown-ca", "tls-no-intermediate", "tls-old", "tls-good"),
)
"""What may happen to connections; `docs/server.md` has a table."""


@dataclass(frozen=True)
class FaultPort:
    """A port whose connections fail.

    `kind` is one of `KINDS`, `host` the address that the port is bound to, and `port`
    its number. `ca_pem` is the certificate, in PEM, of the authority that signs for it;
    None if the kind has no certificate.
    """

    kind: str
    host: str
    port: int
    ca_pem: str | None = None

    @property
    def place(self) -> str:
        """The address and the number, as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL for clients, without a slash at its end."""
        scheme = "https" if self.kind.startswith("tls-") else "http"
        return f"{scheme}://{self.place}"

    def as_json(self) -> dict[str, str | int]:
        """The port as `/__admin/ports` shows it."""
        return {
            "kind": self.kind,
            "host": self.host,
            "port": self.port,
            "url": self.url,
        }


def check_kind(kind: str) -> None:
    """Raise `ValueError`, with the kinds that there are, for one that is none."""
    if kind in KINDS:
        return
    expected = "one of " + ", ".join(KINDS)
    nearest = get_close_matches(kind[:100].lower(), KINDS, n=1)
    if nearest:
        expected = f"{nearest[0]}, or another {expected}"
    raise ValueError(f"{kind!r}: expected {expected}")
