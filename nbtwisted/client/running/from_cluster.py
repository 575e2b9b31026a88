"""`get --cluster`: a run of it on all cores, or on many machines, from start to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList

from nbtwisted.client.many.job_list import JobFile, Jobs
from nbtwisted.client.options.get import Options
from nbtwisted.client.places.manifest import Manifest
from nbtwisted.client.request.ending import Ending
from nbtwisted.client.results.answers import Answers
from nbtwisted.client.running.complaining import complain
from nbtwisted.client.running.fleet import STOPPING, Fleet
from nbtwisted.client.running.sending import Begun, Taker, expect_tls_files
from nbtwisted.cluster.cluster import Cluster, connect
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.part import Part
from nbtwisted.cluster.place import Place

__all__ = ["FromCluster"]

NO_CLUSTER = 7
"""Exit code: curl's for a host that cannot be connected to."""


class FromCluster:
    """The workers of a cluster send the requests; it is left in the end."""

    def __init__(
        self,
        options: Options,
        connect: Callable[[Any, Place], Deferred[Any]] = connect,
    ) -> None:
        self._options = options
        self._connect = connect
        # What `_run` waits for, and is to end early when this is stopped.
        self._waiting: Deferred[Any] | None = None
        self._was_stopped = False

    def start(
        self, reactor: Any, jobs: Jobs, taker: Taker, begun: Begun | None
    ) -> Deferred[None]:
        """As all have it; raises `SystemExit` for files of TLS that cannot be used."""
        if self._options.how["tls"] is not None:
            # Before anything is sent.
            from nbtwisted.client.connection.tls import TLS

            with expect_tls_files():
                TLS(**self._options.how["tls"])
        ending: Ending[None] = Ending(self._stop)
        running = Deferred.fromCoroutine(self._run(reactor, jobs, taker))
        running.addCallbacks(ending.callback, ending.errback)
        return ending.deferred

    def write(self, answers: Answers, index: int, what: bytes) -> None:
        """As all have it; what workers write is not written here."""
        if self._options.place is None:
            answers.put(index, what)

    def postpone(self, seconds: float) -> None:
        """As all have it: no request is sent from here."""

    def _stop(self) -> None:
        self._was_stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def _run(self, reactor: Any, jobs: Jobs, taker: Taker) -> None:
        options = self._options
        assert options.cluster is not None, "not as options are read"
        cluster: Cluster | None = None
        manifest: Manifest | None = None
        parts: list[Part] = []
        try:
            if options.place is not None:
                manifest = await self._wait(self._claim(reactor, options.place))
            cluster = await self._wait(self._connect(reactor, options.cluster))
            parts = await self._start_parts(cluster)
        except ClusterError as error:
            complain(f"error: {error}")
            if manifest is not None:
                await _soon(reactor, manifest.abandon())
            if cluster is not None:
                await _soon(reactor, cluster.close())
            raise SystemExit(NO_CLUSTER) from None
        except CancelledError:
            pass
        except OSError as error:
            taker.stop_writing(error)
            return
        fleet = Fleet(reactor, parts, jobs, options, taker, manifest)
        if self._was_stopped:
            fleet.stop()
        else:
            fleet.begin()
        await self._wait(fleet.ended)
        # The parts end at once, also where the place takes its time.
        if cluster is not None:
            await _soon(reactor, cluster.close())
        if manifest is not None and not fleet.has_begun:
            await _soon(reactor, manifest.abandon())
        elif manifest is not None:
            try:
                was_read = not isinstance(jobs, JobFile) or jobs.error is None
                await manifest.write(is_complete=was_read and not self._was_stopped)
            except OSError as error:
                taker.stop_writing(error)

    def _claim(self, reactor: Any, url: str) -> Deferred[Manifest]:
        options = self._options
        return Manifest.begin(
            reactor, url, options.format, is_file_each=options.is_file_each
        )

    async def _start_parts(self, cluster: Cluster) -> list[Part]:
        options = self._options
        number = int(min(len(cluster.workers), options.concurrency, options.number))
        arguments = ["-m", "nbtwisted.client", "--part"]
        if options.reactor is not None:
            arguments += ["--reactor", options.reactor]
        started = await self._wait(
            DeferredList(
                [
                    cluster.start_part(worker, arguments)
                    for worker in cluster.workers[:number]
                ],
                consumeErrors=True,
            )
        )
        parts = [part for was_started, part in started if was_started]
        for failure in (failure for was_started, failure in started if not was_started):
            failure.trap(ClusterError)
            complain(f"{failure.value}")
        if not parts:
            raise ClusterError("no part could be started on any worker")
        return parts

    async def _wait(self, deferred: Deferred[Any]) -> Any:
        """What it gives; `_stop` cancels it meanwhile."""
        self._waiting = deferred
        try:
            return await deferred
        finally:
            self._waiting = None


def _soon(reactor: Any, closing: Deferred[None]) -> Deferred[None]:
    """Fires when that has, or is not waited for any longer: the process ends then."""
    soon: Deferred[None] = Deferred()

    def fire(_: object = None) -> None:
        if not soon.called:
            soon.callback(None)

    timer = reactor.callLater(STOPPING, fire)

    def closed(_: object) -> None:
        if timer.active():
            timer.cancel()
        fire()

    closing.addBoth(closed)
    return soon
