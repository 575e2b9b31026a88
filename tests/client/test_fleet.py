"""`get` on a cluster, both ends of it, on a network in memory."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import trustme
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job
from nbtwisted.client.many import sharding
from nbtwisted.client.many.job_list import Given, Jobs
from nbtwisted.client.many.unanswered import Unanswered
from nbtwisted.client.options.get import read_options
from nbtwisted.client.results.ended import ANSWERED, INTERRUPTED, Ended
from nbtwisted.client.results.output import InOrder
from nbtwisted.client.running import fleet, from_cluster, part, sending
from nbtwisted.client.running.fleet import divided
from nbtwisted.client.running.from_cluster import FromCluster
from nbtwisted.client.running.part import ClientPart
from nbtwisted.cluster.errors import ClusterError
from nbtwisted.cluster.frame import Frame
from tests.client.in_memory import Connection, Network
from tests.client.state_table import moves_in, named
from tests.cluster.in_memory import MemoryCluster, MemoryDriver
from tests.guard import ClockCase

A_WHILE = 0.1
"""Seconds in which frames come, and records are sent that were kept for others."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


class Taken:
    """What was taken of requests, in the order in which it came, and in the list's."""

    def __init__(self) -> None:
        self.ended: dict[int, Ended] = {}
        self.records: list[dict[str, Any]] = []
        self.flushed = 0
        self.cannot_write: list[str] = []
        self._in_order = InOrder(self._print)

    def take(self, index: int, what: tuple[Ended, Any]) -> None:
        assert index not in self.ended, f"{index} has ended twice"
        self.ended[index] = what[0]
        self._in_order.deliver(index, what[1])

    def flush(self) -> None:
        self.flushed += 1

    def stop_writing(self, error: OSError) -> None:
        self.cannot_write.append(f"{error.filename}: {error.strerror}")

    def _print(self, index: int, record: bytes) -> None:
        written = json.loads(record)
        assert written["index"] == index
        self.records.append(written)


class FleetCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = self.clock = Network()
        self.taken = Taken()
        self.said: list[str] = []
        for module in (fleet, from_cluster, sending):
            self.patch(module, "complain", self.said.append)
        self.parts: list[ClientPart] = []
        self.asked_by: dict[str, set[int]] = {}
        self.cluster = self.cluster_of(2)
        self._connections: list[Connection] = []
        self._accepted = 0

    def cluster_of(self, workers: int, **more: Any) -> MemoryCluster:
        return MemoryCluster(self.network, workers, self._begin_part, **more)

    def _begin_part(self, driver: MemoryDriver, arguments: list[str]) -> None:
        self.arguments = arguments

        self.parts.append(ClientPart(self.network, driver, self.getter))

    def getter(self, reactor: Any, **how: Any) -> Any:
        self.assertIs(reactor, self.network)
        return self.network.getter(**how)

    def start(
        self,
        jobs: Iterable[str | Job | BadJob] | Jobs,
        *arguments: str,
        connect: Callable[[Any, Any], Deferred[Any]] | None = None,
        of: Sequence[str] = ("-i", "x"),
    ) -> Deferred[None]:
        told = ["--cluster", "local:2", "--format", "jsonl", *of, *arguments]
        sending = FromCluster(
            read_options(told), connect or (lambda *_: succeed(self.cluster))
        )
        if isinstance(jobs, (list, map)):
            jobs = Given(jobs)
        self.running = sending.start(self.network, cast(Jobs, jobs), self.taken, None)
        self.wait()
        return self.running

    def wait(self, seconds: float = A_WHILE) -> None:
        """Let frames come and go for that long."""
        for _ in range(10):
            self.network.advance(seconds / 10)

    def accept(self) -> None:
        """Accept what wants to connect, and end what is to end."""
        is_settled = False
        while not is_settled:
            ending = [one for one in self._connections if one.state != "open"]
            is_settled = not ending
            for one in ending:
                one.finish()
                self._connections.remove(one)
            # To end one may be to make another.
            while self._accepted < len(self.network.attempts):
                if not self.network.given_up[self._accepted]:
                    self._connections.append(self.network.accept(self._accepted))
                self._accepted += 1

    def serve(self, most: float = math.inf) -> int:
        """Answer so many of the requests that are there; returns how many."""
        answered = 0
        while answered < most:
            self.accept()
            busy = [one for one in self._connections if one.has_something_to_send]
            if not busy:
                break
            request = busy[0].take_request()
            body = request.partition(b" ")[2].partition(b" ")[0]
            busy[0].answer(OK % (len(body), body))
            answered += 1
        return answered

    def serve_all(self) -> None:
        """Answer everything, until nothing more comes."""
        served = 1
        while served:
            served = self.serve()
            self.wait()
        self.successResultOf(self.running)
        self.assertTrue(self.cluster.is_closed)

    def sent_to(self, worker: int) -> list[int]:
        """The indices of the jobs that a worker was sent."""
        heads = self.cluster.parts[worker].sent
        return [index for head in heads for index, _ in head.get("jobs", ())]

    def exit_codes(self) -> Counter[int]:
        return Counter(ended.exit_code for ended in self.taken.ended.values())


