"""Judges what came of `make cluster`: totals, turns, clocks and records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

__all__ = ["faults_of_clocks", "faults_of_load", "faults_of_records", "faults_of_turns"]

LARGEST_SKEW = 0.2
"""Seconds, on a busy machine whose packets take 20 ms."""
LARGEST_CLOCK_ERROR = 0.018
"""Seconds: less than the way takes, of which a comparison must not miss one."""
PUNCTUAL = 0.6
"""The share of requests that have to come within an eighth of a turn of their moment.

What is lost is sent again a fifth of a second later, and keeps others waiting."""

Report = Mapping[str, Any]
Record = Mapping[str, Any]


def faults_of_load(report: Report, number: int) -> Iterator[str]:
    """What is wrong with a load test of so many requests, of which none can fail."""
    totals = [("answered", report["answered"]), ("sent", report["sent"])]
    statuses = report["statuses"]
    totals += [("of status 200", statuses.get("200", 0))]
    for name, found in totals:
        if found != number:
            yield f"{found} {name}, not {number}"
    if report["failed"]:
        yield f"{report['failed']} failed: {report['errors']}"
    if report["partial"]:
        yield f"it is partial: {report['partial']}"
    rows = {row["name"]: row for row in report["workers"]}
    if sorted(rows) != ["one", "two"]:
        yield f"rows for {sorted(rows)}, not for the workers one and two"
    together = sum(row["answered"] for row in rows.values())
    if together != number:
        yield f"the workers have {together} together, not {number}"
    for name, row in rows.items():
        if row["lost"]:
            yield f"worker {name}: lost: {row['lost']}"
        if not number / 4 <= row["answered"] <= number * 3 / 4:
            yield f"worker {name}: {row['answered']} of {number} are no fair share"
        if abs(row["skew"]) > LARGEST_SKEW:
            yield f"worker {name}: it began {row['skew']:.3f} s late"


def faults_of_clocks(report: Report, ahead: Mapping[str, float]) -> Iterator[str]:
    """Which workers' clocks are not by so many seconds ahead, as the report has it."""
    for row in report["workers"]:
        expected = ahead[row["name"]]
        if abs(row["clock"] - expected) > LARGEST_CLOCK_ERROR:
            yield f"worker {row['name']}: clock {row['clock']:+.3f}, not {expected:+g}"


def faults_of_turns(
    came: Mapping[str, Sequence[float]], number: int, rate: float
) -> Iterator[str]:
    """What is not even where so many requests came, by their senders' addresses.

    The moments are in seconds; all senders together have the rate.
    """
    together = sum(map(len, came.values()))
    if together != number or len(came) != 2:
        yield f"{together} requests came of {len(came)} senders, not {number} of 2"
        return
    every = len(came) / rate
    middles = []
    for sender, moments in came.items():
        middle = _middle([moment % every for moment in moments], every)
        middles.append(middle)
        punctual = sum(
            abs(_apart(moment - middle, every)) < every / 8 for moment in moments
        )
        if punctual < PUNCTUAL * len(moments):
            yield f"{sender}: {punctual} of {len(moments)} requests come in its turns"
    apart = abs(_apart(middles[0] - middles[1], every))
    if apart < every * 3 / 8:
        yield (
            f"the senders' turns are {apart * 1000:.1f} ms apart, "
            f"not {every / 2 * 1000:g} ms"
        )


def _apart(difference: float, every: float) -> float:
    """What of a difference is left, from -every/2 to every/2."""
    return (difference + every / 2) % every - every / 2


def _middle(moments: Sequence[float], every: float) -> float:
    """The median of moments on a circle: around the one that has most others near."""
    slots = Counter(int(moment / every * 16) for moment in moments)
    busiest = (slots.most_common(1)[0][0] + 0.5) * every / 16
    return busiest + median(_apart(moment - busiest, every) for moment in moments)


def faults_of_records(urls: Sequence[str], records: Sequence[Record]) -> Iterator[str]:
    """What is wrong with the records of URLs, all of which can be got."""
    if len(records) != len(urls):
        yield f"{len(records)} records for {len(urls)} URLs"
    for index, times in Counter(record["index"] for record in records).items():
        if times > 1:
            yield f"URL {index} has {times} records"
    for index, (url, record) in enumerate(zip(urls, records, strict=False)):
        for name, expected in (
            ("index", index),
            ("url", url),
            ("error", None),
            ("status", 200),
        ):
            if record[name] != expected:
                yield f"record {index}: {name} {record[name]!r}, not {expected!r}"
                break
