"""A request of a run, prepared before that begins: little to keep, quick to send. Pure.

A list may have a hundred thousand of them. Most differ in their first line alone, so
the header, and all that a worker must know besides, are kept once for those that have
them in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nbtwisted.client.header import Headers, merged
from nbtwisted.client.job import Job, is_idempotent
from nbtwisted.client.message import Message
from nbtwisted.client.target import Origin, Target
from nbtwisted.client.writing import write_message

__all__ = ["Common", "Prepared", "Preparing", "count_methods"]

_LINE_END = b"\r\n"


@dataclass(frozen=True, slots=True)
class Common:
    """What requests have in common."""

    origin: Origin
    fields: bytes
    """The header, from the end of the first line to the blank line."""
    method: str
    timeout: float
    """The longest that such a request may take once it was sent, in seconds."""
    is_idempotent: bool
    """Whether it may be sent again that may have arrived: RFC 9110, 9.2.2."""
    label: str = ""
    """What their figures are counted under."""


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """A request that is ready to be sent."""

    line: bytes
    """The first line, without its end."""
    body: bytes
    common: Common

    @property
    def message(self) -> Message:
        """The bytes of it, put together anew."""
        return Message(self.line + self.common.fields, self.body)


class Preparing:
    """Prepares requests, which share what they have in common.

    `headers` are sent with all of them, and `timeout` is for those that have none of
    their own.
    """

    def __init__(
        self, *, headers: Headers = (), keeps_alive: bool, timeout: float
    ) -> None:
        self._headers = headers
        self._keeps_alive = keeps_alive
        self._timeout = timeout
        self._common: dict[Common, Common] = {}

    def prepare(self, target: Target, job: Job) -> Prepared:
        """Prepare a request; `target` is its URL, taken apart."""
        head, body = write_message(
            target,
            job.method,
            merged(self._headers, job.headers),
            job.body,
            keep_alive=self._keeps_alive,
        )
        end = head.index(_LINE_END)
        common = Common(
            target.origin,
            head[end:],
            job.method,
            self._timeout if job.max_time is None else job.max_time,
            is_idempotent(job.method),
            job.label,
        )
        return Prepared(head[:end], body, self._common.setdefault(common, common))


def count_methods(
    requests: Sequence[Prepared], *, first: int, number: int
) -> Counter[str]:
    """The methods of so many requests that took turns, from the `first` turn on."""
    rounds, left = divmod(number, len(requests))
    methods: Counter[str] = Counter()
    for request in requests if rounds else ():
        methods[request.common.method] += rounds
    for turn in range(first, first + left):
        methods[requests[turn % len(requests)].common.method] += 1
    return methods
