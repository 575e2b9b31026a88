"""What pictures of ten thousand requests cost: `make pictures-cost`.

Each figure is the median of its rounds. Prints one table.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

from nbtwisted.timeline import Attempt, Phase, Sample, Span, waterfall
from nbtwisted.timeline.report_page import report_page
from nbtwisted.timeline.sample import MOST_SPANS
from nbtwisted.timeline.span import PhaseName
from nbtwisted.timeline.svg import svg_waterfall

MEANS: dict[PhaseName, float] = {
    "queued": 0.5,
    "dns": 0.0002,
    "connect": 0.001,
    "send": 0.0001,
    "held": 0.2,
    "wait": 0.001,
    "receive": 0.001,
}
"""Seconds."""


def spans(number: int) -> list[Span]:
    """As many requests as a client might have sent, each with all of its phases."""
    chance = random.Random(1)
    made = []
    for place in range(number):
        url = f"http://127.0.0.1:8000/delay/lognormal(200ms,0.4)?_key=job{place}"
        phases = tuple(
            Phase(name, chance.expovariate(1 / mean)) for name, mean in MEANS.items()
        )
        last = Attempt(url, phases, "200", fileno=7, asked=0.2, held=0.2004)
        if place % 50:
            attempts: tuple[Attempt, ...] = (last,)
        else:
            first = Attempt(url, phases, "503", ended_by="retry", fileno=7)
            attempts = (first, last)
        made.append(Span(place + 1, url, place / 1000, attempts, size=295))
    return made


def seconds_of(draw: Callable[[], str], rounds: int) -> tuple[float, int]:
    """How long it takes, and the bytes of what it makes."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        drawn = draw()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), len(drawn.encode())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    told = parser.parse_args()
    made = spans(told.number)

    def sampled() -> str:
        sample = Sample()
        for span in made:
            sample.add(span)
        return ""

    sample = Sample()
    for span in made:
        sample.add(span)
    # All of what a page may have, also where the client would keep fewer because some
    # were tried twice.
    kept = made if told.number <= MOST_SPANS else sample.spans
    totals = sample.totals
    print(f"{told.number:,} requests, medians of {told.rounds} rounds")
    print(f"{'picture':<28} {'seconds':>8} {'MB':>6}")
    for name, draw in (
        ("keeping the spans", sampled),
        (
            "--report: page",
            lambda: report_page(kept, totals, made_by="nbtwisted", made_at="now"),
        ),
        ("--report: SVG", lambda: svg_waterfall(kept, totals)),
        (
            "--timeline",
            lambda: waterfall(kept, width=100, colour=True, totals=totals),
        ),
    ):
        seconds, size = seconds_of(draw, told.rounds)
        print(f"{name:<28} {seconds:>8.3f} {size / 1e6:>6.2f}")


if __name__ == "__main__":
    main()
