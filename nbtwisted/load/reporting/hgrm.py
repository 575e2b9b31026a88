"""Percentiles as HdrHistogram's plotters read them (`.hgrm`). Pure."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from nbtwisted.load.figures.latencies import MICROSECONDS

__all__ = ["hgrm"]

MILLISECONDS = 1000


def hgrm(histogram: Any) -> str:
    """The distribution of an `HdrHistogram` of microseconds, in milliseconds.

    The table is hdrhistogram's. Its last lines are not: there, the mean and the maximum
    are scaled, and the standard deviation is not. They are as HdrHistogram's own
    `outputPercentileDistribution` writes them, in Java.
    """
    unit = MICROSECONDS / MILLISECONDS
    written = BytesIO()
    histogram.output_percentile_distribution(written, unit)
    table = written.getvalue().decode("ascii").partition("#[")[0]
    mean = histogram.get_mean_value() / unit
    deviation = histogram.get_stddev() / unit
    longest = histogram.get_max_value() / unit
    return (
        f"{table}"
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]\n"
        f"#[Max     = {longest:12.3f}, Total count    = "
        f"{histogram.get_total_count():12}]\n"
        f"#[Buckets = {histogram.bucket_count:12}, SubBuckets     = "
        f"{histogram.sub_bucket_count:12}]\n"
    )
