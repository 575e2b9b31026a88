"""Klein's app, and from a request to the behaviour that its route decides.

A route is a function from a request to a `Behaviour`. What all routes have in common
is here: which requests get to one, the controls, and the responses to errors.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import IResource
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter

from nbtwisted.memo import LONGEST_REMEMBERED, Memo
from nbtwisted.printable import printable
from nbtwisted.server.engine.connection import DEFAULT_SEND_TIMEOUT
from nbtwisted.server.engine.in_flight import InFlightRequests
from nbtwisted.server.engine.journal import JOURNAL_SIZE, Entry
from nbtwisted.server.model.behaviour import EMPTY, OUR_FAULT, Behaviour, refusal
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.browsers import is_for_operators, is_preflight
from nbtwisted.server.model.control_text import SERVED, Vocabulary
from nbtwisted.server.model.controls import NO_CONTROLS
from nbtwisted.server.model.delay import DEFAULT_MAX_DELAY
from nbtwisted.server.model.fault_port import FaultPort
from nbtwisted.server.model.host import is_host
from nbtwisted.server.model.query import TooMany
from nbtwisted.server.model.request import LARGEST_REQUEST_BODY, Request
from nbtwisted.server.routes.admission import admit
from nbtwisted.server.routes.conditional import conditioned
from nbtwisted.server.routes.parameters import (
    Refused,
    controls,
    refuse_controls,
    too_many,
    unreadable,
)
from nbtwisted.server.routes.totals import totals_as_json
from nbtwisted.server.routes.viewing import Overview
from nbtwisted.server.routes.viewing_links import Links
from nbtwisted.server.rules.in_force import Rules
from nbtwisted.server.rules.reading import Reading, no_file

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

__all__ = [
    "ANY",
    "Server",
    "app",
    "behaviour_after",
    "decide",
    "decide_for_operators",
    "reading_rate",
    "route",
]

_logger = Logger(namespace="nbtwisted")

SEED_BITS = 59
"""The size of a seed that nobody gave: at most the 18 digits that `--seed` takes."""

app = Klein()
# A path is answered as it came, never by a redirect to a tidier one.
app.url_map.merge_slashes = False


class _Rest(BaseConverter):
    """Matches the rest of the path, slashes too."""

    regex = "(?s:.*)"
    part_isolating = False


app.url_map.converters["rest"] = _Rest


class Server:
    """The server as the routes see it: its limits, and its requests in flight.

    in_flight        the requests in flight, and the journal
    rules            the rules in force
    overview         what all viewers are shown of what is in flight
    instance_id      tells this server from one that was started in its place
    seed             decides what is left to chance; each server has its own without one
    max_delay        seconds: the longest delay that a request may ask for
    send_timeout     seconds for which a client may take nothing of a response
    lenient          whether parameters that begin with `_` and are no controls are left
                     to the path
    admin_token      lets operators in who are not on this machine
    access_log_lost  counts lines of the access log, if there is one, that were lost
    reactor_figures  what a reactor that records its time has to say
    fault_ports      the open ports whose connections fail
    upstream         of a proxy: what it is in front of, as people are told
    url              of a proxy: where its clients find it; None if that is no URL
    links            of a proxy for any protocol: its links, for viewers
    has_requests     whether clients send it requests; a proxy may have links alone

    `read_file` gives a rule the content of its `body_file`, or raises `ValueError` with
    what was expected, and `vocabulary` are the controls that rules may have. The other
    parameters are those of `InFlightRequests`.
    """

    has_requests = True

    def __init__(
        self,
        *,
        clock: IReactorTime,
        now: Callable[[], float] = time.monotonic,
        seed: int | None = None,
        max_delay: float = DEFAULT_MAX_DELAY,
        send_timeout: float = DEFAULT_SEND_TIMEOUT,
        lenient: bool = False,
        max_in_flight: float = math.inf,
        admin_token: str | None = None,
        on_end: Callable[[Entry], None] | None = None,
        on_quiet: Callable[[], None] | None = None,
        access_log_lost: Callable[[], int] | None = None,
        journal_size: int = JOURNAL_SIZE,
        read_file: Callable[[str], bytes] = no_file,
        unix_time: Callable[[], float] = time.time,
        vocabulary: Vocabulary = SERVED,
    ) -> None:
        self.seed = SystemRandom().getrandbits(SEED_BITS) if seed is None else seed
        self.max_delay = max_delay
        self.send_timeout = send_timeout
        self.lenient = lenient
        self.admin_token = admin_token
        self.access_log_lost = access_log_lost
        # The traced reactor has one; Twisted's have not.
        recorder = getattr(clock, "recorder", None)
        self.reactor_figures = recorder.figures if recorder is not None else None
        self.fault_ports: list[FaultPort] = []
        self.upstream: str | None = None
        self.url: str | None = None
        self.links: Links | None = None
        self.in_flight = InFlightRequests(
            *(clock, now, self.seed, max_in_flight, on_end, on_quiet, journal_size),
            unix_time,
        )
        reading = Reading(max_delay, read_file, vocabulary)
        self.rules = Rules(now, reading, self.in_flight.draws.forget_rules)
        self.overview = Overview(self.in_flight.journal)
        self.instance_id = f"{SystemRandom().getrandbits(64):x}"

    def reset(self) -> int:
        """Forget all requests, and release those in flight; returns how many."""
        self.rules.reset()
        return self.in_flight.reset()

    def stats(self) -> dict[str, Any]:
        """The totals since the last reset, as JSON values."""
        return {
            **totals_as_json(self.in_flight.journal),
            "draining": self.in_flight.is_draining,
            "seed": self.seed,
        }

    def totals(self) -> Collector:
        """The totals, as Prometheus' library takes them."""
        # It takes 0.1 s to import, which a server that nobody watches should not spend.
        from nbtwisted.server.routes.metrics import RequestTotals

        return RequestTotals(self.in_flight.journal, self.access_log_lost)

    def resource(self) -> IResource:
        """The server as twisted.web wants it."""
        raise NotImplementedError


