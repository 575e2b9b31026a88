"""Send requests of several kinds at once, and a POST again if that may be."""

import sys
from typing import Any

from twisted.internet.task import react

from nbtwisted.client import Job, Response, Retries, get_all


async def main(reactor: Any, base: str) -> None:
    """Print how each was answered."""
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    jobs: list[str | Job] = [
        Job(f"{base}get", "HEAD"),
        Job(f"{base}post", "POST", headers=form, body=b"user=ann"),
        Job(f"{base}post?_seq=503,200&_key=jobs", "POST", max_time=10.0),
        f"{base}get",
    ]
    retries = Retries(1, delay=0.1, all_methods=True)
    for _, ended in await get_all(jobs, reactor=reactor, retries=retries):
        # A Failure, if there was no response.
        if isinstance(ended, Response) and ended.result.job is not None:
            has_body, tries = bool(ended.body), ended.result.tries
            print(ended.result.job.method, ended.status, has_body, tries)


react(main, sys.argv[1:])
