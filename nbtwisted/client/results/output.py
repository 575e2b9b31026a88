"""How a request ended, as bytes for a file or a terminal. Pure."""

from __future__ import annotations

import csv as csv_format
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from hashlib import sha256
from io import StringIO
from json.encoder import encode_basestring as quoted
from typing import Any, Generic, TypeVar

from nbtwisted.client.errors import RequestError
from nbtwisted.client.job import Job
from nbtwisted.client.result import Attempt, Response, Result, Timing
from nbtwisted.memo import Memo
from nbtwisted.printable import escaped, escaped_json, printable

__all__ = [
    "CSV_HEADER",
    "InOrder",
    "body",
    "body_sha256",
    "csv",
    "error_line",
    "jsonl",
    "raw",
]

T = TypeVar("T")


def raw(index: int, result: Result) -> bytes:
    """The file descriptor, then the bytes of the response as received, then a line end.

    For an error: what was received, if anything was, and the error on a line.
    """
    last = result.last
    fileno = "-" if last is None or last.fileno is None else str(last.fileno)
    head = f"fileno:{fileno}\n".encode()
    received = b"" if last is None else last.raw
    if result.error is None:
        return head + received + b"\n"
    received = received + b"\n" if received else b""
    return head + received + f"error: {error_line(result)}\n".encode()


def error_line(result: Result) -> str:
    """The error in one line: its phase, its URL, and what was wrong."""
    error = result.error
    assert error is not None, "it did not fail"
    return f"{error.phase}: {printable(result.url, longest=200)}: {escaped(str(error))}"


def jsonl(index: int, result: Result) -> bytes:
    """One JSON object on a line; what there was not is null.

    What is not printable is escaped, also where JSON needs it not: servers decide on
    it, and it may end up on a terminal.

    `effective_url` is there if that is another than the `url` asked for, and `history`
    if there were attempts before the last. A request that had a body has
    `request_body_sha256`, and one of a list that has a `label` has that.
    """
    # Put together by hand, in half of the time that a dict takes and its encoding: of
    # all that a request costs, this line is the largest part.
    url, last, error = result.url, result.last, result.error
    response = result.response
    fileno = "null" if last is None or last.fileno is None else last.fileno
    ended = _NO_RESPONSE if response is None else _response(response)
    failed = "null"
    if error is not None:
        failed = f'{{"type": "{type(error).__name__}", {_error(error)}}}'
    tries, resent, more = 1, 0, ""
    # Most have one attempt, of which there is nothing else to be told.
    if last is None or len(result.attempts) > 1:
        tries, resent = result.tries, result.resent
        if result.effective_url != url:
            more = f', "effective_url": {quoted(result.effective_url)}'
        if result.earlier:
            more += f', "history": [{", ".join(map(_attempt, result.earlier))}]'
    if result.job is not None and result.job.label:
        more += f', "label": {quoted(result.job.label)}'
    document = (
        f'{{"index": {index}, "url": {quoted(url)}, {_asked(result.job)}, '
        f'"attempts": {tries}, "resent": {resent}, "fileno": {fileno}, {ended}, '
        f'"error": {failed}, {_when(result.timing)}{more}}}'
    )
    return escaped_json(document).encode() + b"\n"


def _asked(job: Job | None) -> str:
    if job is None:
        return '"method": null'
    # It is a token, in which nothing has to be quoted.
    method = f'"method": "{job.method}"'
    if not job.body:
        return method
    return f'{method}, "request_body_sha256": "{body_sha256(job.body)}"'


# Many requests may have one body, which may be large.
@lru_cache(maxsize=1)
def body_sha256(body: bytes) -> str:
    """The digest of a request's body, in hexadecimal."""
    return sha256(body).hexdigest()


_NO_RESPONSE = ", ".join(
    f'"{name}": null'
    for name in ("status", "reason", "http_version", "headers", "body", "bytes")
)


