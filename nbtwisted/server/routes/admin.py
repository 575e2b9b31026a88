"""The paths for operators: health, figures, and the journal."""

from __future__ import annotations

import re
from datetime import datetime

from nbtwisted.numeral import parse_whole_number
from nbtwisted.server.model.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.listing import listed
from nbtwisted.server.routes.parameters import Refused, parameter
from nbtwisted.server.routes.router import Server, route

# A time by RFC 3339, or a date. Python's versions differ in other forms.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]((?:[01][0-9]|2[0-3]):[0-9]{2})(:[0-9]{2})?(?:\.([0-9]+))?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


@route("/healthz")
def healthz(server: Server, request: Request) -> Behaviour:
    """Say at once that the server is alive."""
    return json_behaviour({"status": "ok"})


@route("/readyz")
def readyz(server: Server, request: Request) -> Behaviour:
    """Say at once whether the server takes new requests."""
    if server.in_flight.is_draining:
        return refusal(503, "the server is about to stop")
    return json_behaviour({"status": "ready"})


@route("/metrics")
def metrics(server: Server, request: Request) -> Behaviour:
    """The server's figures, as Prometheus reads them."""
    # Prometheus' library takes 0.1 s to import, which a server that nobody watches
    # should not spend.
    from nbtwisted.reactor.figures.prometheus import metrics as metrics_of_reactor
    from nbtwisted.server.routes.metrics import exposition

    accept = request.header("accept") or ""
    figures = server.totals(), metrics_of_reactor(server.in_flight.clock)
    text, content_type = exposition(figures, accept)
    return Behaviour(Whole(text), headers=(("Content-Type", content_type),))


@route("/__admin/requests")
def requests(server: Server, request: Request) -> Behaviour:
    """The journal: the last requests, oldest first."""
    since = parameter(request, "since", _parse_since, None)
    key = parameter(request, "key", str, None)
    rule = parameter(request, "rule", str, None)

    journal = server.in_flight.journal
    return listed(
        "requests",
        lambda: (
            entry.as_json()
            for entry in journal.entries(since=since or 0, key=key, rule=rule)
        ),
    )


@route("/__admin/stats")
def stats(server: Server, request: Request) -> Behaviour:
    """The totals since the last reset."""
    return json_behaviour(server.stats())


@route("/__admin/reactor")
def reactor_figures(server: Server, request: Request) -> Behaviour:
    """The shares of the reactor's time, if it is the traced one."""
    if server.reactor_figures is None:
        raise Refused(
            refusal(404, "this reactor records nothing", expected="--reactor traced")
        )
    return json_behaviour(server.reactor_figures())


@route("/__admin/ports")
def ports(server: Server, request: Request) -> Behaviour:
    """The ports whose connections fail."""
    return json_behaviour({"ports": [port.as_json() for port in server.fault_ports]})


@route("/ca.pem")
def ca_pem(server: Server, request: Request) -> Behaviour:
    """The authority that signs for the fault ports with TLS."""
    for port in server.fault_ports:
        if port.ca_pem is not None:
            content_type = ("Content-Type", "application/pem-certificate-chain")
            return Behaviour(Whole(port.ca_pem.encode()), headers=(content_type,))
    expected = "--fault-port tls-good, or another one with TLS"
    raise Refused(refusal(404, "no fault port shows a certificate", expected=expected))


@route("/__admin/reset", "POST")
def reset(server: Server, request: Request) -> Behaviour:
    """Forget all requests, and release those in flight."""
    return json_behaviour({"released": server.reset()})


def _parse_since(text: str) -> int | datetime:
    try:
        return parse_whole_number(text)
    except ValueError:
        pass
    try:
        match = _TIME.fullmatch(text)
        if match is None:
            raise ValueError
        date, minute, second, fraction, zone = match.groups("")
        return datetime.fromisoformat(
            f"{date}T{minute or '00:00'}{second or ':00'}.{fraction[:6]:0<6}"
            + (zone.replace("Z", "") or "+00:00")
        )
    except ValueError:
        raise ValueError(
            "the id of a request, or a time such as 2026-01-31T12:00:00Z"
        ) from None
