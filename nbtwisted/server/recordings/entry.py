"""An entry of an HTTP Archive: a request, the answer to it, and its time. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import quote

from nbtwisted.duration import print_duration
from nbtwisted.http1.syntax import is_token
from nbtwisted.server.model.browsers import is_for_operators
from nbtwisted.server.model.control_text import MOST_CHUNKS
from nbtwisted.server.recordings.faults import SENDS_HALF, fault_of
from nbtwisted.server.recordings.loose_json import number, pairs, table, text
from nbtwisted.server.recordings.response import LeftOut, ResponseRead, read_response

__all__ = ["TIMES", "Recorded", "read_entry"]

TIMES = "time"
"""What an archive may lack, besides: how long a request waited."""

SHORTEST_DRIP = 0.005
"""Seconds: a body that came in less is sent at once."""

SECONDS_A_CHUNK = 0.05
"""From one piece of a slow body to the next: an archive does not tell them apart."""

BYTES_A_CHUNK = 256 * 1024
"""At most: the last piece takes its own time, besides. In two pieces, 50 MB that took
60 ms took 90."""

_URL = re.compile(r"https?://([^/?#\\]*)([^#]*)", re.I | re.S)

_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))

_DATE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:Z|([+-]\d\d):?(\d\d))", re.A
)


class Recorded(NamedTuple):
    """A request that was recorded, and the answer to it.

    method, target   of the request
    host             that it was sent to, in lower case, with its port if it has one
    sent             Unix time at which it was sent; None if the archive does not tell
    seconds          the longest that the answer waits, or drips
    controls         of the answer, by their names, without its header fields
    headers          these
    lacks            what the archive should have and has not
    """

    method: str
    target: str
    host: str
    sent: float | None
    seconds: float
    controls: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...]
    lacks: tuple[str, ...]


def read_entry(given: object, *, with_times: bool) -> Recorded:
    """Read an entry; raises `LeftOut`."""
    entry = table(given)
    request, response = table(entry.get("request")), table(entry.get("response"))
    host, target = _place(text(request.get("url")))
    method = text(request.get("method"))
    if not is_token(method) or method == "CONNECT":
        raise LeftOut("a method that HTTP has not")
    if is_for_operators(target.partition("?")[0].encode()):
        raise LeftOut("a path of operators")
    asked = "access-control-request-method"
    if any(name.lower() == asked for name, _ in pairs(request.get("headers"))):
        raise LeftOut("a preflight, which the server answers itself")
    if entry.get("_then") == "resend":
        raise LeftOut("sent again over another connection")
    # Chrome writes 0 where there was none, and Playwright -1.
    has_head = (number(response.get("status")) or 0) > 0
    fault = fault_of(entry, has_head=has_head)
    if has_head:
        read = read_response(
            method, response, is_whole=not fault, is_kept="_then" not in entry
        )
    elif fault:
        read = ResponseRead({"size": 0}, [], 0, [])
    else:
        raise LeftOut("no response")
    controls, lacks, seconds = read.controls, read.lacks, 0.0
    if with_times:
        times, seconds = _times(entry, lacks, fault, read.length)
        controls |= times
    if fault:
        controls["fault"] = fault
    return Recorded(
        *(method, target, host, _sent(entry), seconds),
        *(controls, tuple(read.headers), tuple(lacks)),
    )


def _place(url: str) -> tuple[str, str]:
    """The host of a URL, and the target of a request for it."""
    found = _URL.match(url)
    if found is None:
        raise LeftOut("no HTTP, such as data:, blob: and ws:")
    host = found[1].rpartition("@")[2].lower()
    target = found[2] if found[2].startswith("/") else f"/{found[2]}"
    return host, quote(target, safe=_VISIBLE, errors="surrogatepass")


def _times(
    entry: Mapping[str, Any], lacks: list[str], fault: str, length: int
) -> tuple[dict[str, str], float]:
    """The controls for how long it took, and the longest time in them."""
    timings = table(entry.get("timings"))
    if number(timings.get("wait")) is None:
        lacks.append(TIMES)
    wait, receive = _seconds(timings, "wait"), _seconds(timings, "receive")
    times: dict[str, str] = {}
    # What stalled was waited for until the client had enough: that is up to it.
    if wait and fault != "stall":
        times["delay"] = _printed(wait)
    chunks = max(receive / SECONDS_A_CHUNK, length / BYTES_A_CHUNK)
    chunks = min(math.ceil(chunks), MOST_CHUNKS // 2 - 1) + 1
    if fault in SENDS_HALF:
        # It breaks off in the middle one, when half of the time has passed.
        receive, chunks = 2 * receive, 2 * chunks - 1
    if fault == "stall-body":
        receive = 0.0
    if receive >= SHORTEST_DRIP and length > 1:
        times["drip"] = f"{_printed(receive)}/{chunks}"
    return times, max(wait if "delay" in times else 0.0, receive)


def _printed(seconds: float) -> str:
    return f"{print_duration(seconds * 1000)}ms"


def _seconds(timings: Mapping[str, Any], name: str) -> float:
    """The seconds of a phase: -1 stands for one that there was not."""
    return max(number(timings.get(name)) or 0.0, 0.0) / 1000


def _sent(entry: Mapping[str, Any]) -> float | None:
    """When the request was sent, as Unix time."""
    date = _DATE.fullmatch(text(entry.get("startedDateTime")))
    if date is None:
        return None
    try:
        began = datetime.fromisoformat(date[1]).replace(tzinfo=timezone.utc)
        hours, minutes = int(date[3] or 0), int(date[4] or 0)
        ahead = timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes)
        moment = (began - ahead).timestamp() + float(date[2] or 0)
    except (ValueError, OverflowError):
        return None
    timings = table(entry.get("timings"))
    before = ("blocked", "dns", "connect", "send")
    return moment + sum(_seconds(timings, name) for name in before)
