"""Conditions, ranges, and what a status needs."""

from __future__ import annotations

from nbtwisted.server.engine.keys import Keys
from nbtwisted.server.model.controls import Limit
from tests.server.every_channel import CHANNELS, EveryChannelCase
from tests.server.in_memory import Reply

ETAG = '"range30"'


class RangeTests(EveryChannelCase):
    def part(self, asked: str, *headers: str, method: str = "GET") -> Reply:
        return self.ask("/range/30", f"Range: {asked}", *headers, method=method)

    def test_a_part_may_be_all_of_it(self) -> None:
        for asked in ["bytes=-30", "bytes=-31", "bytes=-" + "9" * 400, "bytes=0-"]:
            reply = self.part(asked)
            self.assertEqual((reply.status, len(reply.body)), (206, 30), asked)
            self.assertEqual(reply.headers["content-range"], "bytes 0-29/30")

    def test_positions_of_any_length(self) -> None:
        many = "9" * 5000
        self.assertEqual(self.part(f"bytes=28-{many}").body, b"cd")
        self.assertEqual(self.part("bytes=" + "0" * 900 + "28-").body, b"cd")
        self.assertEqual(self.part(f"bytes={many}-").status, 416)

    def test_none(self) -> None:
        for asked in ["bytes=30-", "bytes=-0", "bytes=99-100"]:
            reply = self.part(asked)
            self.assertEqual(reply.status, 416, asked)
            self.assertEqual(reply.headers["content-range"], "bytes */30")

    def test_what_is_passed_over(self) -> None:
        for asked in ["bytes=-", "bytes=5-2", "bytes", "bytes=1", "bytes=1-2,4-5", ""]:
            reply = self.part(asked)
            self.assertEqual((reply.status, len(reply.body)), (200, 30), asked)
        for method in ["HEAD"]:
            reply = self.part("bytes=0-1", method=method)
            self.assertEqual((reply.status, reply.body), (200, b""))
            self.assertEqual(reply.headers["content-length"], "30")

    def test_if_range(self) -> None:
        for condition, status in [
            (ETAG, 206),
            (f"W/{ETAG}", 200),
            ('"other"', 200),
            ("*", 200),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 200),
        ]:
            reply = self.part("bytes=1-2", f"If-Range: {condition}")
            self.assertEqual(reply.status, status, condition)
        # Without a range, it says nothing.
        self.assertEqual(self.ask("/range/30", 'If-Range: "x"').status, 200)

    def test_of_another_answer(self) -> None:
        for query, status, length in [
            ("_status=503", 503, 30),
            ("_status=201", 201, 30),
            ("_size=5", 200, 5),
            ("_seq=206", 206, 30),
            ("_seq=200", 206, 2),
            ("_header=A:b&_delay=0", 206, 2),
        ]:
            reply = self.ask(f"/range/30?{query}", "Range: bytes=0-1")
            self.assertEqual((reply.status, len(reply.body)), (status, length), query)

    def test_a_retry_gets_its_part(self) -> None:
        for channel in CHANNELS:
            visit = self.visit(channel)
            for _ in range(2):
                visit.get("/range/99999?_seq=503,200&_key=a", "Range: bytes=0-1")
            self.assertTrue(visit.received.endswith(b"\r\n\r\nab"))
            self.assertIn(b"HTTP/1.1 206 Partial Content", visit.received)


class DurationTests(EveryChannelCase):
    def bodies(self, target: str, *headers: str) -> list[bytes]:
        """What there is of the body, second by second."""
        visit = self.visit("ours")
        visit.get(target, *headers)
        bodies = []
        for _ in range(5):
            head, _, body = visit.received.partition(b"\r\n\r\n")
            self.assertTrue(head)
            bodies.append(body)
            self.clock.advance(1)
        return bodies

    def test_one_chunk(self) -> None:
        bodies = self.bodies("/range/4?duration=2")
        self.assertEqual(bodies, [b"", b"", b"abcd", b"abcd", b"abcd"])
        self.assertEqual(self.bodies("/range/4?duration=0")[0], b"abcd")

    def test_a_part_in_proportion(self) -> None:
        bodies = self.bodies("/range/8?duration=4&chunk_size=2", "Range: bytes=0-3")
        self.assertEqual(bodies[:3], [b"ab", b"ab", b"abcd"])
        bodies = self.bodies("/range/8?duration=4", "Range: bytes=-2")
        self.assertEqual(bodies[:2], [b"", b"gh"])

    def test_a_refusal_does_not_wait(self) -> None:
        for header in ["Range: bytes=9-", 'If-Match: "x"']:
            self.assertIn(b"error", self.bodies("/range/8?duration=4", header)[0])


