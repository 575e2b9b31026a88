"""What is answered when the upstream gives no answer. Pure."""

from __future__ import annotations

from typing import Literal

from nbtwisted.client.errors import (
    ConnectTimeout,
    DeadlinePassed,
    EmptyResponse,
    FirstByteTimeout,
    MalformedResponse,
    RequestError,
    ResponseCutShort,
)
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.controls import Fault
from nbtwisted.server.model.faults import AS_IT_CAME

__all__ = ["UpstreamErrors", "answer_to"]

UpstreamErrors = Literal["status", "pass"]
"""What becomes of them: 502 or 504, or the same that the upstream did."""

_TOO_LATE = (ConnectTimeout, FirstByteTimeout, DeadlinePassed)


def answer_to(
    error: RequestError, raw: bytes, place: str, errors: UpstreamErrors
) -> Behaviour:
    """The behaviour in place of an answer; `raw` is what came of that."""
    if errors == "status":
        status = 504 if isinstance(error, _TOO_LATE) else 502
        return refusal(status, str(error), upstream=place, phase=error.phase)
    if isinstance(error, (MalformedResponse, ResponseCutShort)) and raw:
        return Behaviour(Whole(raw), fault=Fault(AS_IT_CAME))
    name = "empty" if isinstance(error, (EmptyResponse, ResponseCutShort)) else "reset"
    return Behaviour(Whole(b""), fault=Fault(name))
