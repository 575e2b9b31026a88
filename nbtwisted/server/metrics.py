"""The server's figures, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from nbtwisted.server.journal import LATENESS_BUCKETS, Journal

__all__ = ["exposition"]


def exposition(
    journal: Journal, accept: str, *, lost: Callable[[], int] | None = None
) -> tuple[bytes, str]:
    """The totals of a journal, and the process's, as Prometheus reads them.

    `accept` is the header of who asks, which decides between Prometheus' own format and
    OpenMetrics; the second value is the Content-Type. `lost` counts lines of the access
    log, if there is one.
    """
    registry = CollectorRegistry()
    registry.register(_Totals(journal, lost))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Totals(Collector):
    def __init__(self, journal: Journal, lost: Callable[[], int] | None) -> None:
        self._journal = journal
        self._lost = lost

    def collect(self) -> Iterator[Metric]:
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
            yield CounterMetricFamily(
                "nbtwisted_access_log_lost",
                "Lines of the access log that could not be written.",
                value=self._lost(),
            )
        lateness = HistogramMetricFamily(
            "nbtwisted_lateness_seconds",
            "How much longer answers were held than they were asked to be.",
        )
        buckets, below = [], 0
        for bound, count in zip(
            (*map(str, LATENESS_BUCKETS), "+Inf"), totals.lateness_counts, strict=True
        ):
            below += count
            buckets.append((bound, below))
        lateness.add_metric([], buckets, totals.lateness)
        yield lateness
