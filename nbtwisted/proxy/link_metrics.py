"""The totals of links, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from nbtwisted.proxy.link_totals import LinkTotals
from nbtwisted.server.routes.metrics import lost_lines

__all__ = ["LinkCollector"]


class LinkCollector(Collector):
    """The totals of links, as they are when somebody asks.

    `lost` counts lost lines of the access log, if there is one.
    """

    def __init__(
        self, totals: Callable[[], LinkTotals], lost: Callable[[], int] | None
    ) -> None:
        self._totals = totals
        self._lost = lost

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        totals = self._totals()
        links = CounterMetricFamily(
            "nbtwisted_links", "Links that are over, by how they ended.", labels=["end"]
        )
        for outcome, count in totals.outcomes.items():
            links.add_metric([outcome], count)
        yield links
        yield GaugeMetricFamily(
            "nbtwisted_links_open", "Links that are open.", value=totals.open
        )
        passed = CounterMetricFamily(
            "nbtwisted_link_bytes", "Bytes that have passed.", labels=["direction"]
        )
        passed.add_metric(["up"], totals.up)
        passed.add_metric(["down"], totals.down)
        yield passed
        if self._lost is not None:
            yield lost_lines(self._lost())
