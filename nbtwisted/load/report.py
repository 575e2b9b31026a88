"""What came of a run, for people (in hey's order) and for programs. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nbtwisted.load.conditions import Condition
from nbtwisted.load.tally import Latencies, Spread, Tally

__all__ = ["figure", "judged", "report", "text"]

PERCENTILES = (10, 25, 50, 75, 90, 95, 99, 99.9, 99.99)
BINS = 10
BAR = 40
"""Characters of the longest bar."""

BUSY = 0.9
"""Of a core: above this, the client is what limits the run."""

SHORT = 0.1
"""Seconds: in less, nearly all is beginning and ending."""

LATE = 0.01
"""Seconds that one timer in a hundred may be late."""


def report(
    tally: Tally,
    *,
    seconds: float,
    cpu_share: float,
    connections: int,
    rate: float | None,
    urls: Sequence[str],
    interrupted: bool,
) -> dict[str, Any]:
    """The run as JSON values. Times are in seconds, shares from 0 to 1.

    `uncorrected` latencies count from when a request was sent, and stand there for runs
    with a rate; `latency` counts from when it was due.
    """
    rps = tally.answered / seconds if seconds else 0.0
    found: dict[str, Any] = {
        "urls": list(urls),
        "connections": connections,
        "rate": rate,
        "seconds": seconds,
        "sent": tally.sent,
        "answered": tally.answered,
        "failed": tally.failed,
        "rps": rps,
        "bytes": tally.bytes,
        "latency": _latency(tally.latencies),
        "uncorrected": None if rate is None else _latency(tally.service),
        "phases": {
            "connect": _spread(tally.connecting),
            "receive": _spread(tally.receiving),
        },
        "statuses": {str(s): n for s, n in sorted(tally.statuses.items())},
        "errors": [
            {"type": kind, "phase": phase, "message": message, "count": count}
            for (kind, phase, message), count in tally.errors.most_common()
        ],
        "client": {
            "cpu": cpu_share,
            "lateness": _latency(tally.lateness),
            "waited_for_connection": tally.waited_for_connection,
            "not_sent": 0 if interrupted else tally.not_sent,
        },
        "interrupted": interrupted,
    }
    found["warnings"] = _warnings(found)
    return found


def figure(found: dict[str, Any], tally: Tally, condition: Condition) -> float:
    """The figure that a condition is about.

    Latencies of a run without an answer are infinite: it has met no limit.
    """
    name = condition.figure
    if name == "errors":
        failed: int = found["failed"]
        return failed / max(found["sent"], 1) if condition.is_share else failed
    if name == "rps":
        return float(found["rps"])
    if not tally.answered:
        return math.inf
    if name.startswith("p"):
        return tally.latencies.percentile(float(name[1:]))
    return float(found["latency"][name])


def judged(
    found: dict[str, Any], tally: Tally, conditions: Sequence[Condition]
) -> list[dict[str, Any]]:
    """Of each condition its `text`, the `value` of its figure, and whether it `holds`.

    The value is None where there was no answer, and `shown` is for people to read.
    """
    values = [figure(found, tally, condition) for condition in conditions]
    return [
        {
            "text": condition.text,
            "value": value if math.isfinite(value) else None,
            "shown": _shown(condition, value),
            "holds": condition.holds(value),
        }
        for condition, value in zip(conditions, values, strict=True)
    ]


def text(found: dict[str, Any], tally: Tally, *, bar: str = "■") -> str:
    """The run on some lines, drawn with `bar`."""
    latency = found["latency"]
    lines = [
        "",
        "Summary:",
        f"  Total:        {found['seconds']:.4f} s",
        f"  Slowest:      {_ms(latency['max'])}",
        f"  Fastest:      {_ms(latency['min'])}",
        f"  Average:      {_ms(latency['mean'])}",
        f"  Requests/sec: {found['rps']:.2f}",
        f"  Sent:         {found['sent']} = {found['answered']} answered + "
        f"{found['failed']} failed",
    ]
    if found["answered"]:
        size = found["bytes"] / found["answered"]
        lines += [
            f"  Total data:   {found['bytes']} bytes",
            f"  Size/request: {size:.0f} bytes",
            "",
            "Response time histogram:",
            *_histogram(tally.latencies, bar),
            "",
            *_distribution(found),
            "",
            "Details (average, fastest, slowest):",
            *(
                f"  {name + ':':<9} {_ms(spread['mean'])}, {_ms(spread['min'])}, "
                f"{_ms(spread['max'])} ({spread['count']} times)"
                for name, spread in found["phases"].items()
                if spread["count"]
            ),
            "",
            "Status code distribution:",
            *(f"  [{s}] {n} responses" for s, n in found["statuses"].items()),
        ]
    if found["errors"]:
        lines += ["", "Error distribution:"]
        lines += [
            f"  [{error['count']}] {error['type']}: {error['phase']}: "
            f"{error['message']}"
            for error in found["errors"]
        ]
    client = found["client"]
    lines += [
        "",
        f"Client: {client['cpu']:.0%} of a core; its timers "
        f"{client['lateness']['p99'] * 1000:.1f} ms late (p99)",
    ]
    lines += [f"Warning: {warning}" for warning in found["warnings"]]
    return "".join(f"{line}\n" for line in lines)


def _warnings(found: dict[str, Any]) -> list[str]:
    client = found["client"]
    warnings = []
    if found["seconds"] < SHORT:
        return []
    if client["cpu"] > BUSY:
        warnings.append(
            f"the client used {client['cpu']:.0%} of its core: these figures are its "
            "own as much as the server's"
        )
    elif client["lateness"]["p99"] > LATE:
        warnings.append(
            f"the client was {client['lateness']['p99'] * 1000:.0f} ms late (p99), "
            "which is part of these latencies: its machine has too much to do"
        )
    waited = client["waited_for_connection"]
    if waited:
        warnings.append(
            f"{waited} requests were due while all {found['connections']} connections "
            "were busy; their latencies count from then (more with -c)"
        )
    if client["not_sent"]:
        warnings.append(
            f"{client['not_sent']} requests were due and not sent, because no "
            "connection was free before the time was over"
        )
    return warnings


def _latency(latencies: Latencies) -> dict[str, float]:
    return {
        "mean": latencies.mean(),
        "min": latencies.shortest(),
        "max": latencies.longest(),
        **{f"p{percent:g}": latencies.percentile(percent) for percent in PERCENTILES},
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {
        "count": spread.count,
        "mean": spread.mean,
        "min": spread.shortest,
        "max": spread.longest,
    }


def _shown(condition: Condition, value: float) -> str:
    if not math.isfinite(value):
        return "no answer"
    if condition.figure == "rps":
        return f"{value:.1f}"
    if condition.figure == "errors":
        return f"{value:.2%}" if condition.is_share else f"{value:.0f}"
    return f"{value * 1000:.1f} ms"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3f} ms"


def _histogram(latencies: Latencies, bar: str) -> list[str]:
    bins = latencies.bins(BINS)
    most = max(count for _, count in bins)
    width = len(str(most)) + 2
    return [
        f"  {_ms(end):>12} {f'[{count}]':<{width}} |{bar * round(BAR * count / most)}"
        for end, count in bins
    ]


def _distribution(found: dict[str, Any]) -> list[str]:
    if found["uncorrected"] is None:
        return [
            "Latency distribution:",
            *(
                f"  {percent:g}% in {_ms(found['latency'][f'p{percent:g}'])}"
                for percent in PERCENTILES
            ),
        ]
    return [
        "Latency distribution, from when each was due (and from when it was sent):",
        *(
            f"  {percent:g}% in {_ms(found['latency'][f'p{percent:g}'])} "
            f"({_ms(found['uncorrected'][f'p{percent:g}'])})"
            for percent in PERCENTILES
        ),
    ]
