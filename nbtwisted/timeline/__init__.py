"""Spans in, a picture of the time out. Pure: imports nothing of the rest.

span        what happened when
sample      some of the spans of a run of any length, and the totals of all
axis        seconds as people read them, and the ticks of an axis
columns     text for a screen, whose characters are one or two columns wide
labels      what URLs have in common, and need not say in each row
folding     which of many spans get a row of their own
waterfall   one bar a span on one time axis, as text for a terminal
"""

from nbtwisted.timeline.sample import Sample
from nbtwisted.timeline.span import Attempt, Mark, Phase, Span, Totals
from nbtwisted.timeline.waterfall import waterfall

__all__ = ["Attempt", "Mark", "Phase", "Sample", "Span", "Totals", "waterfall"]
