"""Figures of the proxies, for Prometheus, by the names that Toxiproxy has for them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from nbtwisted.proxy.toxiproxy.collection import Collection
from nbtwisted.server.routes import metrics

__all__ = ["exposition"]


def exposition(proxies: Collection, accept: str) -> tuple[bytes, str]:
    """The figures and their Content-Type, as the header `accept` prefers them."""
    return metrics.exposition([_Bytes(proxies)], accept)


class _Bytes(Collector):
    def __init__(self, proxies: Collection) -> None:
        self._proxies = proxies

    def collect(self) -> Iterator[Metric]:
        sent = CounterMetricFamily(
            "toxiproxy_proxy_sent_bytes",
            "Bytes that have passed through a proxy in a direction.",
            labels=["direction", "proxy", "listener", "upstream"],
        )
        for proxy in self._proxies:
            labels = [proxy.name, proxy.listen, proxy.upstream]
            for direction, count in zip(
                ("upstream", "downstream"), proxy.passed, strict=True
            ):
                sent.add_metric([direction, *labels], count)
        yield sent
