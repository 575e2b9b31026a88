"""What a run is asked to send: all of it is read before anything is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.job import Job
from nbtwisted.client.target import Target, shown
from nbtwisted.load.prepared import Prepared, Preparing

__all__ = ["Asked"]

MOST_URLS = 100
"""URLs that are shown of a list."""


@dataclass(frozen=True)
class Asked:
    """The requests of a run, in their order, and what is shown of them.

    `urls` are the first of their URLs, without any user name and password.
    """

    requests: list[Prepared] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    @classmethod
    def read(
        cls, jobs: Iterable[tuple[str, Job | BadJob]], preparing: Preparing
    ) -> Asked:
        """Prepare all of them; each job comes behind its place in the list.

        Raises `BadJob` for the first that cannot be sent, and says where it is.
        """
        asked = cls()
        for place, job in jobs:
            if isinstance(job, BadJob):
                raise job
            try:
                target = Target.parse(job.url)
            except BadURL as error:
                url = shown(job.url)
                raise BadJob(f"{place}: '{url}': {error}", shown=url) from None
            asked.requests.append(preparing.prepare(target, job))
            if len(asked.urls) < MOST_URLS:
                asked.urls.append(target.url)
        return asked
