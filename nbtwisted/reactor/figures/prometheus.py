"""The figures of a reactor, for Prometheus.

They are those of `meter`, which any reactor can have. A traced one knows its stalls
better: each is a callback of its own, and not a turn of many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from nbtwisted.reactor.figures.histogram import Histogram
from nbtwisted.reactor.figures.meter import meter_of

__all__ = ["ReactorCollector", "metrics"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# ThreadPool: _team

TRIES = 3
"""How often a set of descriptors is counted that changes meanwhile, in its thread."""


def metrics(reactor: Any) -> Collector:
    """The figures of a reactor, to be registered with Prometheus' library.

    ```python
    prometheus_client.REGISTRY.register(nbtwisted.reactor.metrics(reactor))
    ```

    They count from the first call for this reactor on, which may come before it runs,
    while it does, and from any thread; so may each scrape. Times are in seconds. What
    cannot be known of a reactor is left out.
    """
    return ReactorCollector(reactor)


class ReactorCollector(Collector):
    """The figures of one reactor, as they are when somebody asks."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._meter = meter_of(reactor)

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        meter = self._meter
        if meter.turns is not None:
            yield _histogram(
                "reactor_turn_seconds", "Work between two polls.", meter.turns
            )
        # A traced reactor has one.
        recorder = getattr(self._reactor, "recorder", None)
        if recorder is not None or meter.turns is not None:
            yield CounterMetricFamily(
                "reactor_stalls",
                "Callbacks, or turns where callbacks are not told apart, that took too "
                "long.",
                value=meter.stalls if recorder is None else recorder.stalls,
            )
            yield CounterMetricFamily(
                "reactor_stalled_seconds",
                "What these took.",
                value=meter.stalled if recorder is None else recorder.stalled,
            )
        if hasattr(self._reactor, "runUntilCurrent"):
            yield _histogram(
                "reactor_timer_lateness_seconds",
                "How far behind its time the first timer of a turn was.",
                meter.lateness,
            )
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        for name, what, method in (
            ("delayed_calls", "Delayed calls that are pending.", "getDelayedCalls"),
            ("readers", "Descriptors that wait for something to read.", "getReaders"),
            ("writers", "Descriptors that wait until they can write.", "getWriters"),
        ):
            count = _count(getattr(self._reactor, method, None))
            if count is not None:
                yield GaugeMetricFamily(f"reactor_{name}", what, value=count)
        if not hasattr(self._reactor, "threadpool"):
            return
        # It is made when it is first needed.
        pool = self._reactor.threadpool
        threads = working = queued = 0
        if pool is not None:
            # All at one time, so that they agree with each other.
            figures = pool._team.statistics()
            working, queued = figures.busyWorkerCount, figures.backloggedWorkCount
            threads = working + figures.idleWorkerCount
        for name, what, value in (
            ("threads", "Threads of the reactor's pool.", threads),
            ("working", "Threads of the reactor's pool that have a job.", working),
            ("queued", "Jobs that wait for a thread of the reactor's pool.", queued),
        ):
            yield GaugeMetricFamily(f"reactor_threadpool_{name}", what, value=value)


def _count(method: Callable[[], Any] | None) -> int | None:
    """How many a method of the reactor lists; None if it has none, or cannot say."""
    for _ in range(TRIES if method is not None else 0):
        try:
            return len(method())  # type: ignore[misc]
        except RuntimeError:
            # It changes: this is another thread than the reactor's.
            continue
    return None


def _histogram(name: str, what: str, counted: Histogram) -> Metric:
    family = HistogramMetricFamily(name, what)
    family.add_metric([], counted.buckets(), counted.total)
    return family
