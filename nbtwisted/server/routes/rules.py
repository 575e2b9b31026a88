"""The paths by which operators see and change the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nbtwisted.printable import printable
from nbtwisted.server.model.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.model.body import Generated
from nbtwisted.server.model.controls import Statuses
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.parameters import Refused
from nbtwisted.server.routes.router import Server, route
from nbtwisted.server.rules.in_force import NameTaken, Standing
from nbtwisted.server.rules.rule import Rule, UnreadableRule
from nbtwisted.server.rules.rule_set import TooManyRules

__all__ = ["as_json"]


def as_json(server: Server, standing: Standing) -> dict[str, Any]:
    """A rule in force, as JSON values."""
    name = standing.rule.name
    return {
        "name": name,
        "rule": dict(standing.rule.source),
        "origin": standing.origin.value,
        "requests": server.in_flight.journal.totals.by_rule[name],
        "expires_in": server.rules.seconds_left(standing),
    }


@route("/__admin/rules", "GET", "POST", "PUT", "DELETE")
def all_rules(server: Server, request: Request) -> Behaviour:
    """List the rules; add some; put some in the place of all; or remove all."""
    if request.method == b"POST":
        return _add(server, request)
    if request.method == b"PUT":
        rules = _parsed(server, _document(request))
        _change(server.rules.replace_all, rules)
    elif request.method == b"DELETE":
        _change(server.rules.replace_all, [])
    return _listed(server)


@route("/__admin/rules/<rest:name>", "GET", "PUT", "PATCH", "DELETE")
def one_rule(server: Server, request: Request, name: str) -> Behaviour:
    """Show, make or replace, switch, or remove the rule of this name."""
    if request.method == b"PATCH":
        _change(server.rules.switch, name, _read_switch(request))
    if request.method == b"PUT":
        given = _document(request)
        if isinstance(given, dict):
            given = {**given, "name": given.get("name", name)}
        (rule,) = _parsed(server, given)
        if rule.name != name:
            expected = f"the name {printable(name, longest=80)}, as in the path"
            raise _unreadable(UnreadableRule(name, "name", rule.name, expected))
        was_there = _change(server.rules.put, rule)
        shown = json_behaviour(as_json(server, _find(server, name)))
        return shown if was_there else shown._replace(statuses=Statuses((201,)))
    shown = json_behaviour(as_json(server, _find(server, name)))
    if request.method == b"DELETE":
        _change(server.rules.remove, name)
    return shown


def _add(server: Server, request: Request) -> Behaviour:
    rules = _parsed(server, _document(request), to_add=True)
    standing = _change(server.rules.add, *rules)
    added = [as_json(server, each) for each in standing]
    return json_behaviour({"rules": added})._replace(statuses=Statuses((201,)))


def _listed(server: Server) -> Behaviour:
    rules = server.rules
    file = None
    if rules.file is not None:
        error = rules.file.error
        file = {
            "path": rules.file.path,
            "error": None if error is None else error.as_json(),
        }
    after = {"file": file, "warnings": list(rules.current.warnings)}
    standing = rules.standing

    def pieces() -> Iterator[bytes]:
        # Ten thousand rules at once would hold up others.
        yield b'{"rules": ['
        separator = b"\n"
        for each in standing:
            yield separator + json.dumps(as_json(server, each)).encode()
            separator = b",\n"
        yield b"\n], " + json.dumps(after).encode()[1:] + b"\n"

    return Behaviour(Generated(pieces))


def _find(server: Server, name: str) -> Standing:
    found = server.rules.find(name)
    if found is None:
        value = printable(name, longest=80)
        raise Refused(
            refusal(404, "no such rule", value=value, expected="a rule's name")
        )
    return found


def _change(change: Any, *given: Any) -> Any:
    try:
        return change(*given)
    except NameTaken as error:
        expected = "another name, or PUT /__admin/rules/NAME"
        value = printable(str(error), longest=80)
        taken = refusal(
            409, "there is a rule of this name", value=value, expected=expected
        )
        raise Refused(taken) from None
    except TooManyRules as error:
        raise Refused(refusal(400, "too many rules", expected=str(error))) from None


def _read_switch(request: Request) -> bool:
    """Whether a rule is to be on. (One of a recording may be too large to be put.)"""
    given = _document(request)
    if isinstance(given, dict) and list(given) == ["enabled"]:
        is_enabled = given["enabled"]
        if isinstance(is_enabled, bool):
            return is_enabled
    expected = '{"enabled": true} or {"enabled": false}, or PUT for all else'
    raise Refused(refusal(400, "no such change of a rule", expected=expected))


def _parsed(server: Server, given: object, *, to_add: bool = False) -> list[Rule]:
    try:
        return server.rules.parse(given, to_add=to_add)
    except UnreadableRule as error:
        raise _unreadable(error) from None


def _document(request: Request) -> object:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        # One that all servers take: TCP mode has no `match`.
        expected = 'a rule as JSON, such as {"name": "slow", "delay": "2s"}'
        raise Refused(refusal(400, "not JSON", expected=expected)) from None


def _unreadable(error: UnreadableRule) -> Refused:
    return Refused(refusal(400, **error.as_json()))
