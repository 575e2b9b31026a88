"""What came of a run, for people (in hey's order) and for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbtwisted.load.conditions import Condition, Kind
from nbtwisted.load.tally import Latencies, Spread, Tally

__all__ = ["judged", "report", "text", "verdict"]

PERCENTILES = (10, 25, 50, 75, 90, 95, 99, 99.9, 99.99)
BINS = 10
BAR = 40
"""Characters of the longest bar."""

BUSY = 0.9
"""Of a core: above this, the client is what limits the run."""

SHORT = 0.1
"""Seconds: in less, nearly all is beginning and ending."""

MOSTLY = 0.5
"""Of the answers: above this, the figures are those of other statuses than 2xx."""

LATE = 0.01
"""Seconds that one timer in a hundred may be late."""


def report(
    tally: Tally,
    *,
    seconds: float,
    cpu_share: float,
    connections: int,
    rate: float | None,
    timeout: float,
    urls: Sequence[str],
    urls_left_out: int = 0,
    methods: Mapping[str, int],
    interrupted: bool,
    conditions: Sequence[Condition] = (),
) -> dict[str, Any]:
    """The run as JSON values. Times are in seconds, shares from 0 to 1.

    `uncorrected` latencies count from when a request was sent, and stand there for runs
    with a rate; `latency` counts from when it was due. Both are of answers and of
    requests that had none in their time, which count as at least that: `timeout`, or
    one of their own. The shortest that was over is `cut_off_at`, None if none was.
    `urls` are the first of those that took turns. `conditions` are as `judged` has
    them.
    """
    rps = tally.answered / seconds if seconds else 0.0
    found: dict[str, Any] = {
        "urls": list(urls),
        "urls_left_out": urls_left_out,
        "connections": connections,
        "rate": rate,
        "timeout": timeout,
        "seconds": seconds,
        "sent": tally.sent,
        "methods": dict(sorted(methods.items(), key=lambda each: (-each[1], each[0]))),
        "answered": tally.answered,
        "failed": tally.failed,
        "timed_out": tally.timed_out,
        "cut_off_at": tally.cut_off_at if tally.timed_out else None,
        "resent": tally.resent,
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
    found["conditions"] = judged(found, tally, conditions)
    return found


def judged(
    found: dict[str, Any], tally: Tally, conditions: Sequence[Condition]
) -> list[dict[str, Any]]:
    """Of each condition its `text`, the `value` of its figure, and whether it `holds`.

    The value is None where there is none, and `shown` is for people to read. What is
    not known to be within its limit is beyond it. So any condition holds of a run
    without answers; and one on a latency if that may have been cut off, or if more
    requests were due and never sent than a percentile leaves out. One on how fast
    answers came also holds if most of them were a 4xx or a 5xx, or most requests had
    none, unless another condition is about that.
    """
    broken = _broken(found, conditions)
    return [_judge(found, tally, condition, broken) for condition in conditions]


def _broken(found: dict[str, Any], conditions: Sequence[Condition]) -> str | None:
    """Why it says nothing how fast answers came, if that is so."""
    refused = sum(n for status, n in found["statuses"].items() if int(status) >= 400)
    if refused > MOSTLY * found["answered"] and not any(
        condition.kind is Kind.STATUSES for condition in conditions
    ):
        return "most answers are 4xx or 5xx"
    if found["failed"] > MOSTLY * found["sent"] and not any(
        condition.figure == "errors" for condition in conditions
    ):
        return "most requests failed"
    return None


def _judge(
    found: dict[str, Any], tally: Tally, condition: Condition, broken: str | None
) -> dict[str, Any]:
    value = _figure(found, tally, condition)
    holds = value is None or condition.holds(value)
    shown = "no answer" if value is None else _shown(condition, value)
    if not found["answered"]:
        holds = True
    elif condition.kind in (Kind.LATENCY, Kind.RATE) and broken is not None:
        holds = True
        shown += f", and {broken}"
    elif condition.kind is Kind.LATENCY and condition.is_upper_limit:
        assert value is not None, "answers without latencies"
        not_sent = found["client"]["not_sent"]
        due = tally.latencies.count + not_sent
        if value >= tally.cut_off_at:
            holds = True
            shown = f"at least {shown}"
        elif not_sent > due * (1 - (condition.percentile or 0) / 100):
            holds = True
            shown += f", and {not_sent} requests were due and never sent"
    return {"text": condition.text, "value": value, "shown": shown, "holds": holds}


def _figure(found: dict[str, Any], tally: Tally, condition: Condition) -> float | None:
    name = condition.figure
    if condition.kind is Kind.RATE:
        return float(found["rps"])
    count: int
    if condition.kind is Kind.LATENCY:
        if not tally.latencies.count:
            return None
        if name.startswith("p"):
            return tally.latencies.percentile(float(name[1:]))
        return float(found["latency"][name])
    if condition.kind is Kind.STATUSES:
        count = sum(
            n for status, n in found["statuses"].items() if _is_one_of(status, name)
        )
    else:
        count = found["failed" if name == "errors" else "resent"]
    if not condition.is_share:
        return count
    return count / found["sent"] if found["sent"] else None


def _is_one_of(status: str, statuses: str) -> bool:
    """Whether a status is `404`, one of `4xx`, or `non2xx`, whichever is asked."""
    if statuses == "non2xx":
        return status[0] != "2"
    return status == statuses or f"{status[0]}xx" == statuses


def verdict(found: dict[str, Any]) -> str | None:
    """Whether the run passed, and of each condition why; None if nobody asked."""
    failed, passed = (
        [
            f"{condition['text']} ({condition['shown']})"
            for condition in found["conditions"]
            if condition["holds"] is holds
        ]
        for holds in (True, False)
    )
    if not found["answered"]:
        failed.insert(0, "no request was answered")
    said = [("Failed", failed), ("Passed", passed)]
    judgement = ". ".join(f"{how}: {', '.join(what)}" for how, what in said if what)
    if judgement and found["interrupted"]:
        return f"Interrupted. Until then: {judgement}"
    return judgement or None


def text(found: dict[str, Any], tally: Tally, *, bar: str = "■") -> str:
    """The run on some lines, drawn with `bar`; the first is the verdict on it."""
    latency = found["latency"]
    judgement = verdict(found)
    lines = [
        *([] if judgement is None else [judgement, ""]),
        "Summary:",
        f"  Total:        {found['seconds']:.4f} s",
        f"  Slowest:      {_ms(latency['max'])}",
        f"  Fastest:      {_ms(latency['min'])}",
        f"  Average:      {_ms(latency['mean'])}",
        f"  Requests/sec: {found['rps']:.2f}",
        f"  Sent:         {found['sent']} = {found['answered']} answered + "
        f"{found['failed']} failed",
        *_methods(found),
        f"  Resent:       {found['resent']} (a kept connection ended before its "
        "answer)",
    ]
    if found["answered"]:
        size = found["bytes"] / found["answered"]
        lines += [
            f"  Total data:   {found['bytes']} bytes",
            f"  Size/request: {size:.0f} bytes",
        ]
    if tally.latencies.count:
        lines += [
            "",
            "Response time histogram:",
            *_histogram(tally.latencies, bar),
            "",
            *_distribution(found),
        ]
    if found["answered"]:
        lines += [
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


def _methods(found: dict[str, Any]) -> list[str]:
    """A line on what was sent, where that is more than GETs."""
    methods = found["methods"]
    if {*methods} <= {"GET"}:
        return []
    counts = [f"{count} {method}" for method, count in methods.items()]
    return [f"  Methods:      {', '.join(counts)}"]


def _warnings(found: dict[str, Any]) -> list[str]:
    client = found["client"]
    warnings = []
    not_2xx = sum(n for status, n in found["statuses"].items() if status[0] != "2")
    if not_2xx > MOSTLY * found["answered"]:
        warnings.append(
            f"{not_2xx} of {found['answered']} answers are not 2xx: these figures are "
            "mostly theirs (--fail-if 'non2xx>1%' fails such a run)"
        )
    if found["timed_out"]:
        time = f"within {found['timeout']:g} s (-t)"
        if found["cut_off_at"] != found["timeout"]:
            time = "in their time (-t, or their own max_time)"
        warnings.append(
            f"{found['timed_out']} requests had no answer {time}; they count in the "
            "latencies as that long"
        )
    if found["seconds"] < SHORT:
        return warnings
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
    if condition.kind is Kind.LATENCY:
        return f"{value * 1000:.1f} ms"
    if condition.kind is Kind.RATE:
        return f"{value:.1f}"
    return f"{value:.2%}" if condition.is_share else f"{value:.0f}"


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
    latency, uncorrected = found["latency"], found["uncorrected"]
    lines = [
        "Latency distribution:"
        if uncorrected is None
        else "Latency distribution, from when each was due (and from when it was sent):"
    ]
    for percent in PERCENTILES:
        name = f"p{percent:g}"
        sent = "" if uncorrected is None else f" ({_ms(uncorrected[name])})"
        lines.append(f"  {percent:g}% in {_ms(latency[name])}{sent}")
    return lines
