"""The paths for operators: health, figures, and what was asked."""

from __future__ import annotations

import hmac
import ipaddress
import re
from datetime import datetime, timezone

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.server import Request

from nbtwisted.server.app import Server, route
from nbtwisted.server.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.body import Whole
from nbtwisted.server.parameters import Refused, header, parameter

__all__ = ["admit"]


@route("/healthz", for_operators=True)
def healthz(server: Server, request: Request) -> Behaviour:
    """Say at once that the server is alive."""
    return json_behaviour({"status": "ok"})


@route("/readyz", for_operators=True)
def readyz(server: Server, request: Request) -> Behaviour:
    """Say at once whether new requests are answered."""
    if server.traffic.is_draining:
        return refusal(503, "the server is about to stop")
    return json_behaviour({"status": "ready"})


@route("/metrics", for_operators=True)
def metrics(server: Server, request: Request) -> Behaviour:
    """The server's figures, as Prometheus reads them."""
    # Prometheus' library takes 0.1 s to import, which a server that nobody watches
    # should not spend.
    from nbtwisted.server.metrics import exposition

    accept = header(request, "accept") or ""
    text, content_type = exposition(server.traffic.journal, accept)
    return Behaviour(Whole(text), headers=(("Content-Type", content_type),))


@route("/__admin/requests", for_operators=True)
def requests(server: Server, request: Request) -> Behaviour:
    """The journal: the last requests, oldest first."""
    admit(server, request)
    since = parameter(request, "since", _parse_since, None)
    key = parameter(request, "key", str, None)
    entries = server.traffic.journal.entries(since=since or 0, key=key)
    return json_behaviour({"requests": [entry.as_json() for entry in entries]})


@route("/__admin/stats", for_operators=True)
def stats(server: Server, request: Request) -> Behaviour:
    """The totals since the last reset."""
    admit(server, request)
    journal = server.traffic.journal
    totals = journal.totals
    by_status: dict[str, int] = {}
    by_fault: dict[str, int] = {}
    for (status, fault), count in totals.by_status_and_fault.items():
        for by, name in ((by_status, status), (by_fault, fault)):
            by[str(name or "none")] = by.get(str(name or "none"), 0) + count
    return json_behaviour(
        {
            "in_flight": journal.in_flight,
            "requests": journal.came,
            "outcomes": dict(totals.outcomes),
            "cancelled": totals.outcomes["cancelled"],
            "by_status": by_status,
            "by_fault": by_fault,
            "draining": server.traffic.is_draining,
            "seed": server.seed,
        }
    )


@route("/__admin/reactor", for_operators=True)
def reactor_figures(server: Server, request: Request) -> Behaviour:
    """What the reactor's time goes into, where it is one that knows."""
    admit(server, request)
    if server.reactor_figures is None:
        raise Refused(
            refusal(404, "this reactor records nothing", expected="--reactor traced")
        )
    return json_behaviour(server.reactor_figures())


@route("/__admin/reset", "POST", for_operators=True)
def reset(server: Server, request: Request) -> Behaviour:
    """Forget what was, and let go of every request in flight."""
    admit(server, request)
    return json_behaviour({"released": server.traffic.reset()})


def admit(server: Server, request: Request) -> None:
    """Raise `Refused` for a stranger, and for another site's page in a browser."""
    origin, host = header(request, "origin"), header(request, "host")
    if origin not in (None, f"http://{host}", f"https://{host}"):
        raise Refused(refusal(403, "not for pages of other sites"))
    # A picture or script of another site's page has no Origin. To be led here is fine.
    if header(request, "sec-fetch-site") in ("cross-site", "same-site") and not (
        header(request, "sec-fetch-mode") == "navigate"
        and header(request, "sec-fetch-dest") == "document"
    ):
        raise Refused(refusal(403, "not for pages of other sites"))
    given = request.requestHeaders.getRawHeaders(b"authorization", [b""])[0]
    token = (server.admin_token or "").encode()
    if token and hmac.compare_digest(given, b"Bearer " + token):
        return
    if not _names_this_machine(host or "localhost"):
        # A name that leads here may be a stranger's, whose page would have Origin and
        # Host alike.
        expected = "localhost or an address as the host, or a token"
        raise Refused(refusal(403, "not by this name", expected=expected))
    if not _is_local(request):
        raise Refused(
            refusal(
                401,
                "only for this machine, or with the server's --admin-token",
                ("WWW-Authenticate", "Bearer"),
                expected="Authorization: Bearer TOKEN",
            )
        )


def _is_local(request: Request) -> bool:
    address = request.getClientAddress()
    if not isinstance(address, (IPv4Address, IPv6Address)):
        # Whoever may open our UNIX socket is on this machine.
        return True
    ip = ipaddress.ip_address(address.host.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _names_this_machine(host: str) -> bool:
    name = re.sub(r":[0-9]*$", "", host).strip("[]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() == "localhost"
    return True


def _parse_since(text: str) -> int | datetime:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(
            "the id of a request, or a time such as 2026-01-31T12:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
