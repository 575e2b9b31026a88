"""A plan as JSON and back, for a process that carries it out. Pure.

The requests of a plan are written by themselves: they may be a hundred thousand, and
all parts of a plan have the same.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from nbtwisted.client.target import Origin
from nbtwisted.load.plan import Plan
from nbtwisted.load.requests.prepared import Common, Prepared
from nbtwisted.load.schedule.profile import Profile, Stage

__all__ = ["read_requests", "read_spec", "write_requests", "write_spec"]

_FIELDS = (
    "connections",
    "rate",
    "warm_up",
    "keeps_alive",
    "verify",
    "arrivals",
    "seed",
    "first",
    "step",
)
"""Of a plan, what is the same in JSON. There is no infinity in JSON: it is null."""


def write_spec(plan: Plan) -> dict[str, Any]:
    """The plan as values of JSON, without its requests."""
    return {
        **{name: getattr(plan, name) for name in _FIELDS},
        "number": _finite(plan.number),
        "seconds": _finite(plan.seconds),
        "stages": None
        if plan.profile is None
        else [
            [_finite(stage.seconds), stage.begins_at, stage.ends_at]
            for stage in plan.profile.stages
        ],
    }


def read_spec(spec: Mapping[str, Any], requests: Sequence[Prepared]) -> Plan:
    """The plan that was written, with these requests."""
    stages = spec["stages"]
    return Plan(
        requests=requests,
        **{name: spec[name] for name in _FIELDS},
        number=_number(spec["number"]),
        seconds=_number(spec["seconds"]),
        profile=None
        if stages is None
        else Profile(Stage(_number(length), *rates) for length, *rates in stages),
    )


def write_requests(requests: Sequence[Prepared]) -> bytes:
    """Requests as a text of JSON; what many of them share is there once.

    So is a request that has many turns.
    """
    distinct = {id(request): request for request in requests}
    turns = None
    if len(distinct) < len(requests):
        place_of = {key: place for place, key in enumerate(distinct)}
        turns = [place_of[id(request)] for request in requests]
        requests = [*distinct.values()]
    # They are one object where they are equal, and to compare those is slow.
    commons = {id(request.common): request.common for request in requests}
    bodies = dict.fromkeys(request.body for request in requests)
    common_places = {key: place for place, key in enumerate(commons)}
    body_places = {body: place for place, body in enumerate(bodies)}
    shared = (
        (common_places[id(request.common)], body_places[request.body])
        for request in requests
    )
    # Those that have the same, one after another, are counted.
    runs = [[*both, sum(1 for _ in run)] for both, run in groupby(shared)]
    text = json.dumps(
        {
            "lines": [request.line.decode("latin-1") for request in requests],
            "runs": runs,
            "commons": [
                {
                    "origin": [*common.origin],
                    "fields": common.fields.decode("latin-1"),
                    "method": common.method,
                    "timeout": common.timeout,
                    "is_idempotent": common.is_idempotent,
                    "label": common.label,
                }
                for common in commons.values()
            ],
            "bodies": [b64encode(body).decode() for body in bodies],
            "turns": turns,
        },
        separators=(",", ":"),
    )
    return text.encode()


def read_requests(text: bytes) -> list[Prepared]:
    """The requests that were written."""
    given = json.loads(text)
    commons = [
        Common(
            **{
                **common,
                "origin": Origin(*common["origin"]),
                "fields": common["fields"].encode("latin-1"),
            }
        )
        for common in given["commons"]
    ]
    bodies = [b64decode(body) for body in given["bodies"]]
    lines = iter(given["lines"])
    requests = [
        Prepared(next(lines).encode("latin-1"), bodies[body], commons[common])
        for common, body, number in given["runs"]
        for _ in range(number)
    ]
    turns = given["turns"]
    return requests if turns is None else [requests[place] for place in turns]


def _finite(number: float) -> float | None:
    return None if number == math.inf else number


def _number(given: float | None) -> float:
    return math.inf if given is None else given