HOSTS = [f"http://10.0.0.{n}/" for n in (1, 2, 3)]


def urls(number: int) -> list[str]:
    return [f"{HOSTS[n % 3]}{n}" for n in range(number)]


class SendingTests(FleetCase):
    def test_each_once_in_order_each_host_by_one_worker(self) -> None:
        number = 200
        self.start(urls(number))
        self.assertEqual(self.arguments, ["-m", "nbtwisted.client", "--part"])
        self.serve_all()
        self.assertEqual(
            [(each["url"], each["body"]) for each in self.taken.records],
            [(url, f"/{n}") for n, url in enumerate(urls(number))],
        )
        self.assertEqual(set(self.taken.ended.values()), {ANSWERED})
        self.assertEqual(self.sent_to(0), [n for n in range(number) if n % 3 != 1])
        self.assertEqual(self.sent_to(1), list(range(1, number, 3)))
        self.assertEqual(self.said, [])
        # Many in a frame, and none in one of its own.
        self.assertLess(self.taken.flushed, 60)

    def test_any_request_and_whatever_is_bad(self) -> None:
        bad = BadJob("line 3: no", shown="{...}")
        self.start(
            [
                Job(HOSTS[0], "PUT", (("X-A", "1"),), b"\xff", 5.0),
                "ftp://x",
                bad,
                Job(HOSTS[1], "GET"),
                HOSTS[2] + "\udcff",
                Job(HOSTS[0], "POST", (("B", "c"),), b"usual"),
            ],
            *("-d", "usual", "-H", "D: e", "--reactor", "poll"),
        )
        self.assertEqual(self.arguments[3:], ["--reactor", "poll"])
        self.accept()
        requests = sorted(one.take_request() for one in self._connections)
        for one in self._connections:
            one.answer(OK % (0, b""))
        self.serve_all()
        self.assertEqual(
            [request.partition(b" HTTP")[0] for request in requests],
            [b"GET /", b"POST /", b"PUT /"],
        )
        self.assertIn(b"\r\nD: e\r\n", requests[0])
        self.assertTrue(requests[1].endswith(b"\r\n\r\nusual"))
        self.assertIn(b"\r\nX-A: 1\r\n", requests[2])
        self.assertTrue(requests[2].endswith(b"\r\n\r\n\xff"))
        self.assertEqual(self.exit_codes(), {0: 3, 3: 2, 26: 1})
        self.assertEqual(self.taken.ended[2].error, "input: {...}: line 3: no")

    def test_a_host_has_no_more_than_it_may_have(self) -> None:
        self.start(urls(40), "-c", "12", "--per-host", "2")
        hosts = Counter(host for host, _ in self.network.attempts)
        self.assertEqual(hosts, dict.fromkeys(hosts, 2))
        self.assertEqual(len(hosts), 3)
        self.serve_all()

    def test_answers_may_come_so_far_ahead(self) -> None:
        self.patch(fleet, "AHEAD", 5)
        self.patch(fleet, "AHEAD_OF_EACH", 20)
        for order, most in (("input", 40), ("completed", 100)):
            self.cluster, self.taken = self.cluster_of(2), Taken()
            # The first is not answered.
            jobs = [HOSTS[0] + "0", *([HOSTS[1]] * 99)]
            self.start(jobs, "--order", order)
            slow = self.network.accept(self._accepted)
            self._accepted += 1
            while self.serve():
                self.wait()
            self.assertEqual(len(self.sent_to(0) + self.sent_to(1)), most)
            self._connections.append(slow)
            self.serve_all()

    def test_what_a_part_is_told_of_its_requests(self) -> None:
        """Whether there are many, and TLS is loaded before the first."""
        loaded: list[str] = []
        self.patch(part, "import_module", loaded.append)
        make, told = self.network.getter, []

        def getter(**how: Any) -> Any:
            told.append(how["more_to_come"])
            return make(**how)

        self.patch(self.network, "getter", getter)
        self.start(urls(2))
        self.assertEqual((told, len(loaded)), ([True, True], 2))
        self.serve_all()
        self.cluster, self.taken = self.cluster_of(2), Taken()
        self.start(urls(1), of=urls(1))
        self.assertEqual((told, len(loaded)), ([True, True, False], 2))
        self.serve_all()

    def test_c_is_divided(self) -> None:
        self.start(urls(40), "-c", "5")
        self.assertEqual(len(self.network.attempts), 5)
        ports = Counter(host for host, _ in self.network.attempts)
        self.assertEqual(ports, {"10.0.0.1": 2, "10.0.0.2": 2, "10.0.0.3": 1})
        self.serve_all()
        self.assertEqual(divided(5, 2), [3, 2])

    def test_no_more_parts_than_may_be_in_flight(self) -> None:
        self.start(urls(7), "-c", "1")
        self.assertEqual(len(self.cluster.parts), 1)
        self.serve_all()
        self.assertEqual(len(self.taken.records), 7)

    def test_a_status_that_is_a_failure(self) -> None:
        self.start(urls(1), "-f")
        connection = self.network.accept()
        connection.take_request()
        connection.answer(b"HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n")
        self.wait()
        self.successResultOf(self.running)
        self.assertEqual(self.taken.ended, {0: Ended(22)})

    def test_one_host(self) -> None:
        """One worker asks for all of it, and that is said once."""
        said = "all URLs are of one host: one of 2 workers asks for them, with -c 25"
        self.start([HOSTS[0]] * 30)
        self.assertEqual(self.said, [said])
        self.serve_all()
        self.assertEqual(self.sent_to(1), [])
        self.assertEqual(self.said, [said])

    def test_one_worker_has_all_hosts(self) -> None:
        self.cluster = self.cluster_of(1)
        self.start([HOSTS[0]] * 3)
        self.serve_all()
        self.assertEqual(self.said, [])

    def test_one_host_so_far(self) -> None:
        self.patch(fleet, "SO_FAR", 10)
        self.start([HOSTS[0]] * 300 + [HOSTS[1]] * 2)
        self.assertEqual(len(self.said), 1)
        self.serve_all()
        self.assertEqual(self.sent_to(1), [300, 301])

    def test_a_single_url_is_no_host_of_many(self) -> None:
        self.start(urls(1), of=urls(1))
        self.assertEqual(len(self.parts), 1)
        self.serve_all()
        self.assertEqual(self.said, [])

    def test_nor_is_a_list_of_one(self) -> None:
        self.start(urls(1))
        self.assertEqual(len(self.parts), 2)
        self.serve_all()
        self.assertEqual(self.said, [])

    def test_the_last_records_do_not_wait_for_others(self) -> None:
        self.patch(part, "SHORT_WHILE", 1000)
        self.start(urls(4))
        self.serve_all()
        self.assertEqual(len(self.taken.records), 4)

    def test_a_list_that_comes_slowly(self) -> None:
        class Slow(Given):
            """Jobs that are not there yet."""

            is_closed = False

            def close(self) -> None:
                self.is_closed = True

            def take(self) -> Job | BadJob | None:
                if slow:
                    return None
                return super().take()

        slow = True
        jobs = Slow(urls(4))
        self.start(jobs)
        self.assertEqual(self.sent_to(0), [])
        slow = False
        jobs.on_more()
        self.wait()
        self.assertFalse(jobs.is_closed)
        self.serve_all()
        self.assertEqual(len(self.taken.records), 4)
        self.assertTrue(jobs.is_closed)

    def test_what_is_left_of_a_list(self) -> None:
        def is_answered(index: int, _: Job | BadJob) -> bool:
            return index % 3 == 0

        jobs = Unanswered(self.network, Given(urls(30)), is_answered, KeyError)
        self.start(jobs, "--resume", "y")
        self.serve_all()
        left = [n for n in range(30) if n % 3]
        self.assertEqual(sorted(self.taken.ended), left)
        self.assertEqual(jobs.length, 30)

    def test_large_records_are_not_kept(self) -> None:
        self.patch(part, "LARGE", 1)
        self.patch(part, "SHORT_WHILE", 1000)
        self.start(urls(20), "-c", "2")
        served = self.serve()
        self.wait()
        self.assertEqual(len(self.taken.ended), served)
        # They are seen at once.
        self.assertGreater(self.taken.flushed, 0)
        self.serve_all()

    def test_a_record_that_is_kept_goes_with_a_large_one(self) -> None:
        self.patch(part, "LARGE", 600)
        self.patch(part, "SHORT_WHILE", 1000)
        self.start([HOSTS[0]] * 40, "-c", "8")
        self.serve(1)
        self.wait()
        self.assertEqual(len(self.taken.ended), 0)
        self.serve(1)
        self.wait()
        self.assertEqual(len(self.taken.ended), 2)
        self.patch(part, "LARGE", 1)
        self.serve_all()

    def test_large_bodies_wait(self) -> None:
        self.patch(sharding, "LARGEST_WAITING", 1000)
        self.start([Job(url, "PUT", body=b"x" * 600) for url in urls(30)])
        self.assertLess(len(self.sent_to(0) + self.sent_to(1)), 5)
        self.serve_all()
        self.assertEqual(len(self.taken.records), 30)

    def test_what_was_not_sent_counts_for_nothing(self) -> None:
        self.start(urls(2))
        one = self.cluster.parts[0]
        assert one.listener is not None
        one.listener.frame_received(one, Frame({"records": [[7, 1, 0]]}, b"x"))
        self.assertEqual(self.taken.ended, {})
        self.serve_all()

    def test_a_part_waits_while_its_driver_has_enough(self) -> None:
        self.start(urls(20), "-c", "2")
        drivers = [each.driver for each in self.cluster.parts]
        for driver in drivers:
            driver.is_full = True
        self.assertEqual(self.serve(), 2)
        self.wait()
        self.assertEqual(self.serve(), 0)
        for driver in drivers:
            driver.is_full = False
            assert driver.listener is not None
            driver.listener.driver_ready()
        self.serve_all()
        self.assertEqual(len(self.taken.records), 20)


