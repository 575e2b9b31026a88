"""A run of the load program on a page: in figures, in charts, and in tables. Pure.

Everything is there without the script, which adds a cross-hair to the charts: it reads
out a row of the table under a chart, and finds by `data-x`, from 0 to 1, where on the
chart that row is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from html import escape
from typing import Any

from nbtwisted.printable import escaped
from nbtwisted.timeline.load_charts import (
    Curve,
    Values,
    latency_over_time,
    percentile_curve,
    rate_over_time,
)
from nbtwisted.timeline.page import html_page
from nbtwisted.timeline.quantity import NONE, counted, duration, number, percent
from nbtwisted.timeline.table import table

__all__ = ["load_page"]

MOST_URLS = 10
LONGEST_TEXT = 200
"""Characters of a URL or a message that are shown."""

MOST_ROWS = 100
"""Statuses that are shown: a hostile server may have all that there are."""


def load_page(
    report: Values,
    *,
    began: float,
    intervals: Sequence[Values],
    curves: Mapping[str, Curve | None],
    conditions: Sequence[Values],
    rates: Sequence[Values] | None = None,
) -> str:
    """The page, which is one file, and has all of these inside as JSON.

    All times are in seconds; `began` is Unix time. `report` is what `--json` writes.
    Of each of the `intervals` there are `began` and `ended` since then, `answered`,
    `failed`, `statuses` by hundreds and `errors` by type, and of its latencies `p50`,
    `p90`, `p99` and `max`, once as `latency` and at a rate as `uncorrected`; these are
    None where there is none, and percentiles where there are too few. `rates` are
    shorter ones of the same time, if there are such: answers a second are drawn of
    those, and they need no latencies. The `curves` of the same names are pairs of a
    share and the seconds that so many took at most. Each of the `conditions` has its
    `text`, its figure as `shown`, and whether it `holds`, which is bad.
    """
    report = _bounded(report)
    when = datetime.fromtimestamp(began, timezone.utc)
    title = f"Load on {escaped(report['urls'][0])}"
    body = [
        f"<main>\n<h1>Load on <code><bdi>{_text(report['urls'][0])}</bdi></code></h1>",
        f"<p>{_sentence(report, when)}</p>",
        _others(report["urls"][1:], report["urls_left_out"]),
        _conditions(conditions),
        _figures(report),
        _warnings(report),
        _errors(report),
        '<div class="side-by-side">',
    ]
    if report["answered"]:
        body += [
            latency_over_time(report, intervals),
            percentile_curve(report, curves),
        ]
    if report["sent"]:
        body += [rate_over_time(report, rates or intervals)]
    body += [
        _percentiles(report) if report["answered"] else "",
        _statuses(report),
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
            "curves": dict(curves),
            "conditions": list(conditions),
        },
        styles=("colours.css", "look.css", "load.css"),
        script="chart.js",
    )


def _bounded(report: Values) -> dict[str, Any]:
    """The same, with URLs and messages of which a page has room for all."""
    urls = report["urls"]
    return {
        **report,
        "urls": [_without_middle(url) for url in urls[:MOST_URLS]],
        "urls_left_out": report["urls_left_out"] + len(urls[MOST_URLS:]),
        "errors": [
            {**error, "message": _shortened(error["message"])}
            for error in report["errors"]
        ],
    }


# What is above the charts.


def _sentence(report: Values, when: datetime) -> str:
    if report["uncorrected"] is None:
        how = "each asked again when it had been answered (a closed loop)"
    else:
        how = (
            f"{_rate(report)}, whether those before were answered or not (an open loop)"
        )
    connections = counted(report["connections"], "connection")
    stamp = when.strftime("%Y-%m-%d %H:%M:%S UTC")
    sent = f"{counted(report['sent'], 'request')}{_methods(report)}"
    return (
        f"{sent} in {duration(report['seconds'])} over "
        f"{connections}, {how}. It began on "
        f'<time datetime="{when.isoformat(timespec="milliseconds")}">{stamp}</time>'
        + ("; it was interrupted." if report["interrupted"] else ".")
    )


def _rate(report: Values) -> str:
    """How fast requests came in an open loop."""
    stages = report["stages"]
    if stages is None:
        return f"at {number(report['rate'])} a second"
    highest = max(max(stage["from"], stage["to"]) for stage in stages)
    return f"in {counted(len(stages), 'stage')} of up to {number(highest)} a second"


def _methods(report: Values) -> str:
    """The methods, where not all are GET."""
    methods = report["methods"]
    if {*methods} <= {"GET"}:
        return ""
    counts = [f"{number(count)} {_text(method)}" for method, count in methods.items()]
    return f" ({', '.join(counts)})"


def _others(urls: Sequence[str], left_out: int) -> str:
    if not urls:
        return ""
    shown = ", ".join(f"<code><bdi>{_text(url)}</bdi></code>" for url in urls)
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
    return _list("warnings", [f"Warning: {_text(warning)}" for warning in warnings])


def _conditions(conditions: Sequence[Values]) -> str:
    return _list(
        "conditions",
        [
            f'<strong class="{"bad" if condition["holds"] else "good"}">'
            f"{'failed' if condition['holds'] else 'passed'}</strong> "
            f"<code>{_text(condition['text'])}</code>: it is "
            f"{_text(condition['shown'])}"
            for condition in conditions
        ],
    )


# The tables.


def _percentiles(report: Values) -> str:
    latency, uncorrected = report["latency"], report["uncorrected"]
    names = [name for name in latency if name.startswith("p")]
    order = ["min", *names, "max", "mean"]
    found = [latency] if uncorrected is None else [latency, uncorrected]
    head = ["of the answers", "latency"]
    if uncorrected is not None:
        head = ["of the answers", "from when due", "from when sent"]
    rows = [
        ("", [_percentile_name(name), *(duration(each[name]) for each in found)])
        for name in order
    ]
    return f"<section><h2>Percentiles</h2>{table(head, rows)}</section>"


def _percentile_name(name: str) -> str:
    words = {"min": "the fastest", "max": "the slowest", "mean": "on average"}
    return words.get(name) or f"{name[1:]}% in"


def _statuses(report: Values) -> str:
    found = sorted(report["statuses"].items(), key=lambda item: -item[1])
    if not found:
        return ""
    rows = [
        ("", [status, number(count), percent(count / report["sent"])])
        for status, count in found[:MOST_ROWS]
    ]
    rest = sum(count for _, count in found[MOST_ROWS:])
    if rest:
        rows.append(("", ["others", number(rest), percent(rest / report["sent"])]))
    listed = table(["status", "answers", "of all requests"], rows)
    return f"<section><h2>Statuses</h2>{listed}</section>"


def _errors(report: Values) -> str:
    if not report["errors"]:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_text(error["type"])}</th>'
        f'<td class="message">{_text(error["phase"])}: '
        f"<bdi>{_text(error['message'])}</bdi></td>"
        f'<td class="number">{number(error["count"])}</td></tr>'
        for error in report["errors"]
    )
    return (
        '<section class="failed"><h2>Failures</h2><div class="rows" tabindex="0" '
        'role="region" aria-label="Failures, by reason"><table><thead><tr>'
        '<th scope="col">error</th><th scope="col">where, and what</th>'
        '<th scope="col" class="number">requests</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _list(kind: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f'<ul class="{kind}">' + "".join(f"<li>{it}</li>" for it in items) + "</ul>"


# What a stranger sent.


def _text(text: str) -> str:
    """What a stranger may have sent, as HTML that shows it."""
    return escape(escaped(text))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _without_middle(url: str) -> str:
    """A URL that is too long: its end tells it from others."""
    if len(url) <= LONGEST_TEXT:
        return url
    half = LONGEST_TEXT // 2
    return f"{url[: half - 1]}…{url[-half:]}"
