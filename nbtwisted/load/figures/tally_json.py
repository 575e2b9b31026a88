"""A tally as values of JSON, and back: a part of a run is another process. Pure."""

from __future__ import annotations

import math
from typing import Any

from nbtwisted.load.figures.json_values import (
    as_count,
    as_list,
    as_object,
    as_seconds,
    as_text,
)
from nbtwisted.load.figures.latencies import Latencies
from nbtwisted.load.figures.series import Series
from nbtwisted.load.figures.tally import Spread, Tally

__all__ = ["read_tally", "write_tally"]


def write_tally(tally: Tally, *, with_series: bool = True) -> dict[str, Any]:
    """The tally as JSON values; with its series, of a run that is over."""
    series = tally.series
    return {
        **_write(tally),
        "lateness": tally.lateness.as_json(),
        "waited_for_connection": tally.waited_for_connection,
        "not_sent": tally.not_sent,
        "series": None
        if series is None or not with_series
        else series.as_json(latencies=False),
        "labels": {label: _write(each) for label, each in tally.by_label.items()},
    }


def read_tally(given: Any) -> Tally:
    """The inverse of `write_tally`; raises `ValueError` for what that does not give."""
    given = as_object(given)
    tally = _read(given)
    tally.lateness = Latencies.from_json(given.get("lateness"))
    tally.waited_for_connection = as_count(given.get("waited_for_connection"))
    tally.not_sent = as_count(given.get("not_sent"))
    if given.get("series") is not None:
        tally.series = Series.from_json(given.get("series"))
    for label, each in as_object(given.get("labels")).items():
        tally.by_label[label] = _read(as_object(each))
    return tally


def _write(tally: Tally) -> dict[str, Any]:
    """What each label has."""
    tally.fold()
    cut_off_at = tally.cut_off_at
    return {
        "latencies": tally.latencies.as_json(),
        "service": tally.service.as_json(),
        "connecting": vars(tally.connecting),
        "receiving": vars(tally.receiving),
        "statuses": {str(status): count for status, count in tally.statuses.items()},
        "errors": [[*kind, count] for kind, count in tally.errors.items()],
        "bytes": tally.bytes,
        "timed_out": tally.timed_out,
        "cut_off_at": None if cut_off_at == math.inf else cut_off_at,
        "resent": tally.resent,
    }


def _read(given: dict[str, Any]) -> Tally:
    tally, get = Tally(), given.get
    tally.latencies = Latencies.from_json(get("latencies"))
    tally.service = Latencies.from_json(get("service"))
    tally.connecting = _spread(get("connecting"))
    tally.receiving = _spread(get("receiving"))
    for status, count in as_object(get("statuses")).items():
        if not (len(status) == 3 and status.isascii() and status.isdecimal()):
            raise ValueError(f"{status[:100]!r}: expected a status of three digits")
        tally.statuses[int(status)] = as_count(count)
    for error in as_list(get("errors")):
        if len(as_list(error)) != 4:
            raise ValueError("an error that has not type, phase, message and count")
        kind, phase, message, count = error
        known = as_text(kind), as_text(phase), as_text(message)
        tally.count_errors(known, as_count(count))
    tally.bytes = as_count(get("bytes"))
    tally.timed_out = as_count(get("timed_out"))
    if get("cut_off_at") is not None:
        tally.cut_off_at = as_seconds(get("cut_off_at"))
    tally.resent = as_count(get("resent"))
    return tally


def _spread(given: Any) -> Spread:
    given = as_object(given)
    spread = Spread()
    spread.count = as_count(given.get("count"))
    spread.total = as_seconds(given.get("total"))
    spread.shortest = as_seconds(given.get("shortest"))
    spread.longest = as_seconds(given.get("longest"))
    return spread
