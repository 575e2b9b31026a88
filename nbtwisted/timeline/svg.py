"""The waterfall as SVG: for a page that runs no script, and for documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nbtwisted.timeline.axis import tick_label, tick_step, ticks
from nbtwisted.timeline.columns import fitted_in_the_middle, width_of
from nbtwisted.timeline.folding import Fold, Row, folded
from nbtwisted.timeline.labels import common_origin, short
from nbtwisted.timeline.page import asset
from nbtwisted.timeline.quantity import readable
from nbtwisted.timeline.span import PHASES, MarkName, Span, Totals
from nbtwisted.timeline.track import Track
from nbtwisted.timeline.waterfall import outcome_of, summary, time_of

__all__ = ["MARK_SIGNS", "svg_waterfall"]

MARK_SIGNS: dict[MarkName, str] = {
    "error": "✕",
    "retry": "↻",
    "redirect": "»",
    "resend": "↺",
}
"""What stands where an attempt ended."""

_ROW = 22
"""Height of a row; this and all lengths here are in pixels."""

_CHARACTER = 7.3
"""Width of a character of 12 pixels in a monospaced font, and a little more."""

_EDGE = 12
_TIME = 76
_LONGEST_LABEL = 44
"""Characters."""

_TALL, _THIN, _LOW = (16, 3), (4, 9), (6, 11)
_HEIGHTS: dict[str, tuple[int, int]] = {
    "queued": _THIN,
    "paced": _THIN,
    "pause": _THIN,
    "send": _LOW,
    "receive": _TALL,
}
"""Of a phase's bar, and how far below the top of its row it begins."""

_USUAL_HEIGHT = (12, 5)

_HATCHINGS: dict[str, str] = {
    "paced": '<path class="hatch paced" d="M0 0H2V6H0Z"/>',
    "dns": '<path class="hatch dns" d="M0 0H2V6H0Z"/>',
    "connect": '<path class="hatch connect" d="M0 6L3 0H6L3 6Z"/>',
    "proxy": '<path class="hatch proxy" d="M0 0H6V2H0Z"/>',
    "tls": '<path class="hatch tls" d="M0 0H2L6 6H4ZM4 0H6L2 6H0Z"/>',
    "upstream": '<circle class="hatch upstream" cx="1.5" cy="1.5" r="1.2"/>'
    '<circle class="hatch upstream" cx="4.5" cy="4.5" r="1.2"/>',
    "pause": '<path class="hatch pause" d="M0 0H4V6H0Z"/>',
}
"""What a tile of those phases has in it that are neither solid nor hollow."""
_TILES: dict[str, int] = {
    "paced": 4,
    "dns": 4,
    "connect": 6,
    "proxy": 6,
    "tls": 6,
    "upstream": 6,
    "pause": 7,
}
"""How wide these are."""

_SAMPLES = 120
"""Points of the outline of a row for many."""


def svg_waterfall(
    spans: Sequence[Span],
    totals: Totals,
    *,
    width: int = 880,
    rows: int = 40,
    is_alone: bool = True,
    tracks: Sequence[Track] = (),
    notes: Sequence[str] = (),
) -> str:
    """A picture of the spans, at most so many rows, and of the tracks below them.

    One that `is_alone` brings its own colours, for light and dark; in a page, the page
    has them. The last lines are the notes, or a sentence about the totals.
    """
    if not spans and not tracks:
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>\n'
    drawn = folded(spans, rows)
    everything = [s for row in drawn for s in _spans(row)]
    origin = common_origin(span.label for span in everything)
    on_axis: list[Span | Track] = [*everything, *tracks]
    zero = min(shown.began for shown in on_axis)
    length = max(max(shown.ended for shown in on_axis) - zero, 1e-6)
    names = [_name(row, origin) for row in drawn]
    outcome = max((width_of(outcome_of(row)) for row in drawn), default=0)
    # The bars have no less than a third of the picture.
    room = int((width * 2 / 3 - 2 * _EDGE - _TIME) / _CHARACTER) - outcome - 3
    label = max(
        *(min(width_of(name), _LONGEST_LABEL, room) for name in names),
        *(width_of(track.name) - outcome for track in tracks),
        0,
    )
    left = _EDGE + (label + outcome + 3) * _CHARACTER
    bar = max(width - left - _TIME - _EDGE, 80)
    scale = bar / length
    height = _ROW * len(drawn)
    # A narrow one says more closely where its seconds are.
    step = tick_step(length, max(int(bar / 90), min(int(bar / 40), 3), 1))
    parts = [_hatchings(everything)]
    parts += [
        f'<line class="tick" x1="{_n(left + at * scale)}" y1="{_EDGE}" '
        f'x2="{_n(left + at * scale)}" y2="{_EDGE + height}"/>'
        f'<text class="faint" x="{_n(left + at * scale)}" y="{_EDGE + height + 16}" '
        f'text-anchor="{"start" if at == 0 else "middle"}">'
        f"{escape(tick_label(at, step))}</text>"
        for at in ticks(length, step)
    ]
    for place, (row, name) in enumerate(zip(drawn, names, strict=True)):
        top = _EDGE + place * _ROW
        failed = row.failed > 0 if isinstance(row, Fold) else row.failed
        said = escape(fitted_in_the_middle(name, label))
        parts.append(
            f'<text x="{_EDGE}" y="{top + 15}">{said}</text>'
            f'<text x="{_n(left - 1.5 * _CHARACTER)}" y="{top + 15}" '
            f'text-anchor="end" class="{"bad" if failed else "outcome"}">'
            f"{escape(outcome_of(row))}</text>"
            f'<text x="{_n(left + bar + _TIME)}" y="{top + 15}" text-anchor="end">'
            f"{escape(time_of(row))}</text>"
        )
        if isinstance(row, Fold):
            shares = row.shares(zero, length / _SAMPLES, _SAMPLES)
            parts.append(_outline(shares, left, top, bar))
        else:
            parts.append(_bars(row, left, top, scale, zero))
    for place, track in enumerate(tracks):
        top = _EDGE + height + 24 + place * _ROW
        parts.append(
            f'<text x="{_EDGE}" y="{top + 15}">{escape(track.name)}</text>'
            f'<text x="{_n(left + bar + _TIME)}" y="{top + 15}" text-anchor="end">'
            f"{escape(track.said)}</text>"
        )
        levels = track.means(zero, length / _SAMPLES, _SAMPLES)
        parts.append(_outline(list(levels), left, top, bar))
    height += _ROW * len(tracks)
    below, key = _key(everything, scale, left, _EDGE + height + 40, width)
    parts.append(key)
    lines = [*notes] or [summary(totals)]
    said = " ".join(lines)
    for line in lines:
        below += 18
        parts.append(f'<text x="{_EDGE}" y="{below + 6}">{escape(line)}</text>')
    style = f"<style>{asset('colours.css')}{asset('bars.css')}</style>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="waterfall" role="img" '
        f'viewBox="0 0 {width} {_n(below + 38)}" aria-label="{escape(said)}">'
        + (style if is_alone else "")
        + ('<rect class="paper" width="100%" height="100%"/>' if is_alone else "")
        + "".join(parts)
        + "</svg>\n"
    )


