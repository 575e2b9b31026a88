"""A request to be made. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nbtwisted.client.header import Headers, check_header, merged
from nbtwisted.http1.syntax import is_token

__all__ = ["Job", "JobTemplate", "is_idempotent"]

LONGEST_LABEL = 100
"""Characters: there is a row for each in a table."""

HEAVIEST = 10_000
"""The largest weight."""

_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))


@dataclass(frozen=True, slots=True)
class Job:
    """A request to be made.

    `headers` are sent beside those that all requests have in common, in place of the
    ones of the same name; a value that is empty takes one away. `body` is sent as it
    is, with its Content-Length. `max_time` is in seconds, in place of the one that all
    have.

    `label` says what kind of request it is, and `weight` how often it is sent compared
    with the others of a list that is sent again and again: only load does that.

    Raises `ValueError` for what cannot be sent, and says what was expected.
    """

    url: str
    method: str = "GET"
    headers: Headers = ()
    body: bytes = b""
    max_time: float | None = None
    label: str = ""
    weight: int = 1

    def __post_init__(self) -> None:
        """Check it: what is wrong is found where it was written."""
        # Most are plain.
        if self.method != "GET":
            _check_method(self.method)
            if self.method == "HEAD" and self.body:
                raise ValueError("a body with HEAD: expected none")
        for name, value in self.headers:
            try:
                check_header(name, value)
            except ValueError as error:
                raise ValueError(f"header {name[:100]!r}: {error}") from None
        if self.max_time is not None and not 0 < self.max_time < math.inf:
            raise ValueError(f"{self.max_time!r} seconds: expected a time above 0")
        if self.label and not (
            self.label.isprintable() and len(self.label) <= LONGEST_LABEL
        ):
            raise ValueError(
                f"label {self.label[:100]!r}: expected at most {LONGEST_LABEL} "
                "characters that can be printed"
            )
        if not 1 <= self.weight <= HEAVIEST:
            raise ValueError(
                f"weight {self.weight!r}: expected a whole number from 1 to {HEAVIEST}"
            )


def _check_method(method: str) -> None:
    if not is_token(method):
        raise ValueError(f"method {method[:100]!r}: expected a name such as POST")
    # It would make a tunnel of the connection.
    if method == "CONNECT":
        raise ValueError("method CONNECT: expected one that asks for a response")


def is_idempotent(method: str) -> bool:
    """Whether to make the request twice is as good as once: RFC 9110, 9.2.2."""
    return method in _IDEMPOTENT


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """What is made of those that are told no more than a URL; None is not told.

    `body_headers` say what the body is, and go where it goes.

    Raises `ValueError` as `Job` does.
    """

    method: str | None = None
    body: bytes | None = None
    body_headers: Headers = ()

    def __post_init__(self) -> None:
        """Check it once for all of them."""
        self.job("")

    def job(
        self,
        url: str,
        method: str | None = None,
        headers: Headers = (),
        body: bytes | None = None,
        max_time: float | None = None,
        label: str = "",
        weight: int = 1,
    ) -> Job:
        """A job of this kind, but for what it is told itself.

        Raises `ValueError` also for a method without bodies that would get this one.
        """
        if body is None and self.body is not None:
            if method in ("GET", "HEAD"):
                raise ValueError(
                    f"a body from -d with method {method}: expected a body of its own, "
                    "or another method"
                )
            body, headers = self.body, merged(self.body_headers, headers)
        if method is None:
            method = self.method or ("GET" if body is None else "POST")
        return Job(url, method, headers, body or b"", max_time, label, weight)
