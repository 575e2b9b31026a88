"""Tables of the page of a load run: by percentile, status, stage and so on. Pure."""

from __future__ import annotations

from nbtwisted.printable import escaped
from nbtwisted.timeline.load.charts import Values
from nbtwisted.timeline.page import html_text
from nbtwisted.timeline.quantity import NONE, duration, number, percent
from nbtwisted.timeline.table import table

__all__ = ["errors", "labels", "percentiles", "stages", "statuses"]

MOST_ROWS = 100
"""Statuses and labels that are shown: a hostile server may have all that there are."""

LONGEST_LABEL = 80
"""Characters of it that are shown."""

UNLABELLED = "(no label)"


def percentiles(report: Values) -> str:
    """Of all latencies; at a rate, from when requests were sent as well."""
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


def statuses(report: Values) -> str:
    """How many responses had which; the most frequent first."""
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


def errors(report: Values) -> str:
    """Why requests failed."""
    if not report["errors"]:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{html_text(error["type"])}</th>'
        f'<td class="message">{html_text(error["phase"])}: '
        f"<bdi>{html_text(error['message'])}</bdi></td>"
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


def stages(report: Values) -> str:
    """What came of each stage of a rate that varied."""
    found = report.get("stages") or []
    if not found or "answered" not in found[0]:
        return ""
    rows = [
        (
            "",
            [
                f"{each['began']:.6g} s",
                _from_to(each["from"], each["to"]),
                *(_number(each[name]) for name in ("answered", "failed", "rps")),
                duration(each["p50"]),
                duration(each["p99"]),
            ],
        )
        for each in found[:MOST_ROWS]
    ]
    head = ["from", "asked a second", "answered", "failed", "reached a second"]
    listed = table([*head, "p50", "p99"], rows)
    return (
        '<section class="across" id="stages"><h2>By stage</h2>'
        '<div class="rows" tabindex="0" role="region" aria-label="By stage">'
        f"{listed}</div>{_left_out(len(found))}</section>"
    )


def _from_to(first: float, last: float) -> str:
    return number(first) if first == last else f"{number(first)} to {number(last)}"


def _number(value: float | None) -> str:
    return NONE if value is None else number(value)


def _left_out(count: int) -> str:
    """How many of so many have no row."""
    if count <= MOST_ROWS:
        return ""
    return f'<p class="faint">And {number(count - MOST_ROWS)} more.</p>'


def labels(report: Values) -> str:
    """What came of the requests of each label; the order is that of the list."""
    found = report.get("labels") or []
    if not found:
        return ""
    rows = [
        (
            "",
            [
                escaped(each["label"][:LONGEST_LABEL]) or UNLABELLED,
                _number(each.get("weight")),
                number(each["sent"]),
                _failed(each),
                *(
                    duration(each["latency"][name]) if each["answered"] else NONE
                    for name in ("p50", "p99", "max")
                ),
            ],
        )
        for each in found[:MOST_ROWS]
    ]
    listed = table(["label", "weight", "sent", "failed", "p50", "p99", "max"], rows)
    return (
        '<section class="across" id="labels"><h2>By label</h2>'
        '<div class="rows" tabindex="0" role="region" aria-label="By label">'
        f"{listed}</div>{_left_out(len(found))}</section>"
    )


def _failed(each: Values) -> str:
    if not each["failed"]:
        return "none"
    share = percent(each["failed"] / each["sent"])
    return f"{number(each['failed'])} ({share})"
