"""Controls and faults on the wire: raw sockets, a real server, both ways to run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.model.faults import GARBAGE_SIZE
from tests.guard import ClockCase
from tests.server.in_memory import Reply, Visit
from tests.server.running import BY_MODULE, BY_TWISTD, RunningServer

ECHO = "/delay/0?_size=1000"


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


class ControlsTests(ClockCase):
    """What composes on every route, in memory."""

    def ask(self, target: str, *headers: str, visit: Visit | None = None) -> Reply:
        visit = visit or Visit(self.clock)
        visit.get(target, *headers)
        return visit.reply()

    def test_as_parameters_and_as_headers(self) -> None:
        by_parameter = self.ask("/get?a=1&_status=503&_header=X-A:b&_header=X-C:d")
        by_header = self.ask(
            *("/get?a=1", "X-Nbtwisted-Status: 503", "x-nbtwisted-header: X-A: b"),
            "X-Nbtwisted-Header: X-C:d",
        )
        for reply in (by_parameter, by_header):
            self.assertEqual(reply.status, 503)
            self.assertEqual((reply.headers["x-a"], reply.headers["x-c"]), ("b", "d"))
            self.assertEqual(reply.json()["args"].get("a"), "1")

    def test_a_misspelt_header_is_told(self) -> None:
        reply = self.ask("/get", "X-Nbtwisted-Dealy: 1")
        self.assertEqual((reply.status, reply.json()["control"]), (400, "_dealy"))

    def test_delay_before_the_path_s_own(self) -> None:
        visit = Visit(self.clock)
        visit.get("/delay/5?_delay=1")
        self.clock.advance(1)
        self.assertEqual(visit.reply().status, 200)

    def test_refused(self) -> None:
        reply = self.ask("/get?_header=A:b%0d%0aC:d")
        self.assertEqual(reply.status, 400)
        self.assertEqual(
            [reply.json()["control"], reply.json()["value"]],
            ["_header", "A:b\\r\\nC:d"],
        )

    def test_a_size_that_is_not_kept_in_memory(self) -> None:
        reply = self.ask("/get?_size=200000")
        self.assertEqual(reply.headers["content-length"], "200000")
        self.assertEqual(reply.body, b"*" * 200_000)

    def test_no_body_where_there_may_be_none(self) -> None:
        for status in (204, 304):
            reply = self.ask(f"/get?_status={status}")
            self.assertEqual(reply.body, b"")
            self.assertNotIn("content-length", reply.headers)
            self.assertNotIn("transfer-encoding", reply.headers)

    def test_a_drip_from_the_first_to_the_last_chunk(self) -> None:
        visit = Visit(self.clock)
        visit.get("/get?_size=100&_drip=4s/5")
        sizes = []
        for _ in range(5):
            sizes.append(visit.received.partition(b"\r\n\r\n")[2].count(b"*"))
            self.clock.advance(1)
        self.assertEqual(sizes, [20, 40, 60, 80, 100])
        self.assertEqual(len(visit.reply().body), 100)

    def test_a_rate(self) -> None:
        visit = Visit(self.clock)
        visit.get("/get?_size=1000&_rate=100")
        self.clock.pump([0.05] * 100)
        sent = visit.received.count(b"*")
        self.assertTrue(490 <= sent <= 520, str(sent))
        self.clock.pump([0.05] * 100)
        self.assertEqual(len(visit.reply().body), 1000)

    def test_what_a_slow_reader_missed_is_not_made_up_for_at_once(self) -> None:
        visit = Visit(self.clock)
        visit.get("/get?_size=1000&_rate=100")
        self.clock.pump([0.05] * 10)
        visit.stop_reading()
        self.clock.pump([0.05] * 100)
        before = visit.received.count(b"*")
        self.assertLess(before, 70)
        visit.read_on()
        self.clock.pump([0.05] * 10)
        self.assertApproximates(visit.received.count(b"*"), before + 50, 10)
        visit.leave()

    def test_a_header_in_place_of_the_answer_s_own(self) -> None:
        visit = Visit(self.clock)
        visit.get(
            "/get?_header=content-type:a/b&_header=Set-Cookie:a&_header=Set-Cookie:b"
        )
        head = visit.received.partition(b"\r\n\r\n")[0].lower()
        self.assertEqual(head.count(b"content-type:"), 1)
        self.assertIn(b"content-type: a/b", head)
        self.assertEqual(head.count(b"set-cookie:"), 2)

    def test_a_connection_that_is_said_to_be_closed_is(self) -> None:
        for header in ["Connection:close", "connection: CLOSE"]:
            visit = Visit(self.clock)
            visit.get(f"/get?_header={header.replace(' ', '%20')}")
            head = visit.received.partition(b"\r\n\r\n")[0].lower()
            self.assertEqual(head.count(b"connection: close"), 1)
            self.assertTrue(visit.is_closed)
        visit = Visit(self.clock)
        visit.get("/get")
        self.assertFalse(visit.is_closed)

    def test_no_fault_gives_a_body_where_there_may_be_none(self) -> None:
        for method, query in [("HEAD", "_size=30"), ("GET", "_size=30&_status=204")]:
            for fault in ["slow-headers", "malformed-chunk", "wrong-length"]:
                visit = Visit(self.clock)
                visit.get(f"/get?{query}&_fault={fault}", method=method)
                self.clock.pump([0.1] * 400)
                head, _, body = visit.received.partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 20"), fault)
                self.assertEqual(body, b"", (method, fault))
                visit.leave()

    def test_headers_in_utf_8(self) -> None:
        for target, header in [
            ("/get?_header=X-A:%c3%a9", "X-B: b"),
            ("/get?_header=X-A:%c3%a9&_fault=slow-headers", "X-B: b"),
            ("/get", "X-Nbtwisted-Header: X-A: \xc3\xa9"),
            ("/response-headers?X-A=%c3%a9", "X-B: b"),
        ]:
            visit = Visit(self.clock)
            visit.get(target, header)
            self.clock.pump([0.1] * 400)
            head = visit.received.partition(b"\r\n\r\n")[0]
            self.assertIn("é".encode(), head, target)
            visit.leave()

    def test_headers_of_twisted_web_s_own(self) -> None:
        visit = Visit(self.clock)
        visit.get("/get?_header=Server:x&_header=Date:y")
        head = visit.received.partition(b"\r\n\r\n")[0]
        self.assertEqual((head.count(b"Server:"), head.count(b"Date:")), (1, 1))
        self.assertIn(b"\r\nServer: x\r\n", head)

    def test_leaving_a_drip(self) -> None:
        visit = Visit(self.clock)
        visit.get("/get?_size=100&_drip=4s/5")
        visit.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_sequence_of_statuses(self) -> None:
        site = Visit(self.clock).site

        def statuses(key: str) -> list[int]:
            return [
                self.ask(
                    f"/get?_seq=503,504,200&_key={key}",
                    visit=Visit(self.clock, site=site),
                ).status
                for _ in range(5)
            ]

        self.assertEqual(statuses("a"), [503, 504, 200, 200, 200])
        self.assertEqual(statuses("b"), [503, 504, 200, 200, 200])

    def test_a_limit(self) -> None:
        site = Visit(self.clock).site
        replies = [
            self.ask("/get?_limit=2/10s", visit=Visit(self.clock, site=site))
            for _ in range(3)
        ]
        self.assertEqual([reply.status for reply in replies], [200, 200, 429])
        self.assertEqual(replies[2].headers["retry-after"], "5")

    def test_what_a_limit_refuses_is_not_dripped(self) -> None:
        site = Visit(self.clock).site
        target = "/get?_limit=1/10s&_key=k&_drip=9s/3"
        first = Visit(self.clock, site=site)
        first.get(target)
        refused = self.ask(target, visit=Visit(self.clock, site=site))
        self.assertEqual(refused.status, 429)
        first.leave()

    def answers(
        self, keys: Sequence[str], seed: int, concurrency: int
    ) -> Counter[tuple[str, int, str, bytes]]:
        """How often each key got which answer."""
        site = Visit(self.clock, seed=seed).site
        target = "/bytes/3?_key={}&_delay=uniform(0,9)&_status=200,404,500"
        got: Counter[tuple[str, int, str, bytes]] = Counter()
        for start in range(0, len(keys), concurrency):
            # Each of these is asked before any is answered.
            batch = keys[start : start + concurrency]
            visits = [Visit(self.clock, site=site) for _ in batch]
            for key, visit in zip(batch, visits, strict=True):
                visit.get(target.format(key))
            self.clock.advance(10)
            for key, visit in zip(batch, visits, strict=True):
                reply = visit.reply()
                asked = reply.headers["server-timing"].split(",")[0]
                got[key, reply.status, asked, reply.body] += 1
        return got

    @given(
        st.lists(st.sampled_from("abc"), min_size=1, max_size=12),
        st.integers(0, 99),
        st.integers(1, 12),
        st.randoms(use_true_random=False),
    )
    def test_what_is_drawn_does_not_depend_on_order_and_concurrency(
        self, keys: list[str], seed: int, concurrency: int, random: Random
    ) -> None:
        one_by_one = self.answers(keys, seed, 1)
        self.assertEqual(self.answers(keys, seed, concurrency), one_by_one)
        shuffled = list(keys)
        random.shuffle(shuffled)
        self.assertEqual(self.answers(shuffled, seed, concurrency), one_by_one)

    def test_the_same_one_by_one_and_500_at_once(self) -> None:
        keys = [f"key{number % 50}" for number in range(500)]
        one_by_one = self.answers(keys, 7, 1)
        self.assertEqual(self.answers(keys, 7, 500), one_by_one)
        self.assertNotEqual(self.answers(keys, 8, 500), one_by_one)


class _Faults:
    """What each fault does to the bytes, however the server was started."""

    command: Sequence[str]

    def test_each(self) -> None:
        with RunningServer(self.command) as server:
            for name in ("reset", "CONNECTION_RESET_BY_PEER"):
                with server.connect() as connection:
                    connection.sendall(get(f"{ECHO}&_fault={name}"))
                    # Which is errno ECONNRESET: the peer sent RST.
                    with pytest.raises(ConnectionResetError):
                        connection.recv(100)

            assert server.ask(get(f"{ECHO}&_fault=empty")) == b""

            garbage = server.ask(get(f"{ECHO}&_fault=garbage"))
            assert len(garbage) == GARBAGE_SIZE
            assert not garbage.startswith(b"HTTP")

            head, _, body = server.ask(get(f"{ECHO}&_fault=truncate")).partition(
                b"\r\n\r\n"
            )
            assert b"\r\nContent-Length: 1000" in head, head
            assert body == b"*" * 500

            head, _, body = server.ask(get(f"{ECHO}&_fault=wrong-length")).partition(
                b"\r\n\r\n"
            )
            assert b"\r\nContent-Length: 1000" in head, head
            assert len(body) == 1000 + GARBAGE_SIZE

            head, _, body = server.ask(get(f"{ECHO}&_fault=malformed-chunk")).partition(
                b"\r\n\r\n"
            )
            assert b"\r\nTransfer-Encoding: chunked" in head, head
            assert body.startswith(b"1f4\r\n" + b"*" * 500 + b"\r\nthis is no"), body

            assert self.stalls(server, "stall") == b""
            head, _, body = self.stalls(server, "stall-body").partition(b"\r\n\r\n")
            assert b"\r\nContent-Length: 1000" in head, head
            assert body == b"*" * 500

            with server.connect() as connection:
                began = time.monotonic()
                connection.sendall(get(f"{ECHO}&_fault=slow-headers"))
                head = b""
                while len(head) < 4:
                    head += connection.recv(100)
                    # One that is late to look has more, but none that was not due.
                    assert len(head) <= 1 + 10 * (time.monotonic() - began), head
                assert b"HTTP/1.1 200 OK\r\n".startswith(head), head

            # None of them harmed anybody else.
            assert b"200 OK" in server.ask(
                get("/get").replace(b"Host", b"Connection: close\r\nHost")
            )
            server.stop()
        assert "Traceback" not in server.output, server.output

    def stalls(self, server: RunningServer, name: str) -> bytes:
        """What comes before nothing more does; and the connection stays open."""
        with server.connect() as connection:
            connection.sendall(get(f"{ECHO}&_fault={name}"))
            got = b""
            while True:
                # However long a busy machine takes to begin, if it is to begin.
                connection.settimeout(0.3 if got or name == "stall" else 10)
                try:
                    piece = connection.recv(65536)
                except TimeoutError:
                    return got
                assert piece, f"{name}: closed after {got!r}"
                got += piece

    def test_now_and_then(self) -> None:
        with RunningServer(self.command, NBTWISTED_SEED="7") as server:
            asked = get("/get?_fault=empty:0.5&_key=a")
            asked = asked.replace(b"Host", b"Connection: close\r\nHost")
            answered = sum(server.ask(asked) != b"" for _ in range(40))
            assert 5 < answered < 35, answered

    def test_a_slow_reader_is_not_buffered_for(self) -> None:
        with RunningServer(self.command) as server, server.connect() as connection:
            connection.sendall(get("/get?_size=100000000"))
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
            # Had it been written all at once, 100 MB would be there by now.
            server.ask(get("/get").replace(b"Host", b"Connection: close\r\nHost"))
            with open(f"/proc/{server.process.pid}/status") as status:
                resident = re.search(r"VmRSS:\s+(\d+) kB", status.read())
            assert resident
            assert int(resident[1]) < 90_000, resident[0]


class FaultsByModuleTests(_Faults, SynchronousTestCase):
    command = BY_MODULE


class FaultsByTwistdTests(_Faults, SynchronousTestCase):
    command = BY_TWISTD


class CurlTests(SynchronousTestCase):
    def test_its_exit_codes(self) -> None:
        if shutil.which("curl") is None:
            self.skipTest("there is no curl here")
        with RunningServer() as server:
            for fault, code in {
                "reset": 56,
                "empty": 52,
                "garbage": 1,
                "malformed-chunk": 56,
                "truncate": 18,
                "wrong-length": 0,
                "stall": 28,
                "stall-body": 28,
                "slow-headers": 28,
            }.items():
                ran = subprocess.run(
                    [
                        # A machine may be slow; what never ends is given up soon.
                        *("curl", "-s", "-m", "0.5" if code == 28 else "20"),
                        f"{server.url[:-1]}{ECHO}&_fault={fault}",
                    ],
                    stdout=subprocess.DEVNULL,
                    check=False,
                )
                self.assertEqual(ran.returncode, code, fault)