class ConditionTests(EveryChannelCase):
    def status(self, etag: str, *headers: str, method: str = "GET") -> int:
        path = f"/anything?_header=ETag:{etag}&_status=200"
        return self.ask(path, *headers, method=method).status

    def test_none_match(self) -> None:
        for etag, condition, matches in [
            ('"a"', '"a"', True),
            ('"a"', 'W/"a"', True),
            ('W/"a"', '"a"', True),
            ('W/"a"', 'W/"a"', True),
            ('"a"', '"b", "a"', True),
            ('"a"', '"b","c"', False),
            ('"a"', "*", True),
            ('"a"', "a", True),
            ('"a,b"', '"a,b"', True),
            ('"a"', '"A"', False),
            ('"a"', "", False),
        ]:
            header = f"If-None-Match: {condition}"
            case = (etag, condition)
            self.assertEqual(self.status(etag, header), 304 if matches else 200, case)
            status = self.status(etag, header, method="PUT")
            self.assertEqual(status, 412 if matches else 200, case)

    def test_match(self) -> None:
        for etag, condition, matches in [
            ('"a"', '"a"', True),
            ('"a"', 'W/"a"', False),
            ('W/"a"', 'W/"a"', False),
            ('W/"a"', "*", True),
            ('"a"', '"b", "a"', True),
            ('"a"', '"b"', False),
            ('"a"', "*", True),
        ]:
            for method in ["GET", "PUT", "HEAD"]:
                status = self.status(etag, f"If-Match: {condition}", method=method)
                self.assertEqual(status, 200 if matches else 412, (etag, condition))

    def test_several_lines_are_one_list(self) -> None:
        lines = ('If-None-Match: "b"', 'If-None-Match: "a"', 'If-None-Match: "c"')
        self.assertEqual(self.status('"a"', *lines), 304)

    def test_which_comes_first(self) -> None:
        for match, status in [(ETAG, 304), ('"x"', 412)]:
            reply = self.ask(
                "/range/30",
                *(f"If-Match: {match}", f"If-None-Match: {ETAG}", "Range: bytes=99-"),
            )
            self.assertEqual(reply.status, status)

    def test_without_an_etag_there_is_nothing_to_compare(self) -> None:
        for header in ["If-None-Match: *", 'If-Match: "a"']:
            self.assertEqual(self.ask("/get", header).status, 200)

    def test_what_is_not_modified_says_so_with_its_headers(self) -> None:
        query = "ETag=%22a%22&Cache-Control=max-age=9&Vary=A&Expires=0&Set-Cookie=a=b"
        query += "&Content-Location=/x&Content-Language=en&Content-Type=text/plain"
        reply = self.ask(f"/response-headers?{query}", 'If-None-Match: "a"')
        self.assertEqual((reply.status, reply.body), (304, b""))
        self.assertLessEqual(
            {"etag", "cache-control", "vary", "expires", "content-location"},
            set(reply.headers),
        )
        for name in ("content-type", "content-language", "content-length"):
            self.assertNotIn(name, reply.headers)

    def test_no_success_is_judged(self) -> None:
        for status in (404, 503, 302):
            target = f"/range/30?_status={status}"
            self.assertEqual(self.ask(target, "If-None-Match: *").status, status)
        target = '/anything?_header=ETag:"a"&_status=201'
        self.assertEqual(self.ask(target, 'If-Match: "b"', method="PUT").status, 412)

    def test_a_list_that_is_too_long(self) -> None:
        for name in ["If-Match", "If-None-Match"]:
            for length, status in [(8192, 200), (8193, 431)]:
                value = ('W/"' * 1000).ljust(length, ",")
                for target, expected in [
                    ("/range/30", status),
                    ("/get?_header=ETag:x", status),
                    # There is nothing to compare.
                    ("/get", 200),
                    ("/range/30?_status=404", 404),
                ]:
                    reply = self.ask(target, f"{name}: {value}")
                    self.assertEqual(reply.status, expected, (name, length, target))
                    if expected == 431:
                        self.assertIn("at most 8192", reply.json()["expected"])