class BeginningTests(FleetCase):
    def exit_code(self) -> int:
        failure = self.failureResultOf(self.running, SystemExit)
        return int(failure.value.code)

    def test_no_cluster(self) -> None:
        self.start(urls(1), connect=lambda *_: fail(ClusterError("nobody there")))
        self.assertEqual(self.exit_code(), 7)
        self.assertEqual(self.said, ["error: nobody there"])

    def test_no_part(self) -> None:
        self.cluster = self.cluster_of(2, refusing=["0", "1"])
        self.start(urls(9))
        self.assertEqual(self.exit_code(), 7)
        self.assertTrue(self.cluster.is_closed)
        self.assertEqual(
            self.said[-3:],
            [
                "worker 0: no part can begin",
                "worker 1: no part can begin",
                "error: no part could be started on any worker",
            ],
        )

    def test_fewer_parts(self) -> None:
        self.cluster = self.cluster_of(2, refusing=["0"])
        self.start(urls(9))
        self.serve_all()
        self.assertEqual(self.said, ["worker 0: no part can begin"])
        self.assertEqual(len(self.taken.records), 9)

    def test_a_part_that_cannot_begin_is_lost(self) -> None:
        make, asked = self.network.getter, []

        def getter(**how: Any) -> Any:
            asked.append(how)
            if len(asked) == 1:
                raise OSError("no room")
            return make(**how)

        self.patch(self.network, "getter", getter)
        self.start(urls(9))
        self.assertEqual(self.said, ["worker 0 is lost: no room"])
        self.assertEqual([each.is_over for each in self.cluster.parts], [True, False])
        self.serve_all()
        self.assertEqual(self.exit_codes(), {0: 9})

    def test_a_worker_that_may_open_less(self) -> None:
        self.patch(part, "open_files_left", lambda: 3)
        self.start(urls(40), "-c", "7")
        self.assertEqual(
            self.said,
            ["-c 7: worker 0 may open no more than for -c 3 of 4"],
        )
        self.assertEqual(len(self.network.attempts), 6)
        self.serve_all()

    def test_files_of_tls(self) -> None:
        """They are there as long as they are read."""
        authority = trustme.CA()
        folder = self.mktemp()
        with authority.cert_pem.tempfile() as trusted:
            self.start(urls(3), "--cacert", trusted)
            self.serve_all()
            with self.assertRaises(SystemExit) as raised:
                self.start(urls(3), "--cacert", folder)
        self.assertEqual(raised.exception.code, 58)
        with self.assertRaises(SystemExit) as raised:
            self.start(urls(3), "--cacert", __file__)
        self.assertEqual(raised.exception.code, 58)
        self.assertEqual(
            self.said[0], f"error: cannot read {folder}: No such file or directory"
        )


