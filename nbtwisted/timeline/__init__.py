"""Spans in, a picture of the time out. Pure: imports nothing of the rest.

A *span* is a request: its *attempts*, each with its *phases* and its end. A row of the
waterfall, a rectangle of the SVG and a row of the page are made of the same span.
A *track* is a measure over time, drawn below the bars. `Sample` bounds the number of
spans, and `folding` decides which of many get a row of their own. Without a picture,
nobody is told anything.
"""

from nbtwisted.timeline.sample import Sample
from nbtwisted.timeline.span import Attempt, Phase, Span, Totals
from nbtwisted.timeline.track import Track
from nbtwisted.timeline.waterfall import waterfall

__all__ = ["Attempt", "Phase", "Sample", "Span", "Totals", "Track", "waterfall"]
