"""What a run is asked to send: all of it is read before anything is sent. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.job import Job
from nbtwisted.client.target import Target, shown
from nbtwisted.load.requests.prepared import Prepared, Preparing
from nbtwisted.load.requests.turns import turns

__all__ = ["Asked"]

MOST_URLS = 100
"""URLs that are shown of a list."""

MOST_LABELS = 100
"""Each has figures of its own, which take 0.4 MB."""


@dataclass(frozen=True)
class Asked:
    """The requests of a run, and what is shown of them.

    `requests` are one round of turns, which begins again at its end: the heavier ones
    are there more often. `urls` are the first of their URLs, without any user name and
    password, and `urls_left_out` how many others there are. `weights` are those of the
    labels, each with the sum of its requests'; none if no request has a label.
    """

    requests: list[Prepared] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    urls_left_out: int = 0
    weights: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(
        cls, jobs: Iterable[tuple[str, Job | BadJob]], preparing: Preparing
    ) -> Asked:
        """Prepare all of them; each job comes behind its place in the list.

        Raises `BadJob` for the first that cannot be sent, and says where it is.
        """
        requests: list[Prepared] = []
        urls: list[str] = []
        weights: list[int] = []
        by_label: Counter[str] = Counter()
        for place, job in jobs:
            if isinstance(job, BadJob):
                raise job
            try:
                target = Target.parse(job.url)
            except BadURL as error:
                url = shown(job.url)
                raise BadJob(f"{place}: '{url}': {error}", shown=url) from None
            requests.append(preparing.prepare(target, job))
            weights.append(job.weight)
            by_label[job.label] += job.weight
            if len(by_label) > MOST_LABELS:
                raise BadJob(
                    f"{place}: label {job.label!r}: expected at most {MOST_LABELS} "
                    "different ones",
                    shown=target.url,
                )
            if len(urls) < MOST_URLS:
                urls.append(target.url)
        try:
            order = turns(weights)
        except ValueError as error:
            raise BadJob(str(error), shown="") from None
        return cls(
            [requests[which] for which in order],
            urls,
            len(requests) - len(urls),
            {} if {*by_label} <= {""} else dict(by_label),
        )
