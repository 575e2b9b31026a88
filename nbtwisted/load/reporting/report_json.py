"""The report as text: JSON, with an interval of the run a line. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nbtwisted.load.figures.series import Series

__all__ = ["report_json"]


def report_json(report: Mapping[str, Any], series: Series | None) -> str:
    """The report with its `intervals`, of which `Series.from_json` makes them again.

    All else has a value a line; an interval has hundreds of them.
    """
    text = json.dumps(report, indent=2, allow_nan=False).removesuffix("\n}")
    intervals = [] if series is None else series.as_json()
    lines = ",".join(f"\n    {json.dumps(each, allow_nan=False)}" for each in intervals)
    end = "\n  " if lines else ""
    return f'{text},\n  "intervals": [{lines}{end}]\n}}\n'
