"""What a run is asked to send, all of it read before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nbtwisted.client.job import Job
from nbtwisted.client.target import Target
from nbtwisted.load.prepared import Prepared, Preparing

__all__ = ["Asked"]

MOST_URLS = 100
"""URLs that are shown of a list."""


@dataclass
class Asked:
    """The requests of a run, in their order, and what is shown of them.

    `urls` are the first of their URLs, without any user name and password.
    """

    requests: list[Prepared] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, jobs: Iterable[Job], preparing: Preparing) -> Asked:
        """Prepare all of them.

        Raises `BadURL`.
        """
        asked = cls()
        for job in jobs:
            target = Target.parse(job.url)
            asked.requests.append(preparing.prepare(target, job))
            if len(asked.urls) < MOST_URLS:
                asked.urls.append(target.url)
        return asked
