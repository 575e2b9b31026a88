"""A run of the client as a page in one file. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

from nbtwisted.timeline.labels import common_origin
from nbtwisted.timeline.page import html_page
from nbtwisted.timeline.quantity import counted, readable
from nbtwisted.timeline.span import MARKS, PHASES, Attempt, Span, Totals
from nbtwisted.timeline.svg import MARK_SIGNS, svg_waterfall

__all__ = ["report_page"]

_ROWS_WITHOUT_SCRIPT = 60


def report_page(
    spans: Sequence[Span], totals: Totals, *, made_by: str, made_at: str
) -> str:
    """The page, with all that it shows inside as JSON.

    `spans` may be some of those that `totals` are of: the page says so then. Times in
    the JSON are in seconds, and begin at the first request's.
    """
    title = f"{counted(totals.number, 'request')} in {readable(totals.seconds)}"
    body = "\n".join(
        (
            f"<main><h1>{escape(title)}</h1>",
            f'<p class="faint">{escape(made_by)}, {escape(made_at)}</p>',
            _figures(spans, totals),
            _sampled(spans, totals),
            _key(spans),
            _table(spans) if spans else "<p>There was nothing to be drawn.</p>",
            "</main>",
        )
    )
    return html_page(
        title,
        body,
        data=_data(spans, totals),
        styles=("colours.css", "look.css", "bars.css", "report.css"),
        script="report.js",
    )


def _figures(spans: Sequence[Span], totals: Totals) -> str:
    figures = [
        ("answers", f"{totals.answers:,}"),
        ("errors", f"{totals.errors:,}"),
        ("in all", readable(totals.seconds)),
    ]
    if totals.resent:
        figures.insert(2, ("resent", f"{totals.resent:,}"))
    if totals.paced:
        figures.insert(-1, ("paced", f"{totals.paced:,}"))
    times = totals.times_as_fast
    if times is not None:
        figures.append(
            ("one after another", f"{readable(totals.in_turn)} ({times:.1f}x)")
        )
    if spans:
        longest = max(span.seconds for span in spans)
        figures.append(("slowest", readable(longest)))
    outcomes = Counter(span.outcome for span in spans).most_common(4)
    if len(spans) == totals.number and len(outcomes) > 1:
        said = ", ".join(f"{number:,} × {outcome}" for outcome, number in outcomes)
        figures.append(("outcomes", said))
    groups = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in figures
    )
    return f'<dl class="figures">{groups}</dl>'


def _sampled(spans: Sequence[Span], totals: Totals) -> str:
    if len(spans) == totals.number:
        return ""
    return (
        f"<p>{len(spans):,} of the {totals.number:,} requests are on this page: the "
        "slowest, as many as there is room for of those that failed, and an even "
        "selection of the others. The figures above are of all.</p>"
    )


def _key(spans: Sequence[Span]) -> str:
    phases = {phase.name for span in spans for phase in span.phases}
    marks = {mark.name for span in spans for mark in span.marks}
    entries = [
        f'<li title="{escape(text)}"><i class="{name}"></i>{name}</li>'
        for name, text in PHASES.items()
        if name in phases
    ]
    entries += [
        f'<li title="{escape(MARKS[name])}"><b class="{name}">{sign}</b> {name}</li>'
        for name, sign in MARK_SIGNS.items()
        if name in marks
    ]
    return f'<ul class="key">{"".join(entries)}</ul>' if entries else ""


def _table(spans: Sequence[Span]) -> str:
    static = svg_waterfall(
        spans, Totals.of(spans), rows=_ROWS_WITHOUT_SCRIPT, is_alone=False
    )
    heads = "".join(
        f'<th role="columnheader" scope="col" data-sort="{name}" class="head-{name}">'
        f'<button type="button">{text}</button></th>'
        for name, text in (
            ("number", "No."),
            ("url", "URL"),
            ("outcome", "Outcome"),
            ("seconds", "Seconds"),
        )
    )
    return f"""<noscript>{static}</noscript>
<div id="live" hidden>
<div class="bar controls screen-only">
<label>Filter <input id="filter" type="search" \
placeholder="URL, number or outcome"></label>
<label>Outcome <select id="outcome"><option value="">all</option>\
<option value="failed">failed</option></select></label>
<label><input id="zoom" type="checkbox"> Zoom to these rows</label>
<span id="count" class="faint" role="status"></span>
</div>
<table id="requests" role="table">
<caption class="out-of-sight">Each request, and its phases on one axis of time</caption>
<colgroup><col class="number"><col class="url"><col class="outcome">\
<col class="seconds"><col></colgroup>
<thead role="rowgroup"><tr role="row">{heads}<th role="columnheader" scope="col" \
class="bars"><span class="out-of-sight">Phases</span><div id="axis" class="axis" \
aria-hidden="true"></div></th></tr></thead>
<tbody id="rows" role="rowgroup"></tbody>
</table>
<p><button id="more" type="button" class="screen-only" hidden></button></p>
<aside id="details" tabindex="0" aria-label="Details" class="screen-only">\
<p class="faint">\
Point at a row, or go to one with the keyboard (arrows, Home, End), to see it in full.\
</p></aside>
</div>"""


def _data(spans: Sequence[Span], totals: Totals) -> dict[str, Any]:
    zero = totals.began if spans else 0.0
    return {
        "requests": [_request(span, zero) for span in spans],
        "origin": common_origin(span.label for span in spans),
        "totals": {
            "answers": totals.answers,
            "errors": totals.errors,
            "resent": totals.resent,
            "paced": totals.paced,
            "seconds": _short(totals.seconds),
            "in_turn": _short(totals.in_turn),
        },
        "phases": PHASES,
        "marks": MARKS,
        "signs": MARK_SIGNS,
        "began": _short(zero),
    }


def _request(span: Span, zero: float) -> dict[str, Any]:
    request: dict[str, Any] = {
        "number": span.number,
        "url": span.label,
        "outcome": span.outcome,
        "began": _short(span.began - zero),
        "seconds": _short(span.seconds),
        "attempts": [_attempt(attempt, span.label) for attempt in span.attempts],
    }
    if span.failed:
        request["failed"] = True
    if span.size is not None:
        request["bytes"] = span.size
    return request


def _attempt(attempt: Attempt, url: str) -> dict[str, Any]:
    """What there is to say of an attempt, and nothing of what goes without saying."""
    values: dict[str, Any] = {
        "url": attempt.url if attempt.url != url else None,
        "outcome": attempt.outcome,
        "message": attempt.message or None,
        "ended_by": attempt.ended_by,
        "fileno": attempt.fileno,
        "asked": attempt.asked,
        "held": attempt.held,
        "upstream": attempt.upstream,
        "phases": [(phase.name, _short(phase.seconds)) for phase in attempt.phases],
    }
    return {name: value for name, value in values.items() if value is not None}


def _short(seconds: float) -> float:
    """To the microsecond, which is more than clocks agree on."""
    return round(seconds, 6)
