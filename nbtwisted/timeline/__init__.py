"""Spans in, a picture of the time out. Pure: imports nothing of the rest.

span        what happened when
waterfall   one bar a span on one time axis, as text for a terminal
"""

from nbtwisted.timeline.span import Phase, Span
from nbtwisted.timeline.waterfall import waterfall

__all__ = ["Phase", "Span", "waterfall"]