def _response(response: Response) -> str:
    headers = ", ".join(
        [f"[{quoted(name)}, {quoted(value)}]" for name, value in response.headers]
    )
    body = response.body
    try:
        text = f'"body": {quoted(body.decode())}'
    except UnicodeDecodeError:
        text = f'"body_base64": "{b64encode(body).decode()}"'
    return (
        f'"status": {response.status}, "reason": {quoted(response.reason)}, '
        f'"http_version": "{response.http_version}", "headers": [{headers}], '
        f'{text}, "bytes": {len(body)}'
    )


def _error(error: RequestError) -> str:
    return f'"phase": "{error.phase}", "message": {quoted(str(error))}'


def _attempt(attempt: Attempt) -> str:
    fileno = "null" if attempt.fileno is None else attempt.fileno
    status = "null" if attempt.status is None else attempt.status
    error = "null" if attempt.error is None else f"{{{_error(attempt.error)}}}"
    return (
        f'{{"url": {quoted(attempt.url)}, "method": "{attempt.message.method}", '
        f'"fileno": {fileno}, "status": {status}, '
        f'"error": {error}, {_when(attempt.timing)}, "then": "{attempt.then}", '
        f'"waited": {_rounded(attempt.waited)}}}'
    )


def _when(timing: Timing | None) -> str:
    if timing is None:
        return '"timing": null, "started": null'
    return (
        f'"timing": {{"queued": {_number(timing.queued)}, '
        f'"paced": {_number(timing.paced)}, '
        f'"dns": {_number(timing.dns)}, "connect": {_number(timing.connect)}, '
        f'"proxy": {_number(timing.proxy)}, '
        f'"tls": {_number(timing.tls)}, "wait": {_number(timing.wait)}, '
        f'"receive": {_number(timing.receive)}, "total": {_number(timing.total)}}}, '
        f'"started": "{_date(timing.started)}"'
    )


def _number(seconds: float | None) -> str:
    if seconds:
        return f"{_rounded(seconds)}"
    return "null" if seconds is None else "0.0"


def _rounded(seconds: float) -> float:
    """To the microsecond, which is more than clocks agree on."""
    return round(seconds * 1e6) / 1e6


def _date(moment: float) -> str:
    """Unix time as ISO 8601 has it, to the microsecond."""
    second = int(moment)
    microsecond = round((moment - second) * 1e6)
    if microsecond == 1_000_000:
        second, microsecond = second + 1, 0
    return f"{_THE_SECOND(second)}.{microsecond:06}+00:00"


def _to_the_second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, timezone.utc):%Y-%m-%dT%H:%M:%S}"


# Many requests begin in one second.
_THE_SECOND = Memo(_to_the_second)


# New ones come last: people cut columns out by their numbers.
CSV_COLUMNS = (
    *("index", "url", "attempts", "fileno", "status", "bytes", "error", "message"),
    *("queued", "dns", "connect", "tls", "wait", "receive", "total", "started"),
    *("resent", "method", "paced", "proxy"),
)

_TIMES = (
    "queued",
    "paced",
    "dns",
    "connect",
    "proxy",
    "tls",
    "wait",
    "receive",
    "total",
)

_BEGINNINGS_OF_FORMULAS = tuple("=+-@＝＋－＠")

CSV_HEADER = (",".join(CSV_COLUMNS) + "\r\n").encode()


def csv(index: int, result: Result) -> bytes:
    """A line of comma-separated values, as RFC 4180 has them, for `CSV_HEADER`.

    `error` is the phase where it went wrong; times are in seconds. What is not
    printable is escaped, and what a spreadsheet would take for a formula begins with
    `'`: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    response, error = result.response, result.error
    last, timing = result.last, result.timing
    values: dict[str, Any] = {
        "index": index,
        "url": result.url,
        "method": result.method,
        "attempts": result.tries,
        "resent": result.resent,
        "fileno": None if last is None else last.fileno,
    }
    if response is not None:
        values |= {"status": response.status, "bytes": len(response.body)}
    if error is not None:
        values |= {"error": error.phase, "message": str(error)}
    if timing is not None:
        values["started"] = _date(timing.started)
        for name in _TIMES:
            seconds = getattr(timing, name)
            values[name] = None if seconds is None else _rounded(seconds)
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


def body(index: int, result: Result) -> bytes:
    """The body of a response, and of an error nothing."""
    response = result.response
    return b"" if response is None else response.body


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
