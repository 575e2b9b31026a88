"""Records of requests, as `jsonl` writes them, read back; and which is where. Pure."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

from nbtwisted.printable import printable

__all__ = [
    "EXPECTED",
    "NO_REQUEST",
    "CannotResume",
    "Record",
    "RecordTable",
    "describe",
    "describe_request",
    "identity",
    "is_cut",
    "read_record",
]

EXPECTED = "expected a record of 'nbtwisted get --format jsonl'"

# Our own records begin like this: there is a response, and with it a status, exactly if
# there is no error.
_BEGINNING = re.compile(
    rb'\{"index": (0|[1-9][0-9]{0,17}), "url": "([^"\\]*)", '
    rb'(?:"method": (?:"([^"\\]*)"|null), )?(?:"request_body_sha256": "([0-9a-f]*)", )?'
    rb'"attempts": [0-9]+, "resent": [0-9]+, "fileno": (?:[0-9]+|null), '
    rb'"status": (?:([0-9]{3}), |null, "reason": null, "http_version": null, '
    rb'"headers": null, "body": null, "bytes": null, '
    rb'"error": \{"type": "(BadJob|BadURL)?)'
)

# No string of JSON has this in it. Where somebody appended to a line that was cut, two
# records stand in one line.
_NEXT = b'{"index"'

_UNREADABLE = ("BadJob", "BadURL")
"""Types of errors for entries of a list of which no request could be made."""

NO_REQUEST = 0
"""The `identity` of their records: whoever mends such an entry may make any of it."""

_PAGE = 1024
"""Positions of a list that have a page of the table in common."""


class CannotResume(Exception):
    """A run cannot go on with a file of records; the text says why."""


class Record(NamedTuple):
    """What is needed of a record to go on with its run."""

    position: int
    """In the list, from 0: its `index`."""
    identity: int
    """Which request it is of: see `identity`."""
    status: int | None
    """The status of the response; None if there was an error instead."""


def identity(url: str, method: str = "GET", body_sha256: str | None = None) -> int:
    """A number of 64 bits that tells requests apart, in this process alone.

    `url` is the URL as records have it. `body_sha256` is None where there is no body.
    """
    body = None if body_sha256 is None else _bytes(body_sha256)
    return hash((_bytes(url), _bytes(method), body))


def _bytes(text: str) -> bytes:
    """As in a file; JSON may have lone surrogates, too."""
    return text.encode("utf-8", "surrogatepass")


def read_record(line: bytes) -> Record:
    """Read a line of `jsonl`, with its end, or the same JSON in other words.

    Our own lines are known by their beginning, in a third of the time that JSON takes.
    Older ones have no method, and are of GETs.

    Raises `ValueError` for anything else.
    """
    match = _BEGINNING.match(line)
    if match is None or not line.endswith(b"}\n") or line.find(_NEXT, 1) > 0:
        return _read_json(line)
    index, url, method, body, status, unreadable = match.groups()
    return Record(
        int(index),
        NO_REQUEST if unreadable else hash((url, method or b"GET", body)),
        None if status is None else int(status),
    )


def is_cut(line: bytes) -> bool:
    """Whether this is the beginning of a line of which the rest is missing."""
    if not line.startswith(b"{") or line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def describe(line: bytes) -> str:
    """Which request a line is a record of, for people to read; it has to be one."""
    record = json.loads(line)
    method, body = record.get("method"), record.get("request_body_sha256")
    return describe_request(record["url"], method or "GET", body)


def describe_request(url: str, method: str, body_sha256: str | None) -> str:
    """The same of a request that may have no record."""
    body = f" with a body of SHA-256 {body_sha256[:8]}" if body_sha256 else ""
    return printable(f"{method} {url}", longest=200) + body


def _read_json(line: bytes) -> Record:
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ValueError(EXPECTED)
    index: Any = record.get("index")
    url, status = record.get("url"), record.get("status")
    method, body = record.get("method") or "GET", record.get("request_body_sha256")
    error = record.get("error", "")
    has_failed = isinstance(error, dict)
    is_answered = error is None and _is_count(status)
    if not (
        _is_count(index)
        and isinstance(url, str)
        and isinstance(method, str)
        and (body is None or isinstance(body, str))
        and (has_failed or is_answered)
    ):
        raise ValueError(EXPECTED)
    if not has_failed:
        return Record(index, identity(url, method, body), status)
    is_unreadable = error.get("type") in _UNREADABLE
    of = NO_REQUEST if is_unreadable else identity(url, method, body)
    return Record(index, of, None)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class RecordTable:
    """Where the record of each position of a list begins: 16 bytes for each of them.

    Where a position has several records, the last counts, but no failed one in place of
    an answered one. With `fail`, those of a status of 400 and above have failed.
    """

    def __init__(self, *, fail: bool = False) -> None:
        self.answered = 0
        """Positions that were answered."""
        self.length = 0
        """1 and the last position that has a record."""
        self.is_in_order = True
        """Whether there is one record for each of the first positions, in order."""
        self._lowest_failed = 400 if fail else math.inf
        # Pages, because whoever has edited the file may have left one record of a
        # million, or mistyped its index. A page has two numbers for each position:
        # where its record begins, and 1 (negative if it failed, 0 if there is none);
        # and its identity.
        self._pages: dict[int, array[int]] = {}

    def add(self, record: Record, begin: int) -> None:
        """Add the record that begins at this byte, behind all others.

        Raises `ValueError` where its position has the record of another request.
        """
        position, identity, status = record
        number, at = divmod(position, _PAGE)
        page = self._pages.get(number)
        if page is None:
            self._pages[number] = page = array("q", bytes(16 * _PAGE))
        at *= 2
        before = page[at]
        # Most have none, or one of the same.
        if before and page[at + 1] != identity and page[at + 1] and identity:
            raise ValueError(f"index {position} is another request's")
        if position != self.length:
            self.is_in_order = False
        if position >= self.length:
            self.length = position + 1
        if status is not None and status < self._lowest_failed:
            self.answered += before <= 0
            page[at] = begin + 1
            page[at + 1] = identity
        elif before <= 0:
            page[at] = -begin - 1
            page[at + 1] = identity

    def find(self, position: int) -> tuple[int, bool] | None:
        """The identity of the request at this position, and whether it was answered."""
        number, at = divmod(position, _PAGE)
        page = self._pages.get(number)
        if page is None or not page[2 * at]:
            return None
        return page[2 * at + 1], page[2 * at] > 0

    def begin_of(self, position: int) -> int:
        """The byte at which the record of this position begins; it has to have one."""
        number, at = divmod(position, _PAGE)
        return abs(self._pages[number][2 * at]) - 1

    def begins(self) -> Iterator[int]:
        """Where the records begin, in the order of their positions."""
        for number in sorted(self._pages):
            for begin in self._pages[number][::2]:
                if begin:
                    yield abs(begin) - 1