class ReachTests(FleetCase):
    def accept(self) -> None:
        while self._accepted < len(self.network.attempts):
            number, self._accepted = self._accepted, self._accepted + 1
            if self.network.attempts[number][0] == "10.0.0.2":
                self.network.refuse(ConnectionRefusedError(), number)
            else:
                self._connections.append(self.network.accept(number))
        super().accept()

    def test_a_worker_that_reaches_nothing_is_named(self) -> None:
        self.start([HOSTS[0], *[HOSTS[1]] * 12], "-c", "2")
        for _ in range(20):
            self.serve()
            self.wait()
        self.successResultOf(self.running)
        self.assertEqual(self.exit_codes(), {0: 1, 7: 12})
        (said,) = self.said
        self.assertIn("worker 1: all of its 12 requests failed, and others' did", said)
        self.assertIn("connect: http://10.0.0.2/", said)


class ClockTests(FleetCase):
    def test_dates_are_by_the_drivers_clock(self) -> None:
        """Whatever the workers' show, if that is more than noise of a measurement."""
        self.cluster = self.cluster_of(3, differences=[3600.0, 0.0005, -3600.0])
        clocks = []

        def getter(reactor: Any, **how: Any) -> Any:
            clocks.append([how.pop(name, None) for name in ("now", "wall_clock")])
            return self.network.getter(**how)

        self.patch(self, "getter", getter)
        self.start(urls(9))
        self.serve_all()
        differences = [
            [
                None if clock is None else round(clock() - time.time(), -1)
                for clock in both
            ]
            for both in clocks
        ]
        self.assertEqual(
            differences, [[-3600.0, -3600.0], [None, None], [3600.0, 3600.0]]
        )


