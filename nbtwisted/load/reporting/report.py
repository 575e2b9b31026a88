"""What came of a run, for people (in hey's order) and for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbtwisted.load.comparing.compare import comparison_lines
from nbtwisted.load.conditions import Condition
from nbtwisted.load.figures.latencies import PERCENTILES, Latencies
from nbtwisted.load.figures.tally import Spread, Tally
from nbtwisted.load.judging import BUSY, LATE, MOSTLY, judged, verdict
from nbtwisted.load.reporting.labels import label_figures, label_lines
from nbtwisted.load.reporting.stages import stage_figures, stage_lines
from nbtwisted.load.reporting.workers import worker_lines
from nbtwisted.load.schedule.arrivals import POISSON, Arrivals
from nbtwisted.load.search.found_rate import found_rate_lines
from nbtwisted.load.worker_results import Workers

__all__ = ["report", "text"]

BINS = 10
BAR = 40
"""Characters of the longest bar."""

SHORT = 0.1
"""Seconds: in less, nearly all is beginning and ending."""


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
    weights: Mapping[str, int] | None = None,
    interrupted: bool,
    conditions: Sequence[Condition] = (),
    workers: Workers | None = None,
    cores: int = 1,
    arrivals: Arrivals | None = None,
) -> dict[str, Any]:
    """The run as JSON values. Times are in seconds, shares from 0 to 1.

    `uncorrected` latencies count from when a request was sent, and stand there for runs
    at a rate; `latency` counts from when it was due. Both are of answers and of
    requests that had none in their time, which count as at least that: `timeout`, or
    one of their own. The shortest that was over is `cut_off_at`, None if none was.
    `urls` are the first of those that took turns. `conditions` are as `judged` has
    them. `weights` are those of labels, each of which has a row then. `workers` are
    those of a run on a cluster; without one, this machine has so many `cores` that
    could take part. `arrivals` are those of an open loop; `rate` is None if that
    varies, and then there are `stages`.
    """
    stages = None
    if arrivals is not None and rate is None:
        stages = stage_figures(arrivals.profile, tally.series)
    rps = tally.answered / seconds if seconds else 0.0
    found: dict[str, Any] = {
        "urls": list(urls),
        "urls_left_out": urls_left_out,
        "connections": connections,
        "rate": rate,
        "stages": stages,
        "arrivals": None if arrivals is None else arrivals.kind,
        "seed": None if arrivals is None else arrivals.seed,
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
        "latency": tally.latencies.figures(),
        "uncorrected": None if arrivals is None else tally.service.figures(),
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
            "lateness": tally.lateness.figures(),
            "waited_for_connection": tally.waited_for_connection,
            "not_sent": tally.not_sent,
        },
        "interrupted": interrupted,
        "comparison": None,
        "found_rate": None,
        "workers": [] if workers is None else workers.rows,
        "bottleneck": None if workers is None else workers.bottleneck,
        "partial": None if workers is None else workers.partial,
        "labels": label_figures(
            tally, weights or {}, seconds=seconds, is_open=arrivals is not None
        ),
    }
    found["warnings"] = [
        *([] if workers is None else workers.warnings),
        *_warnings(found, cores),
    ]
    found["conditions"] = judged(found, tally, conditions)
    return found


def text(found: dict[str, Any], tally: Tally, *, bar: str = "■") -> str:
    """The run on some lines, drawn with `bar`; the first is the verdict on it."""
    latency = found["latency"]
    judgement = verdict(found)
    rate, comparison = found["found_rate"], found["comparison"]
    lines = [
        *([] if rate is None else [*found_rate_lines(rate), ""]),
        *([] if judgement is None else [judgement, ""]),
        *([] if comparison is None else [*comparison_lines(comparison), ""]),
        "Summary:",
        f"  Total:        {found['seconds']:.4f} s",
        f"  Slowest:      {_ms(latency['max'])}",
        f"  Fastest:      {_ms(latency['min'])}",
        f"  Average:      {_ms(latency['mean'])}",
        f"  Requests/sec: {found['rps']:.2f}",
        f"  Sent:         {found['sent']} = {found['answered']} answered + "
        f"{found['failed']} failed",
        *_methods(found),
        *_arrivals(found),
        f"  Resent:       {found['resent']} (a kept connection ended before its "
        "answer)",
    ]
    if found["answered"]:
        size = found["bytes"] / found["answered"]
        lines += [
            f"  Total data:   {found['bytes']} bytes",
            f"  Size/request: {size:.0f} bytes",
        ]
    if found["stages"]:
        lines += ["", *stage_lines(found["stages"])]
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
    if found["labels"]:
        lines += ["", *label_lines(found["labels"])]
    if found["errors"]:
        lines += ["", "Error distribution:"]
        lines += [
            f"  [{error['count']}] {error['type']}: {error['phase']}: "
            f"{error['message']}"
            for error in found["errors"]
        ]
    if found["workers"]:
        lines += ["", *worker_lines(found["workers"])]
        if found["bottleneck"] is not None:
            lines.append(f"Bottleneck: {found['bottleneck']}")
    client = found["client"]
    whose = "the busiest worker, " if found["workers"] else ""
    lines += [
        "",
        f"Client: {whose}{client['cpu']:.0%} of a core; its timers "
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


def _arrivals(found: dict[str, Any]) -> list[str]:
    """A line on how requests came, where that was drawn."""
    if found["arrivals"] != POISSON:
        return []
    return [f"  Arrivals:     a Poisson process (--seed {found['seed']})"]


def _warnings(found: dict[str, Any], cores: int) -> list[str]:
    client = found["client"]
    who, whose = "the client", "its own"
    if found["workers"]:
        who, whose = "the busiest worker", "the client's own"
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
        # Who has workers, has used more cores.
        more = f" (--cluster local uses {cores} cores)" if cores > 1 else ""
        warnings.append(
            f"{who} used {client['cpu']:.0%} of its core: these figures are {whose} as "
            f"much as the server's{more}"
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
            "connection was free before the run was over"
        )
    return warnings


def _spread(spread: Spread) -> dict[str, float]:
    return {
        "count": spread.count,
        "mean": spread.mean,
        "min": spread.shortest,
        "max": spread.longest,
    }


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
