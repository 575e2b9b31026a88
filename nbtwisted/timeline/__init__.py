"""Spans in, a picture of the time out. Pure: imports nothing of the rest.

span         what happened when
sample       some of the spans of a run of any length, and the totals of all
quantity     times, counts and shares as people read them
axis         where an axis has its ticks
columns      text for a screen, whose characters are one or two columns wide
labels       URLs without what most of them have in common
folding      which of many spans get a row of their own
waterfall    one bar a span on one time axis, as text for a terminal
svg          the same as a picture
page         a page in one file, its looks, its script and its data inside
report_page  spans -> the report of a run of the client
chart        lines on axes, as pictures
table        figures as a table
load_charts  the charts of a load run, with their words
load_page    figures -> the report of a load run
"""

from nbtwisted.timeline.sample import Sample
from nbtwisted.timeline.span import Attempt, Phase, Span, Totals
from nbtwisted.timeline.waterfall import waterfall

__all__ = ["Attempt", "Phase", "Sample", "Span", "Totals", "waterfall"]