def _key(
    spans: Sequence[Span], scale: float, left: float, top: float, width: int
) -> tuple[float, str]:
    """What the colours and signs mean that can be seen, and how far down it goes."""
    phases = {p.name for s in spans for p in s.phases if p.seconds * scale >= 0.5}
    marks = {mark.name for span in spans for mark in span.marks}
    entries: list[tuple[str, str, int]] = []
    for phase in PHASES:
        if phase in phases:
            high, down = _HEIGHTS.get(phase, _USUAL_HEIGHT)
            shape = f'<rect class="{{}}" x="{{}}" y="{{}}" width="16" height="{high}"/>'
            entries.append((phase, shape, 15 - down))
    entries += [
        (name, f'<text class="mark {{}}" x="{{}}" y="{{}}">{sign}</text>', 0)
        for name, sign in MARK_SIGNS.items()
        if name in marks
    ]
    x, parts = left, []
    for name, shape, above in entries:
        wide = (len(name) + 5) * _CHARACTER
        if x + wide > width:
            x, top = left, top + 18
        parts.append(
            shape.format(name, _n(x), top - above)
            + f'<text class="faint" x="{_n(x + 22)}" y="{top}">{name}</text>'
        )
        x += wide
    return top, "".join(parts)


def _hatchings(spans: Sequence[Span]) -> str:
    """The tiles that bars of these spans are filled with."""
    phases = {phase.name for span in spans for phase in span.phases}
    tiles = "".join(
        f'<pattern id="hatch-{name}" width="{_TILES[name]}" height="6" '
        f'patternUnits="userSpaceOnUse">{inside}</pattern>'
        for name, inside in _HATCHINGS.items()
        if name in phases
    )
    return f"<defs>{tiles}</defs>" if tiles else ""


def _spans(row: Row) -> Sequence[Span]:
    return row.spans if isinstance(row, Fold) else (row,)


def _name(row: Row, origin: str) -> str:
    if isinstance(row, Fold):
        return f"⋮ {row.number} more"
    return f"{row.number} {short(row.label, origin)}"


def _bars(span: Span, left: float, top: float, scale: float, zero: float) -> str:
    """A rectangle for each phase, and a sign where an attempt ended."""
    x = left + (span.began - zero) * scale
    parts = []
    for phase in span.phases:
        wide = phase.seconds * scale
        thick, down = _HEIGHTS.get(phase.name, _USUAL_HEIGHT)
        parts.append(
            f'<rect class="{phase.name}" x="{_n(x)}" y="{top + down}" '
            f'width="{_n(max(wide, 0.5))}" height="{thick}">'
            f"<title>{phase.name}: {readable(phase.seconds)}</title></rect>"
        )
        x += wide
    for mark in span.marks:
        at = left + (span.began - zero + mark.at) * scale
        parts.append(
            f'<text class="mark {mark.name}" x="{_n(at)}" y="{top + 16}" '
            f'text-anchor="middle">{MARK_SIGNS[mark.name]}</text>'
        )
    return "".join(parts)


def _outline(shares: Sequence[float], left: float, top: float, bar: float) -> str:
    """The shape of shares over the time: of a row for many, or of a track."""
    points = [f"{_n(left)} {top + 18}"]
    for sample, share in enumerate(shares):
        y = _n(top + 18 - 14 * share)
        points.append(f"{_n(left + sample * bar / _SAMPLES)} {y}")
        points.append(f"{_n(left + (sample + 1) * bar / _SAMPLES)} {y}")
    points.append(f"{_n(left + bar)} {top + 18}")
    return f'<polygon class="many" points="{" ".join(points)}"/>'


def _n(number: float) -> str:
    """A number that is short, and precise enough for a screen."""
    return f"{number:.1f}".removesuffix(".0")
