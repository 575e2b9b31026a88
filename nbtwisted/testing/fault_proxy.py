"""A proxy beside a test, in front of whatever the test has."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from nbtwisted.testing.operated import OperatedServer

__all__ = ["FaultProxy", "place_of"]

HOST = "127.0.0.1"


class FaultProxy(OperatedServer):
    """A proxy beside a test, which takes rules.

    upstream    what it is in front of, as a URL
    url         where it is: `http://…` or `tcp://…`, without a slash at its end
    host, port  the same

    In front of `tcp://` its requests are its links, which is also what a rule acts on.
    """

    def __init__(self, upstream: str, seed: int, ports: dict[str, Any]) -> None:
        super().__init__(ports["operators_port"], seed)
        self.upstream = upstream
        self.host = HOST
        self.port: int = ports["port"]
        self.url = f"{ports['scheme']}://{HOST}:{self.port}"
        self._has_links = ports["scheme"] == "tcp"

    def __repr__(self) -> str:
        return f"<FaultProxy {self.url} of {self.upstream} seed={self.seed}>"

    def links(self) -> list[dict[str, Any]]:
        """The journal of links, oldest first: those that are open, too.

        Each has `id`, `time`, `peer`, `state`, `up` and `down` (bytes), `took`
        (seconds; None as long as it is open), `stages` and `upstream_error`. Raises
        `ValueError` for a proxy of HTTP.
        """
        return self._links(None)

    def _links(self, rule: str | None) -> list[dict[str, Any]]:
        query = "" if rule is None else f"?{urlencode({'rule': rule})}"
        links: list[dict[str, Any]] = self._ask("GET", f"/__admin/links{query}")[
            "links"
        ]
        return links

    def _requests(self, key: str | None, rule: str | None) -> list[dict[str, Any]]:
        if self._has_links:
            return self._links(rule)
        return super()._requests(key, rule)


def place_of(upstream: object) -> str:
    """Where an upstream is, as a URL: a URL, a host and a port, or a server of ours.

    Raises `ValueError` for what is nothing of these.
    """
    url = getattr(upstream, "url", upstream)
    if isinstance(url, str):
        return url
    if isinstance(upstream, tuple) and list(map(type, upstream[:2])) == [str, int]:
        host, port = upstream[:2]
        return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
    raise ValueError(
        f"{upstream!r}: expected a URL such as http://127.0.0.1:8000 or "
        "tcp://127.0.0.1:5432, a pair of a host and a port, or a slow_server"
    )