class LosingTests(FleetCase):
    def test_others_do_what_it_had_not_delivered(self) -> None:
        self.start(urls(100), "-c", "4")
        self.serve(30)
        self.wait()
        # These were answered, and not delivered.
        self.serve(2)
        self.cluster.parts[0].lose("it was killed")
        self.assertEqual(self.said, ["worker 0 is lost: it was killed"])
        self.serve_all()
        self.assertEqual(
            [each["body"] for each in self.taken.records],
            [f"/{n}" for n in range(100)],
        )

    def test_a_post_is_made_once(self) -> None:
        jobs = [Job(HOSTS[n % 2], "POST" if n < 2 else "PUT") for n in range(4)]
        self.start(jobs)
        self.assertEqual(self.taken.flushed, 0)
        self.cluster.parts[0].lose()
        self.assertEqual(self.taken.flushed, 1)
        self.serve_all()
        self.assertEqual(self.exit_codes(), {56: 1, 0: 3})
        self.assertEqual(
            self.taken.records[0]["error"],
            {
                "type": "WorkerLost",
                "phase": "cluster",
                "message": "worker 0 was lost, and a POST is made once",
            },
        )

    def test_unless_that_is_allowed(self) -> None:
        self.start([Job(url, "POST") for url in HOSTS], "--retry-all-methods")
        self.cluster.parts[0].lose()
        self.serve_all()
        self.assertEqual(self.exit_codes(), {0: 3})

    def test_none_is_left(self) -> None:
        """What is left of the list fails, some of it in each turn of the reactor."""
        self.patch(fleet, "_AT_ONCE", 10)
        jobs = Given(urls(1000))
        self.start(jobs, "-c", "2")
        self.serve(4)
        self.wait()
        for each in self.cluster.parts:
            each.lose()
        ended = len(self.taken.ended)
        self.assertLess(ended, 300)
        # Others have their turn, whatever comes meanwhile.
        jobs.on_more()
        self.assertEqual(len(self.taken.ended), ended)
        self.network.advance(1)
        while self.network.getDelayedCalls():
            self.network.advance(1)
        self.successResultOf(self.running)
        self.assertEqual(self.exit_codes(), {0: 4, 56: 996})
        self.assertEqual(
            self.taken.records[-1]["error"]["message"], "no worker is left"
        )


