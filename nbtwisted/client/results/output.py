"""How a request ended, as bytes for a file or a terminal. Pure."""

from __future__ import annotations

import csv as csv_format
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timezone
from io import StringIO
from typing import Any, Generic, TypeVar

from nbtwisted.client.errors import Outcome, RequestError
from nbtwisted.client.response import Answer, PastAttempt, Timing
from nbtwisted.printable import escaped, escaped_json, printable

__all__ = ["CSV_HEADER", "InOrder", "body", "csv", "error_line", "jsonl", "raw"]

T = TypeVar("T")


def raw(index: int, outcome: Outcome) -> bytes:
    """The file descriptor, then the bytes of the answer as received, then a line end.

    For an error: what was received, if anything was, and the error on a line.
    """
    fileno = "-" if outcome.fileno is None else str(outcome.fileno)
    head = f"fileno:{fileno}\n".encode()
    if isinstance(outcome, Answer):
        return head + outcome.raw + b"\n"
    received = outcome.received + b"\n" if outcome.received else b""
    return head + received + f"error: {error_line(outcome)}\n".encode()


def error_line(error: RequestError) -> str:
    """The error in one line: its phase, its URL, and what was wrong."""
    return f"{error.phase}: {printable(error.url, longest=200)}: {escaped(str(error))}"


def jsonl(index: int, outcome: Outcome) -> bytes:
    """One JSON object on a line; what there was not is null.

    What is not printable is escaped, also where JSON needs it not: servers decide on
    it, and it may end up on a terminal.

    `effective_url` is there if that is another than the `url` asked for, and `history`
    if there were attempts before the last.
    """
    record: dict[str, Any] = {
        "index": index,
        "url": outcome.url,
        "attempts": outcome.attempts,
        "fileno": outcome.fileno,
        "status": None,
        "reason": None,
        "http_version": None,
        "headers": None,
        "body": None,
        "bytes": None,
        "error": None,
    }
    if isinstance(outcome, Answer):
        record["status"] = outcome.head.status
        record["reason"] = outcome.head.reason
        record["http_version"] = outcome.head.http_version
        record["headers"] = outcome.head.headers
        record["bytes"] = len(outcome.body)
        try:
            record["body"] = outcome.body.decode()
        except UnicodeDecodeError:
            del record["body"]
            record["body_base64"] = b64encode(outcome.body).decode()
    else:
        record["error"] = {
            "type": type(outcome).__name__,
            "phase": outcome.phase,
            "message": str(outcome),
        }
    record |= _when(outcome.timing)
    if outcome.effective_url:
        record["effective_url"] = outcome.effective_url
    if outcome.history:
        record["history"] = [_attempt(attempt) for attempt in outcome.history]
    return escaped_json(json.dumps(record, ensure_ascii=False)).encode() + b"\n"


def _attempt(attempt: PastAttempt) -> dict[str, Any]:
    error = None
    if attempt.error is not None:
        error = {"phase": attempt.phase, "message": attempt.error}
    return {
        "url": attempt.url,
        "fileno": attempt.fileno,
        "status": attempt.status,
        "error": error,
        **_when(attempt.timing),
        "then": attempt.then,
        "waited": round(attempt.waited, 6),
    }


CSV_COLUMNS = (
    *("index", "url", "attempts", "fileno", "status", "bytes", "error", "message"),
    *("queued", "dns", "connect", "tls", "wait", "receive", "total", "started"),
)


_BEGINNINGS_OF_FORMULAS = tuple("=+-@＝＋－＠")

CSV_HEADER = (",".join(CSV_COLUMNS) + "\r\n").encode()


def csv(index: int, outcome: Outcome) -> bytes:
    """A line of comma-separated values, as RFC 4180 has them, for `CSV_HEADER`.

    `error` is the phase where it went wrong; times are in seconds. What is not
    printable is escaped, and what a spreadsheet would take for a formula begins with
    `'`: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    when = _when(outcome.timing)
    values: dict[str, Any] = {
        "index": index,
        "url": outcome.url,
        "attempts": outcome.attempts,
        "fileno": outcome.fileno,
        "started": when["started"],
        **(when["timing"] or {}),
    }
    if isinstance(outcome, Answer):
        values |= {"status": outcome.status, "bytes": len(outcome.body)}
    else:
        values |= {"error": outcome.phase, "message": str(outcome)}
    text = StringIO()
    cells = {name: _cell(value) for name, value in values.items()}
    csv_format.DictWriter(text, CSV_COLUMNS).writerow(cells)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    # No line ends, no tabs: those that OWASP names beside these are escaped.
    text = escaped(value)
    return f"'{text}" if text.lstrip().startswith(_BEGINNINGS_OF_FORMULAS) else text


def body(index: int, outcome: Outcome) -> bytes:
    """The body of an answer, and of an error nothing."""
    return outcome.body if isinstance(outcome, Answer) else b""


def _when(timing: Timing | None) -> dict[str, Any]:
    if timing is None:
        return {"timing": None, "started": None}
    phases = {
        "queued": timing.queued,
        "dns": timing.dns,
        "connect": timing.connect,
        "tls": timing.tls,
        "wait": timing.wait,
        "receive": timing.receive,
        "total": timing.total,
    }
    seconds = {
        name: None if value is None else round(value, 6)
        for name, value in phases.items()
    }
    started = datetime.fromtimestamp(timing.started, timezone.utc)
    return {"timing": seconds, "started": started.isoformat(timespec="microseconds")}


class InOrder(Generic[T]):
    """Passes things on in the order of their indices, each as soon as it may."""

    def __init__(self, pass_on: Callable[[int, T], None]) -> None:
        self._pass_on = pass_on
        self._held_back: dict[int, T] = {}
        self._next = 0

    def deliver(self, index: int, thing: T) -> None:
        """Take a thing, and pass on all whose turn it now is."""
        self._held_back[index] = thing
        while self._next in self._held_back:
            turn, self._next = self._next, self._next + 1
            self._pass_on(turn, self._held_back.pop(turn))
