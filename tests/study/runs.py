"""Runs as the tests of the study need them, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbtwisted.study.run import Calls, Ending, Request, Run, Sample

HELD = (3.0, 2.0, 1.0, 3.0, 2.0)


def a_request(number: int = 1, came: float = 0.0, **rest: Any) -> Request:
    """A request that was answered with 200 after a second, unless said otherwise."""
    return Request(
        **{
            "number": number,
            "came": came,
            "ended": came + (rest.get("held", 1.0) or 0.0),
            "method": "GET",
            "target": "/",
            "headers": {"Host": "localhost"},
            "status": 200,
            "outcome": "answered",
            "fault": None,
            "held": 1.0,
            "sent": 19,
            **rest,
        }
    )


def five_at_once() -> list[Request]:
    """The five requests that most lessons send, all at one instant."""
    return [a_request(n, 0.05, held=held) for n, held in enumerate(HELD, 1)]


def samples(until: float = 3.1, **rest: Any) -> list[Sample]:
    """A sample each tenth of a second, of a program that does next to nothing."""
    return [
        Sample(
            **{
                "at": step / 10,
                "user": 0.04,
                "system": 0.01,
                "memory": 14_000_000,
                "threads": 1,
                "processes": 1,
                "descriptors": 9,
                **rest,
            }
        )
        for step in range(round(until * 10))
    ]


def a_run(
    requests: Sequence[Request] | None = None,
    *,
    exit_code: int | None = 0,
    seconds: float = 3.1,
    user: float = 0.04,
    system: float = 0.01,
    stdout: str = "",
    stderr: str = "",
    calls: Mapping[str, Calls] | None = None,
    **rest: Any,
) -> Run:
    """A run that sent five requests at once and ended well, unless said otherwise."""
    return Run(
        ending=Ending(exit_code, seconds, user, system, 13_000_000),
        stdout=stdout,
        stderr=stderr,
        requests=five_at_once() if requests is None else requests,
        calls=calls,
        **{"samples": samples(seconds), **rest},
    )