class StatusTests(EveryChannelCase):
    def test_what_a_status_needs(self) -> None:
        for status, name, value in [
            (401, "www-authenticate", "Basic"),
            (405, "allow", "GET"),
            (407, "proxy-authenticate", "Basic"),
            (426, "upgrade", "HTTP/"),
            (426, "connection", "Upgrade"),
        ]:
            for target in (f"/status/{status}", f"/get?_seq={status}"):
                reply = self.ask(target)
                self.assertEqual(reply.status, status)
                self.assertTrue(reply.headers[name].startswith(value), target)
        reply = self.ask("/status/405?_header=Allow:PUT")
        self.assertEqual(reply.headers["allow"], "PUT")

    def test_an_upgrade_that_is_also_the_end(self) -> None:
        for channel in CHANNELS:
            visit = self.visit(channel)
            visit.get("/status/426", "Connection: close")
            lines = visit.received.split(b"\r\n")
            self.assertIn(b"Connection: Upgrade", lines, channel)
            self.assertIn(b"Connection: close", lines, channel)
            self.assertTrue(visit.is_closed)

    def test_what_has_no_body(self) -> None:
        for target in [
            *("/status/205", "/get?_status=205", "/stream/3?_status=205"),
            *("/bytes/9?_seq=205", "/get?_status=205&_size=9&_drip=1s/2"),
        ]:
            for method in ["GET", "HEAD"]:
                reply = self.ask(target, method=method)
                self.assertEqual((reply.status, reply.body), (205, b""), target)
                self.assertEqual(reply.headers["content-length"], "0")
        for status in (204, 304):
            for target in (f"/stream/3?_status={status}", f"/get?_status={status}"):
                reply = self.ask(target)
                self.assertEqual((reply.status, reply.body), (status, b""))
                self.assertNotIn("content-length", reply.headers)
                self.assertNotIn("transfer-encoding", reply.headers)


class NothingIsCutInSilenceTests(EveryChannelCase):
    def test_what_is_above_a_limit_is_refused(self) -> None:
        for target, control in {
            "/stream/101": "n",
            "/stream/1000": "n",
            "/stream-bytes/9?chunk_size=65537": "chunk_size",
            "/range/9?chunk_size=65537": "chunk_size",
            "/redirect-to?url=/&status_code=201": "status_code",
            "/redirect-to?url=/&status_code=400": "status_code",
            "/redirect-to?url=/&status_code=x": "status_code",
            "/redirect/2?absolute=perhaps": "absolute",
            "/redirect/1001": "n",
            "/bytes/104857601": "n",
            "/drip?numbytes=10485761": "numbytes",
            "/sse?count=101": "count",
            "/unstable?failure_rate=2": "failure_rate",
            "/bytes/1?seed=" + "9" * 21: "seed",
        }.items():
            reply = self.ask(target)
            self.assertEqual(reply.status, 400, target)
            self.assertEqual(reply.json()["control"], control, target)

    def test_what_is_at_the_limit_is_not(self) -> None:
        self.assertEqual(self.ask("/stream/100").body.count(b"\n"), 100)
        self.assertEqual(self.ask("/redirect-to?url=/&status_code=308").status, 308)
        # Nanoseconds are a seed like others.
        reply = self.ask("/bytes/9?seed=1795712345678901234")
        self.assertEqual(len(reply.body), 9)
        self.assertEqual(self.ask("/bytes/9?seed=-18446744073709551616").status, 200)


class NumberTests(EveryChannelCase):
    def test_of_any_length_are_read_or_refused(self) -> None:
        many = "9" * 5000
        for target in [
            *(
                f"/get?_limit=1/{many}",
                f"/get?_limit={many}/1",
                f"/get?_limit=1/.{many}",
            ),
            *(f"/get?_drip=1/{many}", f"/get?_size={many}", f"/get?_rate={many}"),
            *(f"/status/200:{many}", f"/bytes/{many}", f"/sse?count={many}"),
        ]:
            reply = self.ask(target)
            self.assertEqual(reply.status, 400, target[:30])
            self.assertNotIn("digits)", reply.json()["expected"])

    def test_since(self) -> None:
        for since in ["9" * 5000, "1_0", "+1", "-1", "x", "٣", "10000-01-01", "9" * 19]:
            visit = self.visit("ours", peer="127.0.0.1")
            visit.send(
                f"GET /__admin/requests?since={since} HTTP/1.1\r\n"
                "Host: localhost\r\n\r\n".encode("ascii", "xmlcharrefreplace")
            )
            reply = visit.reply()
            self.assertEqual((reply.status, reply.json()["control"]), (400, "since"))
        for since in [
            "0",
            "007",
            "0001-01-01T00:00:00%2B23:59",
            "9999-12-31T23:59:59-23:59",
        ]:
            visit = self.visit("ours", peer="127.0.0.1")
            self.visit("ours").get("/get")
            visit.get(f"/__admin/requests?since={since}")
            self.assertEqual(visit.reply().status, 200, since)

    def test_a_limit_where_no_time_passes(self) -> None:
        for limit in [
            *("1/0.000000000000000000000000000001", "1/999999999999999999m"),
            *("999999999999999999/0.000000000000000000000000000001ms", "1/.1"),
        ]:
            for channel in CHANNELS:
                visit = self.visit(channel)
                for _ in range(2):
                    visit.get(f"/status/200?_limit={limit}")
                self.assertIn(visit.received.count(b"HTTP/1.1 200 OK"), (1, 2))
                self.assertNotIn(b"HTTP/1.1 500", visit.received)
        keys = Keys()
        for _ in range(3):
            wait = keys.seconds_to_wait("a", Limit(1, 1e-320), 5.0)
            self.assertTrue(0 <= wait < 1, wait)