class StoppingTests(FleetCase):
    def test_what_came_is_told_and_the_rest_is_interrupted(self) -> None:
        self.start(urls(300), "-c", "4")
        served = self.serve()
        self.running.cancel()
        self.wait()
        self.successResultOf(self.running)
        ended = Counter(self.taken.ended.values())
        self.assertEqual(ended, {ANSWERED: served, INTERRUPTED: 300 - served})
        self.assertEqual([each["index"] for each in self.taken.records], [*range(300)])
        self.running.cancel()

    def test_so_many_are_marked(self) -> None:
        self.patch(fleet, "MOST_MARKED", 5)
        self.start(urls(300), "-c", "8")
        self.running.cancel()
        self.wait()
        self.successResultOf(self.running)
        sent = len(self.sent_to(0)) + len(self.sent_to(1))
        self.assertEqual(len(self.taken.ended), sent + 5)

    def test_a_part_that_does_not_stop(self) -> None:
        self.start(urls(9))
        # It hears nothing.
        self.cluster.parts[0].driver.listener = None
        self.running.cancel()
        self.wait()
        self.running.cancel()
        self.assertNoResult(self.running)
        self.wait(fleet.STOPPING)
        self.successResultOf(self.running)
        self.parts[0].driver_gone()
        self.assertEqual(set(self.taken.ended.values()), {INTERRUPTED})
        self.assertEqual(len(self.taken.ended), 9)

    def test_a_part_that_is_lost_meanwhile(self) -> None:
        self.start(urls(9))
        self.running.cancel()
        self.cluster.parts[0].lose()
        self.wait()
        self.successResultOf(self.running)
        self.assertEqual(set(self.taken.ended.values()), {INTERRUPTED})

    def test_before_there_is_a_cluster(self) -> None:
        connecting: Deferred[Any] = Deferred()
        self.start(urls(9), connect=lambda *_: connecting)
        self.running.cancel()
        self.successResultOf(self.running)
        self.assertEqual(Counter(self.taken.ended.values()), {INTERRUPTED: 9})

    def test_before_there_are_parts(self) -> None:
        starting: list[Deferred[Any]] = [Deferred(), Deferred()]
        waiting = iter(starting)
        self.patch(self.cluster, "start_part", lambda *_: next(waiting))
        self.start(urls(9))
        self.running.cancel()
        self.successResultOf(self.running)
        self.assertEqual(Counter(self.taken.ended.values()), {INTERRUPTED: 9})
        self.assertTrue(self.cluster.is_closed)

    def test_while_a_cluster_without_parts_is_left(self) -> None:
        closing: Deferred[None] = Deferred()
        self.cluster = self.cluster_of(1, refusing=["0"])
        self.patch(self.cluster, "close", lambda: closing)
        self.start(urls(9))
        self.running.cancel()
        closing.callback(None)
        self.failureResultOf(self.running, SystemExit)

    def test_a_cluster_that_does_not_close(self) -> None:
        closing: Deferred[None] = Deferred()
        self.patch(self.cluster, "close", lambda: closing)
        self.start(urls(1))
        self.serve()
        self.wait()
        self.assertNoResult(self.running)
        # It is over: to stop it is nothing, and who is lost now is nobody's loss.
        self.running.cancel()
        self.cluster.parts[0].lose()
        self.network.advance(fleet.STOPPING)
        self.successResultOf(self.running)
        self.assertEqual((self.network.getDelayedCalls(), self.said), ([], []))
        closing.callback(None)
        for each in self.cluster.parts:
            each.end()


