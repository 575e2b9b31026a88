"""What the driver of `get --cluster` costs: memory and time of a list of any length.

Its workers are simulated in this process: they answer at once, without a network. Each
URL is read, given to a worker, written to it as a frame, and comes back with a record.
`python -m benchmarks.many_urls 1000000` prints JSON; with --profile, what took time.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from nbtwisted.reactor.choosing import choose

if __name__ == "__main__":
    choose([])

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import react

from nbtwisted.client.many.job_list import JobFile
from nbtwisted.client.options.get import read_options
from nbtwisted.client.results.answers import AnswerStream
from nbtwisted.client.running.from_cluster import FromCluster
from nbtwisted.client.running.run import Run
from nbtwisted.cluster.clock import ClockDifference
from nbtwisted.cluster.cluster import Cluster
from nbtwisted.cluster.frame import FrameReader, write_frame
from nbtwisted.cluster.part import Part, PartListener, Worker
from nbtwisted.gc_tuning import collect_seldom, leave_startup_to_itself

RECORD = (
    b"fileno:7\nHTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 27 Nov 2026 "
    b"14:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 19\r\n"
    b'Connection: keep-alive\r\n\r\n["wait time: 0sec"]\n'
)
HOSTS = 1000


class SimulatedPart(Part):
    """A part that has answered as soon as it is asked."""

    def __init__(self, reactor: Any, worker: Worker) -> None:
        self.worker = worker
        self.clock = ClockDifference()
        self.listener: PartListener | None = None
        self._reactor = reactor
        self._reader = FrameReader()

    def send(self, head: dict[str, Any], payload: bytes = b"") -> None:
        """As all have it."""
        data = write_frame(head, payload)
        if "jobs" in head:
            records = [[index, len(RECORD), 0] for index, _ in head["jobs"]]
            data = write_frame({"records": records}, RECORD * len(records))
            self._reactor.callLater(0, self._answer, data)

    def end(self) -> None:
        """As all have it."""

    def _answer(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            if self.listener is not None:
                self.listener.frame_received(self, frame)


class SimulatedCluster(Cluster):
    """So many workers, all in this process."""

    def __init__(self, reactor: Any, number: int) -> None:
        self.workers: Sequence[Worker] = [
            Worker(str(place), f"here://{place}") for place in range(number)
        ]
        self._reactor = reactor

    def start_part(self, worker: Worker, arguments: list[str]) -> Deferred[Part]:
        """As all have it."""
        return succeed(SimulatedPart(self._reactor, worker))

    def close(self) -> Deferred[None]:
        """As all have it."""
        return succeed(None)


def start(reactor: Any, path: str, workers: int) -> Deferred[None]:
    """Ask for the URLs in a file, or in a pipe."""
    options = read_options(["-i", path, "--cluster", f"local:{workers}", "-c", "200"])
    cluster = SimulatedCluster(reactor, workers)
    sending = FromCluster(options, lambda *_: succeed(cluster))
    nowhere = open("/dev/null", "wb")  # noqa: SIM115 - it is written to the end
    answers = AnswerStream(nowhere, "raw")
    jobs = JobFile(reactor, path)
    return Run(options, sending, jobs, answers, None, None, None).start(reactor)


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, help="URLs")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--profile", action="store_true")
    told = parser.parse_args()
    url = "http://host%d.example/item?n=%d"
    program = f'{{ printf "{url}\\n", $1 % {HOSTS}, $1 }}'
    profiler = cProfile.Profile()
    with subprocess.Popen(
        f"seq {told.number} | awk '{program}'", shell=True, stdout=subprocess.PIPE
    ) as source:
        assert source.stdout is not None
        path = f"/dev/fd/{source.stdout.fileno()}"
        leave_startup_to_itself()
        collect_seldom()
        began = time.process_time()
        if told.profile:
            profiler.enable()
        code: object = None
        try:
            react(start, (path, told.workers))
        except SystemExit as exited:
            code = exited.code
        assert not code, "the run has failed"
    seconds = time.process_time() - began
    if told.profile:
        profiler.disable()
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "urls": told.number,
                "microseconds": seconds / told.number * 1e6,
                "megabytes": used.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
