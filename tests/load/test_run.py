"""Runs on a clock, against a server in memory: what is counted is what was."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nbtwisted.client.job import Job
from nbtwisted.load.run import Run
from tests import examples
from tests.guard import ClockCase
from tests.load.in_memory import ANSWER, MILLISECOND, Server, always

CHUNKED = b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


class RunningTests(ClockCase):
    def nothing_left(self, server: Server) -> None:
        self.assertEqual(server.open, set())
        self.assertEqual(server.getDelayedCalls(), [])

    def test_a_closed_loop(self) -> None:
        server = Server(always(0.1))
        run = server.run(number=100, connections=10)
        self.assertEqual((run.tally.answered, run.tally.failed), (100, 0))
        self.assertEqual(len(server.requests), 100)
        self.assertEqual(server.attempts, 10)
        # Ten at a time, a tenth of a second each.
        self.assertLess(abs(run.seconds - 1.0), 0.02)
        self.assertLess(abs(run.tally.latencies.percentile(50) - 0.1), 0.002)
        self.assertEqual(run.tally.service.count, 0)
        self.assertEqual(run.tally.bytes, 200)
        server.advance(1)
        self.nothing_left(server)

    def test_for_a_time(self) -> None:
        server = Server(always(0.3))
        run = server.run(seconds=1, connections=4)
        # What is under way at the end is waited for.
        self.assertEqual(run.tally.answered, 16)
        self.assertLess(abs(run.seconds - 1.2), 0.02)

    def test_an_open_loop_is_on_time(self) -> None:
        server = Server(always(0.01))
        run = server.run(seconds=5, rate=200.0, connections=10)
        self.assertEqual(run.tally.sent, 1000)
        self.assertLess(abs(run.seconds - 5), 0.03)
        self.assertEqual(run.tally.waited_for_connection, 0)
        self.assertLess(run.tally.latencies.percentile(99), 0.013)

    def test_one_that_begins_late(self) -> None:
        server = Server(always(0.01))
        server.advance(1.0)
        run, over = server.begin(began=0.8, seconds=1, rate=100.0, connections=50)
        # Those that were due before are made at once, and their latencies say so.
        self.assertEqual(server.attempts, 21)
        server.pump([MILLISECOND] * 900)
        self.assertTrue(over)
        self.assertEqual(run.tally.sent, 100)
        self.assertLess(abs(run.seconds - 1), 0.03)
        self.assertLess(abs(run.tally.latencies.longest() - 0.21), 0.002)

    def test_an_open_loop_does_not_wait_for_answers(self) -> None:
        server = Server(always(1.0))
        run, over = server.begin(number=50, rate=100.0, connections=100)
        server.pump([MILLISECOND] * 501)
        self.assertEqual(len(server.requests), 50)
        server.pump([MILLISECOND] * 1100)
        self.assertTrue(over)
        self.assertEqual(run.tally.answered, 50)

    def test_stalls_show_where_they_are_not_omitted(self) -> None:
        # One that answers in a millisecond, but stalls for 1 s every 10 s.
        def answers(now: float, number: int) -> tuple[float, bytes]:
            into = now % 10
            return (10 - into if into >= 9 else 0) + MILLISECOND, ANSWER

        run = Server(answers).run(seconds=25, rate=200.0, connections=1)
        tally = run.tally
        self.assertEqual(tally.sent, 5000)
        # One in twelve was due while nobody was served.
        self.assertGreater(tally.latencies.percentile(99.9), 0.95)
        self.assertGreater(tally.latencies.percentile(95), 0.3)
        self.assertLess(tally.service.percentile(99.9), 0.01)
        self.assertGreater(tally.waited_for_connection, 300)

    def test_a_time_that_is_over_is_over(self) -> None:
        run = Server(always(0.1)).run(seconds=2, rate=100.0, connections=2)
        # Two at a time, a tenth of a second each: a fifth of what was due.
        self.assertLess(run.seconds, 2.4)
        self.assertLess(abs(run.tally.sent - 42), 3)
        self.assertEqual(run.tally.sent + run.tally.not_sent, 200)

    def test_thousands_of_failures(self) -> None:
        server = Server(always(0), refuses=True)
        run, over = server.begin(number=1100, connections=1, timeout=1.0)
        server.pump([1.1] * 1200)
        self.assertTrue(over)
        self.assertEqual(run.tally.failed, 1100)

    def test_answers_that_came_while_this_could_not_run(self) -> None:
        server = Server(always(0.5))
        run, over = server.begin(number=10, connections=10, timeout=1.0)
        server.pump([MILLISECOND] * 100)
        # As a process that was stopped: timers first, all at once, and then what came.
        server.rightNow += 5
        server.pump([MILLISECOND] * 100)
        self.assertTrue(over)
        self.assertEqual((run.tally.answered, run.tally.failed), (10, 0))

    def test_what_was_due_in_the_warm_up_waited_for_nobody(self) -> None:
        run = Server(always(0.02)).run(number=5, rate=100.0, warm_up=1.0, connections=1)
        self.assertLessEqual(run.tally.waited_for_connection, 5)

    def test_a_warm_up_is_not_counted(self) -> None:
        def answers(now: float, number: int) -> tuple[float, bytes]:
            return (0.5 if now < 1 else 0.01), ANSWER

        for rate in (None, 100.0):
            server = Server(answers)
            run = server.run(number=100, rate=rate, warm_up=2.0, connections=60)
            self.assertEqual(run.tally.sent, 100)
            self.assertGreater(len(server.requests), 100)
            self.assertLess(run.tally.latencies.longest(), 0.05)
            self.assertLess(run.seconds, 1.1)

    def test_targets_take_turns(self) -> None:
        server = Server(always(0.01))
        urls = ["http://127.0.0.1/a", "http://127.0.0.1/b", "http://127.0.0.2/c"]
        server.run(number=30, connections=2, urls=urls)
        asked = [request.split()[1] for request in server.requests]
        for path in (b"/a", b"/b", b"/c"):
            self.assertEqual(asked.count(path), 10)

    def test_requests_of_all_kinds_take_turns(self) -> None:
        def answers(now: float, number: int) -> tuple[float, bytes]:
            is_head = server.requests[-1].startswith(b"HEAD ")
            return 0.01, ANSWER.removesuffix(b"ok") if is_head else ANSWER

        server = Server(answers)
        jobs = [
            Job("http://a/", "POST", body=b"one"),
            Job("http://a/", "HEAD"),
            Job("http://b/"),
            Job("http://b/", "POST", body=b"two"),
        ]
        run = server.run(jobs=jobs, number=18, connections=1)
        self.assertEqual((run.tally.answered, run.tally.failed), (18, 0))
        self.assertEqual(server.attempts, 2)
        self.assertEqual(run.methods, {"POST": 9, "HEAD": 5, "GET": 4})
        sent = [(each.split()[0], each[-3:]) for each in server.requests[:5]]
        self.assertEqual(
            sent,
            [
                (b"POST", b"one"),
                (b"HEAD", b"\n\r\n"),
                (b"GET", b"\n\r\n"),
                (b"POST", b"two"),
                (b"POST", b"one"),
            ],
        )

    def test_methods_of_the_warm_up_are_not_counted(self) -> None:
        jobs = [Job("http://a/", "PUT"), *[Job("http://a/")] * 9]
        for rate in (None, 100.0):
            server = Server(always(0.03))
            run = server.run(jobs=jobs, number=7, connections=3, rate=rate, warm_up=0.5)
            before = len(server.requests) - 7
            sent = [each.split()[0].decode() for each in server.requests[before:]]
            self.assertGreater(before, 30)
            self.assertEqual(run.methods, Counter(sent))

    def test_a_time_of_its_own(self) -> None:
        # One in two is never answered in its time, which is looked at every 80 ms.
        jobs = [Job("http://a/"), Job("http://a/", max_time=0.1)]
        server = Server(always(0.3))
        run = server.run(jobs=jobs, number=20, connections=2, timeout=5.0)
        tally = run.tally
        self.assertEqual((tally.answered, tally.timed_out), (10, 10))
        self.assertEqual(tally.cut_off_at, 0.1)
        self.assertEqual(
            [message for _, _, message in tally.errors], ["no answer within 0.1 s"]
        )
        self.assertGreaterEqual(tally.latencies.shortest(), 0.1)
        self.assertLess(tally.latencies.percentile(50), 0.21)

    def test_a_post_that_may_have_arrived(self) -> None:
        # The second one meets a connection that is closed.
        def answers(now: float, number: int) -> tuple[float, bytes]:
            return 0.01, b"" if number == 1 else ANSWER

        server = Server(answers)
        run = server.run(
            jobs=[Job("http://a/", "POST", body=b"x")], number=3, connections=1
        )
        self.assertEqual((run.tally.answered, run.tally.resent), (2, 0))
        self.assertEqual(len(server.requests), 3)
        ((kind, phase, message),) = run.tally.errors
        self.assertEqual((kind, phase), ("ConnectionLost", "first byte"))
        self.assertIn("a POST is not sent again unasked", message)

    def test_without_keep_alive(self) -> None:
        server = Server(always(0.01))
        server.run(number=30, connections=3, keeps_alive=False)
        self.assertEqual(server.attempts, 30)
        self.assertIn(b"Connection: close\r\n", server.requests[0])
        server.advance(1)
        self.nothing_left(server)

    def test_addresses_take_turns(self) -> None:
        three = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
        urls = ["http://a/", "http://b/"]
        for keeps_alive, connections in [(False, 5), (True, 30)]:
            server = Server(always(0.01))
            server.addresses = three
            server.run(
                number=60, connections=connections, keeps_alive=keeps_alive, urls=urls
            )
            tried = server.connected_to
            for address in three:
                self.assertEqual(tried.count(address), len(tried) // 3)
            # Each connection asks where to go.
            self.assertEqual(len(server.looked_up), len(tried))
            self.assertEqual(set(server.looked_up), {"a", "b"})

    def test_an_address_that_refuses_is_passed_over(self) -> None:
        server = Server(always(0.01))
        server.addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
        server.refused = {"127.0.0.2"}
        run = server.run(
            number=30, connections=3, keeps_alive=False, urls=["http://a/"]
        )
        self.assertEqual((run.tally.answered, run.tally.failed), (30, 0))
        self.assertEqual(server.connected_to.count("127.0.0.1"), 10)
        self.assertEqual(server.connected_to.count("127.0.0.3"), 20)

    def test_a_name_that_moves(self) -> None:
        # The server goes away while a connection is kept, and is elsewhere then.
        def answers(now: float, number: int) -> tuple[float, bytes]:
            if number == 5:
                server.addresses = ("127.0.0.9",)
                server.refused = {"127.0.0.1"}
                return 0.01, b""
            return 0.01, ANSWER

        server = Server(answers)
        run = server.run(number=20, connections=1, urls=["http://a/"])
        self.assertEqual((run.tally.answered, run.tally.failed), (20, 0))
        self.assertEqual(server.connected_to, ["127.0.0.1", "127.0.0.9"])

    def test_a_server_that_closes_after_each_answer(self) -> None:
        answer = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        server = Server(always(0.01, answer))
        run = server.run(number=20, connections=2)
        self.assertEqual((run.tally.answered, server.attempts), (20, 20))

    def test_a_server_that_only_closes(self) -> None:
        server = Server(always(0.0, b""))
        run = server.run(number=20, connections=5)
        self.assertEqual((run.tally.answered, run.tally.failed), (0, 20))
        ((kind, phase, _),) = run.tally.errors
        self.assertEqual((kind, phase), ("EmptyResponse", "first byte"))

    def test_a_connection_that_was_closed_while_it_was_idle(self) -> None:
        # The second request finds that out, and is made again on a new one.
        def answers(now: float, number: int) -> tuple[float, bytes]:
            return 0.001, b"" if number == 1 else ANSWER

        server = Server(answers)
        run = server.run(number=5, connections=1)
        self.assertEqual((run.tally.answered, run.tally.failed), (5, 0))
        self.assertEqual((server.attempts, len(server.requests)), (2, 6))
        self.assertEqual(run.tally.resent, 1)

    def test_what_is_made_again_in_the_warm_up_is_not_counted(self) -> None:
        def answers(now: float, number: int) -> tuple[float, bytes]:
            return 0.05, b"" if number % 2 and now < 1 else ANSWER

        run = Server(answers).run(number=20, warm_up=1.5, connections=1)
        self.assertEqual((run.tally.answered, run.tally.resent), (20, 0))

    def test_a_server_that_refuses_is_not_asked_at_full_speed(self) -> None:
        server = Server(always(0), refuses=True)
        run = server.run(seconds=10, connections=2)
        self.assertEqual(run.tally.answered, 0)
        self.assertLess(server.attempts, 40)
        self.assertEqual(run.tally.failed, server.attempts)
        ((kind, phase, message),) = run.tally.errors
        self.assertEqual((kind, phase), ("ConnectFailed", "connect"))
        self.assertIn("127.0.0.1 port 80", message)

    def test_bytes_behind_an_answer(self) -> None:
        # It is good, as it is for `get`, and its connection is not used again.
        server = Server(always(0.01, ANSWER + b"x"))
        run = server.run(number=6, connections=2)
        self.assertEqual((run.tally.answered, run.tally.failed), (6, 0))
        self.assertEqual((run.tally.resent, server.attempts), (0, 6))

    def test_a_body_without_an_end(self) -> None:
        def more(connection: Any) -> None:
            if connection.connected and server.seconds() < 60:
                connection.protocol.dataReceived(b"x" * 1000)
                server.callLater(0.01, more, connection)

        server = Server(always(0.01, b"HTTP/1.1 200 OK\r\n\r\n"))
        run, over = server.begin(number=1, connections=1, timeout=1.0)
        server.pump([MILLISECOND] * 20)
        (connection,) = server.open
        more(connection)
        server.pump([MILLISECOND] * 1200)
        self.assertTrue(over)
        self.assertEqual((run.tally.answered, run.tally.timed_out), (0, 1))
        server.pump([MILLISECOND] * 20)
        self.nothing_left(server)

    def test_garbage(self) -> None:
        server = Server(always(0.01, b"garbage"))
        run = server.run(number=4, connections=2)
        self.assertEqual(
            [kind for kind, _, _ in run.tally.errors], ["MalformedResponse"]
        )

    def test_deadlines(self) -> None:
        server = Server(always(60.0))
        run = server.run(number=4, connections=2, timeout=0.5)
        ((kind, phase, _),) = run.tally.errors
        self.assertEqual((kind, phase), ("DeadlinePassed", "deadline"))
        # Two after two, no later than their deadline and a tenth of a second.
        self.assertLess(run.seconds, 1.3)
        self.assertEqual(run.tally.timed_out, 4)
        server.advance(1)
        self.nothing_left(server)

    def test_deadlines_are_latencies(self) -> None:
        # Three in ten are never answered: they are no faster than those that are.
        def answers(now: float, number: int) -> tuple[float, bytes]:
            return (60.0 if number % 10 < 3 else 0.01), ANSWER

        for rate in (None, 50.0):
            run = Server(answers).run(number=100, connections=50, rate=rate, timeout=1)
            tally = run.tally
            self.assertEqual((tally.answered, tally.timed_out), (70, 30))
            kinds = (
                [tally.latencies] if rate is None else [tally.latencies, tally.service]
            )
            for latencies in kinds:
                self.assertEqual(latencies.count, 100)
                self.assertLess(latencies.percentile(69), 0.02)
                self.assertGreaterEqual(latencies.percentile(71), 1.0)
                self.assertGreaterEqual(latencies.mean(), 0.3)

    def test_requests_that_failed_otherwise_are_no_latencies(self) -> None:
        run = Server(always(0.5, b"garbage")).run(number=4, connections=2)
        self.assertEqual((run.tally.failed, run.tally.latencies.count), (4, 0))
        self.assertEqual(run.tally.timed_out, 0)

    def test_to_be_stopped(self) -> None:
        for rate in (None, 100.0):
            server = Server(always(0.3))
            run, over = server.begin(seconds=60, connections=10, rate=rate)
            server.pump([MILLISECOND] * 1000)
            run.stop()
            server.pump([MILLISECOND] * 10)
            self.assertTrue(over)
            self.assertGreater(run.tally.answered, 20)
            self.assertEqual({kind for kind, _, _ in run.tally.errors}, {"Interrupted"})
            self.assertEqual(run.tally.sent, len(server.requests))
            self.nothing_left(server)

    def test_to_be_stopped_while_it_connects(self) -> None:
        server = Server(always(0), refuses=True)
        run, over = server.begin(seconds=60, connections=3)
        run.stop()
        server.pump([MILLISECOND] * 10)
        self.assertTrue(over)
        self.nothing_left(server)

    @settings(max_examples=examples(80))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0.0, 0.001, 0.05, 0.4, 30.0]),
                st.sampled_from(
                    [
                        ANSWER,
                        ANSWER,
                        ANSWER + b"x",
                        b"HTTP/1.1 200 OK\r\n\r\nuntil it closes",
                        CHUNKED,
                        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
                        b"garbage",
                        b"",
                    ]
                ),
            ),
            min_size=1,
            max_size=12,
        ),
        st.integers(1, 6),
        st.sampled_from([None, 20.0, 300.0]),
        st.booleans(),
    )
    def test_what_was_sent_was_answered_or_failed(
        self,
        answers: list[tuple[float, bytes]],
        connections: int,
        rate: float | None,
        keeps_alive: bool,
    ) -> None:
        server = Server(lambda now, number: answers[number % len(answers)])
        run: Run = server.run(
            number=20,
            connections=connections,
            rate=rate,
            keeps_alive=keeps_alive,
            timeout=0.3,
        )
        self.assertEqual(run.tally.sent, 20)
        self.assertEqual(run.tally.answered + run.tally.failed, 20)
        self.assertLess(run.tally.latencies.longest(), 20 * 1.5)
        server.advance(1)
        self.nothing_left(server)
