"""The decisions of a proxy of HTTP: the rules' and the controls' behaviour."""

from __future__ import annotations

from random import Random
from typing import Literal
from urllib.parse import unquote_to_bytes

from nbtwisted.proxy.http.upstream import HTTPUpstream
from nbtwisted.server.model.behaviour import NO_BODY, Behaviour, refusal
from nbtwisted.server.model.control_text import PROXIED
from nbtwisted.server.model.controls import NO_CONTROLS, Controls
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.host import is_host
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.parameters import controls
from nbtwisted.server.routes.router import Server, behaviour_after
from nbtwisted.server.rules.rule import Rule

__all__ = ["ControlsFrom", "ProxyApp", "without_controls"]

ControlsFrom = Literal["headers", "all", "none"]
"""Where controls are looked for: in header fields, in the query, too, or nowhere."""

_PARAMETERS = frozenset(f"_{name}".encode() for name in PROXIED.names)


class ProxyApp:
    """Has the upstream answer, as far as neither rules nor controls do."""

    passes_bodies_on = True

    def __init__(
        self, server: Server, upstream: HTTPUpstream, controls_from: ControlsFrom
    ) -> None:
        self._server = server
        self._upstream = upstream
        self._controls_from = controls_from
        self._asks = Behaviour(NO_BODY, headers=(), upstream=upstream)
        # Nothing of it is left to chance, so what it draws is the same each time.
        self._drawn = {
            is_head: self._asks.draw(Random(0), 0, is_head=is_head)
            for is_head in (False, True)
        }

    def decide(self, request: Request) -> Behaviour:
        """As every app's."""
        rules = self._server.rules
        rule_set = rules.current
        if request.behaviour is not None and request.rules is rule_set:
            return request.behaviour
        try:
            problem = self._problem(request)
            if problem is not None:
                return problem
            rule, captures = (rule_set.find(request) if rule_set else None) or (
                None,
                {},
            )
            behaviour = self._asks
            if rule is not None:
                seconds = rules.seconds() if rule.phases else 0.0
                behaviour = rule.over(behaviour, request, captures, seconds)
            behaviour = behaviour.under(self._controls(request, rule))
            if rule is None or rule.is_fixed:
                request.behaviour, request.rules = behaviour, rule_set
                request.reply = request.response = None
                if behaviour is self._asks:
                    request.reply = self._drawn[request.method == b"HEAD"]
            return behaviour
        except Exception as error:
            return behaviour_after(error, request)

    def reading_rate(self, request: Request) -> float | None:
        """As every app's."""
        rules = self._server.rules
        try:
            rule, _ = (rules.current.find(request) if rules.current else None) or (
                None,
                {},
            )
            rate = self._controls(request, rule).read
        except Exception:
            # `decide` will meet it, too, and answer.
            return None
        if rate is None and rule is not None:
            rate = rule.reading_rate(rules.seconds())
        return rate

    def is_for_operators(self, path: bytes) -> bool:
        """None is: operators have a port of their own."""
        return False

    def headers_for(self, request: Request) -> HeaderLines:
        """None: what the upstream says is enough."""
        return ()

    def _controls(self, request: Request, rule: Rule | None) -> Controls:
        if self._controls_from == "none" or (rule is not None and rule.is_strict):
            return NO_CONTROLS
        return controls(
            request,
            self._server.max_delay,
            lenient=True,
            vocabulary=PROXIED,
            in_query=self._controls_from == "all",
        )

    def _problem(self, request: Request) -> Behaviour | None:
        """Why a request is not passed on."""
        if self._upstream.forwarding.is_loop(request):
            return refusal(
                508,
                "a loop: this request has passed this proxy before",
                upstream=self._upstream.place,
                expected="an upstream that does not lead back here",
            )
        is_asterisk = (request.method, request.target) == (b"OPTIONS", b"*")
        if not (is_asterisk or request.target.startswith(b"/")):
            expected = "a path such as /get, or a URL with a host"
            return refusal(400, "bad request", expected=expected)
        hosts = request.headers.by_name.get(b"host", ())
        if hosts and not is_host(hosts[0]):
            expected = "a host, and perhaps a port, such as localhost:8000"
            return refusal(400, "bad request", expected=expected)
        return None


def without_controls(request: Request) -> bytes:
    """The target of a request without the parameters that are controls."""
    if not request.query:
        return request.target
    parameters = request.query.split(b"&")
    kept = [each for each in parameters if _name(each) not in _PARAMETERS]
    if len(kept) == len(parameters):
        return request.target
    return request.path + (b"?" + b"&".join(kept) if kept else b"")


def _name(parameter: bytes) -> bytes:
    return unquote_to_bytes(parameter.partition(b"=")[0].replace(b"+", b" "))