class TableTests(SynchronousTestCase):
    def test_the_table_names_all_moves_and_no_other(self) -> None:
        moves = moves_in(StoppingTests, fleet.Fleet, "_state")
        self.assertEqual(sorted(moves), sorted(named(fleet.State)))


class PartTests(FleetCase):
    def begin(self) -> tuple[MemoryDriver, ClientPart]:
        driver = MemoryDriver(self.network)
        self._begin_part(driver, [])
        return driver, self.parts[-1]

    def test_a_driver_that_goes_at_once(self) -> None:
        driver, one = self.begin()
        assert driver.listener is not None
        driver.listener.driver_ready()
        driver.listener.driver_gone()
        self.successResultOf(one.ended)

    def test_what_was_under_way_ends_with_the_driver(self) -> None:
        self.patch(part, "SHORT_WHILE", 1000)
        self.start(urls(90), "-c", "3")
        self.serve(3)
        for each in self.cluster.parts:
            each.end()
        for one in self.parts:
            self.assertNoResult(one.ended)
        calls: Any = self.network.getDelayedCalls()
        self.assertNotIn("_flush", [call.func.__name__ for call in calls])
        self.accept()
        for one in self.parts:
            self.successResultOf(one.ended)
        self.running.cancel()
        self.wait(fleet.STOPPING + 1)

    def test_an_error_of_its_own_ends_it(self) -> None:
        def broken(*_: object) -> bytes:
            raise KeyError("broken")

        self.patch(part, "FORMATS", {"jsonl": broken})
        self.start(urls(1))
        self.serve(1)
        self.accept()
        failed = [one for one in self.parts if one.ended.called]
        self.assertEqual(len(failed), 1)
        failure: Failure = self.failureResultOf(failed[0].ended, KeyError)
        self.assertIn("broken", str(failure.value))
        for each in self.cluster.parts:
            each.lose()
        self.wait()
        self.successResultOf(self.running)