ANY = "any method"

Decides = Callable[..., Behaviour]


class _Route(NamedTuple):
    decide: Decides
    methods: tuple[str, ...] | None
    """Those that it takes; None for all."""
    is_for_operators: bool
    is_open: bool
    """Whether everybody may use it."""


_ROUTES: dict[str, _Route] = {}


def route(path: str, *methods: str) -> Callable[[Decides], Decides]:
    """Answer requests for `path` as the function decides that is given them.

    What it decides has to follow from the request alone, its addresses included: the
    same may be answered so again, without asking. Operators' requests are always asked.

    `methods` are GET unless given, and `ANY` stands for all; HEAD comes with GET.
    Requests of operators take no controls. Those for `/__admin` have to be admitted.
    """
    taken = None if ANY in methods else methods or ("GET",)

    def register(decide: Decides) -> Decides:
        _ROUTES[path] = _Route(
            decide,
            (*taken, "HEAD") if taken and "GET" in taken else taken,
            is_for_operators(path.encode()),
            not path.startswith("/__admin/"),
        )
        app.route(path, methods=taken, endpoint=path)(_render)
        return decide

    return register


def _render(server: Server, request: Any, *about: object, **parts: str) -> IResource:
    """Have twisted.web's request answered where Klein's own resource serves the app."""
    return server.resource()


app.handle_errors(HTTPException)(_render)  # type: ignore[arg-type]


def decide(server: Server, request: Request) -> Behaviour:
    """The behaviour with which a request is answered, whatever it is."""
    rules = server.rules.current
    if request.behaviour is not None and request.rules is rules:
        return request.behaviour
    try:
        problem = _problem(request)
        if problem is not None:
            return problem
        if is_for_operators(request.path):
            return _route_for_operators(server, request)
        rule, captures = (rules.find(request) if rules else None) or (None, {})
        found: _Route | Behaviour | None = None
        parts: Mapping[str, Any] = {}
        if rule is None or not rule.is_route:
            found, parts = _match((request.path, request.method))
        if isinstance(found, Behaviour):
            # There is no such path, or it does not take this method.
            if rule is None:
                return _with_near_rules(found, rules.near(request)) if rules else found
            if not rule.names_a_path:
                return rule.over(found, request, captures, server.rules.seconds())
            found = None
        asked = NO_CONTROLS
        if rule is None or not rule.is_strict:
            asked = controls(request, server.max_delay, lenient=server.lenient)
        behaviour = EMPTY if found is None else found.decide(server, request, **parts)
        if rule is not None:
            seconds = server.rules.seconds() if rule.phases else 0.0
            behaviour = rule.over(behaviour, request, captures, seconds)
        behaviour = conditioned(behaviour.under(asked), request)
        if rule is None or rule.is_fixed:
            request.behaviour, request.rules = behaviour, rules
            request.reply = request.response = None
        return behaviour
    except Exception as error:
        return behaviour_after(error, request)


def behaviour_after(error: Exception, request: Request) -> Behaviour:
    """The behaviour of a request that could not be decided; called where it is caught.

    An error that is neither a refusal nor `TooMany` is a fault of ours, and logged.
    """
    if isinstance(error, TooMany):
        return too_many(error).behaviour
    if isinstance(error, Refused):
        return error.behaviour
    _logger.failure(
        "the route of {method!r} {target!r} fails",
        method=request.method,
        target=request.target,
    )
    return OUR_FAULT


def decide_for_operators(server: Server, request: Request) -> Behaviour:
    """The same, at a port where there is nothing but what operators ask for."""
    try:
        problem = _problem(request)
        if problem is not None:
            return problem
        if is_for_operators(request.path):
            return _route_for_operators(server, request)
        return _with_paths_of_operators(_not_found(request.path))
    except Exception as error:
        return behaviour_after(error, request)


def _with_paths_of_operators(refused: Behaviour) -> Behaviour:
    assert isinstance(refused.body, Whole)
    told = json.loads(refused.body.content)
    told["expected"] = ", ".join(
        path
        for path in told["expected"].split(", ")
        if is_for_operators(path.partition("/{")[0].encode())
    )
    return refused._replace(body=Whole(json.dumps(told).encode() + b"\n"))


