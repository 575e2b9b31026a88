"""What a server says of its own time, in the header Server-Timing. Pure.

https://www.w3.org/TR/server-timing/
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbtwisted.http1.syntax import TOKEN
from nbtwisted.numeral import parse_decimal

__all__ = ["server_durations"]

_MOST_METRICS = 100
_LONGEST_VALUE = 16 * 1024
"""Characters of a header, and metrics in all, that are looked at: a server may send 300
KiB of them, and this is done for each response."""

# A metric's name and its parameters, up to a comma that is not in quotes.
_METRIC = re.compile(rf'({TOKEN.decode()})((?:"(?:\\.|[^"\\])*"?|[^,"])*)')
_DURATION = re.compile(r';\s*dur\s*=\s*"?([0-9.]+)(?![\w.])', re.IGNORECASE)
_QUOTED = re.compile(r'(=\s*)?"(?:\\.|[^"\\])*"?')


def server_durations(headers: Iterable[tuple[str, str]]) -> dict[str, float]:
    """The seconds of each metric that has a duration; of two alike, the first.

    A proxy of ours adds `upstream` and then its own `asked` and `held` to what its
    upstream says. That time is within the proxy's, so of such headers there is only
    what begins with the last `upstream`.
    """
    found: dict[str, float] = {}
    looked_at = 0
    for name, value in headers:
        if name.lower() != "server-timing":
            continue
        for metric in _METRIC.finditer(value[:_LONGEST_VALUE]):
            looked_at += 1
            if looked_at > _MOST_METRICS:
                return found
            duration = _DURATION.search(_QUOTED.sub(_but_numbers, metric[2]))
            if duration is None:
                continue
            try:
                seconds = parse_decimal(duration[1]) / 1000
            except ValueError:
                continue
            if metric[1] == "upstream":
                found = {}
            found.setdefault(metric[1], seconds)
    return found


def _but_numbers(quoted: re.Match[str]) -> str:
    """What is in quotes is no parameter, though it may be a number."""
    return quoted[0] if re.fullmatch(r'=\s*"[0-9.]+"', quoted[0]) else "="
