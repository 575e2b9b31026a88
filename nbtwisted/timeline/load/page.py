"""A run of the load program on a page: in figures, in charts, and in tables. Pure.

Everything is there without the script, which adds a cross-hair to the charts: it reads
out a row of the table under a chart, and finds by `data-x`, from 0 to 1, where on the
chart that row is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from nbtwisted.printable import escaped
from nbtwisted.timeline.load.asked_rate import AskedRate
from nbtwisted.timeline.load.charts import (
    Curve,
    Values,
    latency_over_time,
    percentile_curve,
    rate_over_time,
)
from nbtwisted.timeline.load.comparison import comparison
from nbtwisted.timeline.load.search import found_rate_sentence, trials
from nbtwisted.timeline.load.tables import errors, labels, percentiles, stages, statuses
from nbtwisted.timeline.load.workers import lost_part, workers
from nbtwisted.timeline.page import html_page, html_text
from nbtwisted.timeline.quantity import NONE, counted, duration, number, percent

__all__ = ["load_page"]

MOST_URLS = 10
LONGEST_TEXT = 200
"""Characters of a URL or a message that are shown."""


def load_page(
    report: Values,
    *,
    began: float,
    intervals: Sequence[Values],
    curves: Mapping[str, Curve | None],
    conditions: Sequence[Values],
    rates: Sequence[Values] | None = None,
    before: Sequence[Values] = (),
) -> str:
    """The page, which is one file, and has all of these inside as JSON.

    All times are in seconds; `began` is Unix time. `report` is what `--json` writes.
    Of each of the `intervals` there are `began` and `ended` since then, `answered`,
    `failed`, `statuses` by hundreds and `errors` by type, and of its latencies `p50`,
    `p90`, `p99` and `max`, once as `latency` and at a rate as `uncorrected`; these are
    None where there is none, and percentiles where there are too few. `rates` are
    shorter ones of the same time, if there are such: answers a second are drawn of
    those, and they need no latencies. `before` are intervals of the earlier run that
    this one is compared with. The `curves` of the same names are pairs of a
    share and the seconds that so many took at most. Each of the `conditions` has its
    `text`, its figure as `shown`, and whether it `holds`, which is bad.
    """
    report = _bounded(report)
    when = datetime.fromtimestamp(began, timezone.utc)
    url = report["urls"][0]
    title = f"Load on {escaped(url)}"
    body = [
        f"<main>\n<h1>Load on <code><bdi>{html_text(url)}</bdi></code></h1>",
        f"<p>{_sentence(report, when)}</p>",
        lost_part(report),
        _others(report["urls"][1:], report["urls_left_out"]),
        found_rate_sentence(report),
        _conditions(conditions),
        _figures(report),
        _warnings(report),
        errors(report),
        '<div class="side-by-side">',
        comparison(report),
        trials(report),
    ]
    if report["answered"]:
        body += [
            latency_over_time(report, intervals, before),
            percentile_curve(report, curves),
        ]
    if report["sent"]:
        body += [rate_over_time(report, rates or intervals)]
    body += [
        percentiles(report) if report["answered"] else "",
        statuses(report),
        stages(report),
        labels(report),
        workers(report),
        "</div>",
        '<p class="faint">Over time, latencies are within 1% of what they were; '
        "elsewhere, within 0.1%. All of it is in this page as JSON, in the element "
        "<code>data</code>.</p>\n</main>",
    ]
    return html_page(
        title,
        "\n".join(part for part in body if part),
        data={
            "began": when.isoformat(timespec="milliseconds"),
            "report": report,
            "series": list(intervals),
            "rates": None if rates is None else list(rates),
            "before": list(before),
            "curves": dict(curves),
            "conditions": list(conditions),
        },
        styles=("colours.css", "look.css", "load.css"),
        script="chart.js",
    )


def _bounded(report: Values) -> dict[str, Any]:
    """The same, with URLs and messages of which a page has room for all."""
    urls = report["urls"]
    # Its intervals stand in the page as they are drawn.
    return {
        **{key: value for key, value in report.items() if key != "intervals"},
        "urls": [_without_middle(url) for url in urls[:MOST_URLS]],
        "urls_left_out": report["urls_left_out"] + len(urls[MOST_URLS:]),
        "errors": [
            {**error, "message": _shortened(error["message"])}
            for error in report["errors"]
        ],
    }


# What is above the charts.


def _sentence(report: Values, when: datetime) -> str:
    asked = AskedRate.of(report)
    if asked is None:
        how = "each asked again when it had been answered (a closed loop)"
    else:
        how = (
            f"at {asked.summary()}{_arrivals(report)}, whether those before were "
            "answered or not (an open loop)"
        )
    connections = counted(report["connections"], "connection")
    if report.get("workers"):
        connections += f" of {counted(len(report['workers']), 'worker')}"
    stamp = when.strftime("%Y-%m-%d %H:%M:%S UTC")
    sent = f"{counted(report['sent'], 'request')}{_methods(report)}"
    return (
        f"{sent} in {duration(report['seconds'])} over "
        f"{connections}, {how}. It began on "
        f'<time datetime="{when.isoformat(timespec="milliseconds")}">{stamp}</time>'
        + ("; it was interrupted." if report["interrupted"] else ".")
    )


def _arrivals(report: Values) -> str:
    """How requests are spread over the time, if that is known."""
    if report.get("arrivals") == "poisson":
        seed = report.get("seed")
        drawn = "" if seed is None else f", seed {seed}"
        return f", at random moments (Poisson arrivals{drawn})"
    return ", evenly spaced" if report.get("arrivals") else ""


def _methods(report: Values) -> str:
    """The methods, where not all are GET."""
    methods = report["methods"]
    if {*methods} <= {"GET"}:
        return ""
    counts = [
        f"{number(count)} {html_text(method)}" for method, count in methods.items()
    ]
    return f" ({', '.join(counts)})"


def _others(urls: Sequence[str], left_out: int) -> str:
    if not urls:
        return ""
    shown = ", ".join(f"<code><bdi>{html_text(url)}</bdi></code>" for url in urls)
    more = f", and {number(left_out)} more" if left_out else ""
    return f"<p>In turns with {shown}{more}.</p>"


def _figures(report: Values) -> str:
    latency = report["latency"] if report["answered"] else {}
    failed = report["failed"]
    share = f" ({percent(failed / report['sent'])})" if failed else ""
    figures = [
        ("answers a second", number(report["rps"])),
        *(
            (name, duration(latency[name]) if latency else NONE)
            for name in ("p50", "p99", "p99.9", "max")
        ),
        ("failed", f"{number(failed)}{share}" if failed else "none"),
    ]
    return (
        '<dl class="figures">'
        + "".join(f"<div><dt>{name}</dt><dd>{it}</dd></div>" for name, it in figures)
        + "</dl>"
    )


def _warnings(report: Values) -> str:
    warnings = list(report["warnings"])
    if not report["answered"]:
        warnings.insert(0, "no request was answered: there are no latencies to draw")
    return _list("warnings", [f"Warning: {html_text(warning)}" for warning in warnings])


def _conditions(conditions: Sequence[Values]) -> str:
    return _list(
        "conditions",
        [
            f'<strong class="{"bad" if condition["holds"] else "good"}">'
            f"{'failed' if condition['holds'] else 'passed'}</strong> "
            f"<code>{html_text(condition['text'])}</code>: it is "
            f"{html_text(condition['shown'])}"
            for condition in conditions
        ],
    )


def _list(kind: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f'<ul class="{kind}">' + "".join(f"<li>{it}</li>" for it in items) + "</ul>"


# What a stranger sent.


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _without_middle(url: str) -> str:
    """A URL that is too long: its end tells it from others."""
    if len(url) <= LONGEST_TEXT:
        return url
    half = LONGEST_TEXT // 2
    return f"{url[: half - 1]}…{url[-half:]}"