def reading_rate(server: Server, request: Request) -> float | None:
    """Bytes a second at which a request's body is to be read; None for no limit.

    This is asked when the head has come, and the request has no body yet.
    """
    if is_for_operators(request.path):
        return None
    rules = server.rules.current
    try:
        rule, _ = (rules.find(request) if rules else None) or (None, {})
        rate = None
        if rule is None or not rule.is_strict:
            rate = controls(request, server.max_delay, lenient=server.lenient).read
        if rate is None and rule is not None:
            rate = rule.reading_rate(server.rules.seconds())
        return rate
    except Exception:
        # `decide` will meet it, too, and answer.
        return None


def _route_for_operators(server: Server, request: Request) -> Behaviour:
    found, parts = _match((request.path, request.method))
    if isinstance(found, Behaviour):
        return found
    if not found.is_open:
        admit(request, server.admin_token)
    refuse_controls(request, lenient=server.lenient)
    return found.decide(server, request, **parts)


def _problem(request: Request) -> Behaviour | None:
    """Why a request does not get to a route, or what is answered before."""
    if not request.target.startswith(b"/"):
        if (request.method, request.target) == (b"OPTIONS", b"*"):
            return Behaviour(Whole(b""), headers=())
        expected = "a path such as /get, or a URL"
        if request.target.lower().startswith((b"http:", b"https:")):
            expected = "a URL with a host"
        return _unreadable("target", request.target, expected)
    hosts = request.headers.by_name.get(b"host", ())
    if len(hosts) > 1 or (not hosts and request.version == b"HTTP/1.1"):
        return refusal(400, "bad request", expected="one Host header")
    if hosts and not is_host(hosts[0]):
        expected = "a host, and perhaps a port, such as localhost:8000"
        return _unreadable("host", hosts[0], expected)
    if not request.method.isascii():
        return _unreadable("method", request.method, "GET or HEAD")
    if len(request.body) > LARGEST_REQUEST_BODY:
        expected = f"a body of at most {LARGEST_REQUEST_BODY} bytes"
        return refusal(413, "request entity too large", expected=expected)
    if is_preflight(request.method, request.headers) and not is_for_operators(
        request.path
    ):
        # The request that it is for may be sent, whatever will be answered to it.
        return Behaviour(Whole(b""), headers=())
    return None


_Match = tuple["_Route | Behaviour", Mapping[str, Any]]

_adapter = app.url_map.bind("localhost")


def _find_route(given: tuple[bytes, bytes]) -> _Match:
    """The route for a path and a method, with the parts of the path; or a refusal."""
    path, method = given
    text = unquote_to_bytes(path).decode("utf-8", "backslashreplace")
    try:
        endpoint, parts = _adapter.match(text, method.decode())
        found = _ROUTES[str(endpoint)]
        # Klein compares methods without their case; RFC 9110, 9.1, does not.
        if found.methods and not method.isupper():
            raise MethodNotAllowed(list(found.methods))
        return found, parts
    except NotFound:
        return _not_found(path), {}
    except MethodNotAllowed as error:
        return _method_not_allowed(path, method, error), {}
    except HTTPException as error:
        return refusal(error.code or 500, error.name.lower()), {}


_match = Memo(_find_route, fits=lambda given: len(given[0]) <= LONGEST_REMEMBERED)


def _not_found(path: bytes) -> Behaviour:
    return refusal(404, "no such path", value=_shown(path), expected=_all_paths())


@cache
def _all_paths() -> str:
    """The paths that there are, once all of them are."""
    paths = {re.sub("<(?:rest:)?([^>]+)>", r"{\1}", path) for path in _ROUTES}
    return ", ".join(sorted(paths))


def _with_near_rules(
    refused: Behaviour, near: Mapping[str, Sequence[str]]
) -> Behaviour:
    """Name the rules of the same path, and what keeps each from acting."""
    # OPTIONS has no body where the path does not take it.
    if not near or not isinstance(refused.body, Whole) or not refused.body.content:
        return refused
    told = json.loads(refused.body.content)
    # Before the app's own paths, which are many.
    told = {"error": told.pop("error"), "rules": near, **told}
    return refused._replace(body=Whole(json.dumps(told).encode() + b"\n"))


def _method_not_allowed(
    path: bytes, method: bytes, error: MethodNotAllowed
) -> Behaviour:
    """Name the methods that the path takes; that is also what OPTIONS asks for."""
    methods = ", ".join(sorted(error.valid_methods or ()))
    allow = ("Allow", methods)
    if not is_for_operators(path):
        allow = ("Allow", f"{methods}, OPTIONS")
        if method == b"OPTIONS":
            return Behaviour(Whole(b""), headers=(allow,))
    return refusal(
        405,
        "this path does not take this method",
        allow,
        value=_shown(method),
        expected=methods,
    )


def _unreadable(control: str, value: bytes, expected: str) -> Behaviour:
    return unreadable(control, value.decode("ascii", "backslashreplace"), expected)


def _shown(raw: bytes) -> str:
    return printable(raw.decode("ascii", "backslashreplace"), longest=80)
