"""What the driver of a cluster has to do when a run of a thousand parts is over."""

from __future__ import annotations

import gc
import json
import random
import time
from functools import lru_cache

from benchmarks.bench_figures import Figures
from benchmarks.bench_page import CLOSED, OPEN, PARTS_MERGED
from nbtwisted.load.figures.intervals import read_intervals, write_intervals
from nbtwisted.load.figures.series import FIRST_WIDTH, MOST, Series
from nbtwisted.load.figures.tallies import Tallies
from nbtwisted.load.figures.tally import Tally
from nbtwisted.load.figures.tally_json import read_tally, write_tally

__all__ = ["LOOPS", "MERGING_GROUPS", "merging"]

MERGING_GROUPS = ("merging",)
LOOPS = (CLOSED, OPEN)

_DIFFERENT = 20
"""Parts that are made; each comes again and again."""

_IN_AN_INTERVAL = 500
"""Requests of a part: so a thousand parts send five million a second."""


def merging(name: str) -> Figures:
    """Read what so many parts tell when their runs are over, and merge it."""
    parts = [_part(seed, is_open=name == OPEN) for seed in range(_DIFFERENT)]
    whole = Tally(Series())
    assert whole.series is not None
    read = merged = 0.0
    # As in the command, where it is seldom.
    gc.disable()
    try:
        for place in range(PARTS_MERGED):
            head, payload = parts[place % _DIFFERENT]
            began = time.process_time()
            tally, intervals = read_tally(json.loads(head)), read_intervals(payload)
            has_read = time.process_time()
            whole.merge(tally)
            for interval in intervals:
                whole.series.add(interval)
            merged += time.process_time() - has_read
            read += has_read - began
    finally:
        gc.enable()
    expected = PARTS_MERGED * (MOST - 1) * _IN_AN_INTERVAL
    counted = sum(each.latencies.total for each in whole.series.intervals)
    if not counted == whole.answered == whole.latencies.count == expected:
        raise ValueError(f"{counted} of {expected} requests were merged")
    size = sum(len(head) + len(payload) for head, payload in parts) / _DIFFERENT
    return {"read": read, "merge": merged, "kb": size / 1000}


@lru_cache
def _part(seed: int, *, is_open: bool) -> tuple[bytes, bytes]:
    """What a part tells: of as many intervals as a series has."""
    numbers = random.Random(seed)
    tallies = Tallies(Tally(Series()), [""])
    tally = tallies.whole
    for interval in range(MOST - 1):
        moment = (interval + 0.5) * FIRST_WIDTH
        tallies.look_at_series(moment)
        tally.lateness.add(numbers.expovariate(1000))
        for _ in range(_IN_AN_INTERVAL):
            seconds = numbers.lognormvariate(-5, 0.5)
            tally.latencies.add(seconds)
            if is_open:
                tally.service.add(seconds * 0.9)
            tally.responses[200, 19] += 1
    tallies.look_at_series(moment, is_end=True)
    assert tally.series is not None
    head = json.dumps(write_tally(tally, with_series=False)).encode()
    return head, write_intervals(tally.series.intervals)
