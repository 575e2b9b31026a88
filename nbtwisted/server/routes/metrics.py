"""The server's figures, for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from nbtwisted.server.engine.journal import LATENESS_BUCKETS, Journal

__all__ = ["RequestTotals", "exposition", "lost_lines"]

LONGEST_ACCEPT = 2048
"""Characters of an Accept that is read; Prometheus sends some 300."""

_OPEN_METRICS = "application/openmetrics-text"
_TEXT = "text/plain"

# No version, or one that exists: the library claims to write whichever is asked for.
_VERSION = re.compile(r"(?!.*\bversion=)|.*\bversion=(0\.0\.[14]|1\.0\.0)(;|$)").match


def exposition(figures: Iterable[Collector], accept: str) -> tuple[bytes, str]:
    """The figures of a server and of the process, and their Content-Type.

    The header `accept` decides between Prometheus' own format and OpenMetrics.
    """
    registry = CollectorRegistry()
    for each in figures:
        registry.register(each)
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(_preferred(accept))
    return encode(registry), content_type


def _preferred(accept: str) -> str:
    """Our formats that an Accept header prefers, the best first, without weights.

    They are Prometheus' own text, unless OpenMetrics has more weight (RFC 9110,
    12.5.1), or as much and was named. The library ignores weights, and fails on a
    version that is no number.
    """
    if len(accept) > LONGEST_ACCEPT:
        return _TEXT
    ranges = []
    for text, weight in parse_accept_header(accept.lower(), MIMEAccept):
        name, _, parameters = text.partition(";")
        ranges.append((name.strip(), parameters, weight))
    weights: dict[str, float] = {}
    for kind in (_OPEN_METRICS, _TEXT):
        family = kind.partition("/")[0]
        for pattern in ("*/*", f"{family}/*", kind):
            # The most specific range decides.
            found = [weight for name, _, weight in ranges if name == pattern]
            weights[kind] = max(found, default=weights.get(kind, 0.0))
    is_named = any(name == _OPEN_METRICS for name, _, _ in ranges)
    lead = weights[_OPEN_METRICS] - weights[_TEXT]
    wins = lead > 0 or (lead == 0 and is_named and weights[_OPEN_METRICS] > 0)
    kind = _OPEN_METRICS if wins else _TEXT
    named = sorted(
        (-weight, parameters)
        for name, parameters, weight in ranges
        if name == kind and weight > 0 and _VERSION(parameters)
    )
    return ",".join(f"{kind};{parameters}" for _, parameters in named) or kind


def lost_lines(count: int) -> Metric:
    """How many lines of the access log were lost."""
    return CounterMetricFamily(
        "nbtwisted_access_log_lost",
        "Lines of the access log that could not be written.",
        value=count,
    )


class RequestTotals(Collector):
    """The totals of a journal of requests.

    `lost` counts lost lines of the access log, if there is one.
    """

    def __init__(self, journal: Journal, lost: Callable[[], int] | None) -> None:
        self._journal = journal
        self._lost = lost

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        totals = self._journal.totals
        requests = CounterMetricFamily(
            "nbtwisted_requests",
            "Requests that are over, by the status and the fault that they got.",
            labels=["status", "fault"],
        )
        for (status, fault), count in totals.by_status_and_fault.items():
            requests.add_metric([str(status or "none"), fault or "none"], count)
        yield requests
        yield GaugeMetricFamily(
            "nbtwisted_in_flight",
            "Requests that came and are not over.",
            value=self._journal.in_flight,
        )
        yield CounterMetricFamily(
            "nbtwisted_cancelled",
            "Requests whose client left before they were over.",
            value=totals.outcomes["cancelled"],
        )
        if self._lost is not None:
            yield lost_lines(self._lost())
        lateness = HistogramMetricFamily(
            "nbtwisted_lateness_seconds",
            "How much longer responses were held than they were asked to be.",
        )
        buckets, below = [], 0
        for bound, count in zip(
            (*map(str, LATENESS_BUCKETS), "+Inf"), totals.lateness_counts, strict=True
        ):
            below += count
            buckets.append((bound, below))
        lateness.add_metric([], buckets, totals.lateness)
        yield lateness
