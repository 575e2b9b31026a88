"""Responses that are not there yet, as an exchange waits for them."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from nbtwisted.server.engine.upstream import Listener
from nbtwisted.server.model.behaviour import EMPTY, Behaviour
from nbtwisted.server.model.request import Request

__all__ = ["when_there"]


def when_there(answer: Deferred[Behaviour]) -> Behaviour:
    """The behaviour, if it is there, or one whose exchange waits for it.

    `answer` must not fail.
    """
    there: list[Behaviour] = []
    answer.addCallback(there.append)
    if there:
        return there[0]
    return EMPTY._replace(upstream=_Pending(answer, there))


class _Pending:
    """Stands where an upstream does, and "answers" what comes of a Deferred."""

    place = "toxiproxy"

    def __init__(self, answer: Deferred[Behaviour], there: list[Behaviour]) -> None:
        self._answer = answer
        self._there = there
        self._listener: Listener | None = None

    def ask(self, request: Request, listener: Listener) -> _Pending:
        """As every upstream's."""
        self._listener = listener
        self._answer.addCallback(lambda _: self._tell())
        return self

    def stop(self) -> None:
        """The client has left. What it has asked for is done all the same."""
        self._listener = None

    def _tell(self) -> None:
        if self._listener is not None:
            self._listener.unanswered("", self._there[0])
