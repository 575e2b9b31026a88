"""The paths of httpbin and go-httpbin, in memory and on a clock."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import (
    PIECE,
    Body,
    Filler,
    Generated,
    Letters,
    RandomBytes,
    Whole,
)
from nbtwisted.server.model.controls import Drip
from nbtwisted.server.model.pace import Paced, paced
from nbtwisted.testing.slow_app import SlowApp
from tests.guard import ClockCase
from tests.server.in_memory import Reply, Visit

FORM = "Content-Type: application/x-www-form-urlencoded"


class HttpbinCase(ClockCase):
    def ask(
        self, target: str, *headers: str, method: str = "GET", body: bytes = b""
    ) -> Reply:
        visit = Visit(self.clock)
        if body:
            headers = (*headers, f"Content-Length: {len(body)}")
        visit.get(target, *headers, method=method)
        visit.send(body)
        return visit.reply(method)

    def refused(self, target: str, *headers: str) -> tuple[str, str]:
        reply = self.ask(target, *headers)
        self.assertEqual(reply.status, 400, target)
        return reply.json()["control"], reply.json()["expected"]


class EchoTests(HttpbinCase):
    def test_get(self) -> None:
        reply = self.ask("/get?a=1&b=2&b=3", "X-Forwarded-For: 10.0.0.9")
        self.assertEqual(
            reply.json(),
            {
                "args": {"a": "1", "b": ["2", "3"]},
                "headers": {"Host": "test", "X-Forwarded-For": "10.0.0.9"},
                "origin": "10.0.0.9",
                "url": "http://test/get?a=1&b=2&b=3",
            },
        )

    def test_parts(self) -> None:
        self.assertEqual(self.ask("/headers").json(), {"headers": {"Host": "test"}})
        self.assertEqual(self.ask("/ip").json(), {"origin": "192.168.1.1"})
        reply = self.ask("/user-agent", "User-Agent: me")
        self.assertEqual(reply.json(), {"user-agent": "me"})
        self.assertEqual(self.ask("/user-agent").json(), {"user-agent": None})

    def test_anything_takes_every_method(self) -> None:
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]:
            for path in ["/anything", "/anything/a/b", "/anything//x", "/anything/"]:
                reply = self.ask(path, method=method)
                self.assertEqual(reply.status, 200, (method, path))
                echo = reply.json()
                self.assertEqual(echo["method"], method)
                self.assertEqual(echo["url"], f"http://test{path}")
                self.assertEqual((echo["data"], echo["json"]), ("", None))

    def test_json_body(self) -> None:
        echo = self.ask("/anything", method="PUT", body=b'{"a": [1]}').json()
        self.assertEqual((echo["data"], echo["json"]), ('{"a": [1]}', {"a": [1]}))
        self.assertEqual((echo["form"], echo["files"]), ({}, {}))

    def test_form_is_not_mixed_with_the_target(self) -> None:
        body = b"a=2&a=3&b=%C3%A9&_delay=300"
        echo = self.ask("/anything?a=1", FORM, method="POST", body=body).json()
        self.assertEqual(echo["args"], {"a": "1"})
        self.assertEqual(echo["form"], {"a": ["2", "3"], "b": "é", "_delay": "300"})
        self.assertEqual(echo["data"], "")

    def test_nor_where_twisted_web_parses_it_first(self) -> None:
        site = Site(SlowApp(seed=7), reactor=Clock())
        visit = Visit(self.clock, site=site)
        body = b"a=2&_delay=300"
        visit.get("/post?a=1", FORM, f"Content-Length: {len(body)}", method="POST")
        visit.send(body)
        echo = visit.reply().json()
        self.assertEqual((echo["args"], echo["form"]["a"]), ({"a": "1"}, "2"))

    def test_files(self) -> None:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n'
            b"Content-Type: image/png\r\n\r\n\xff\x00\r\n"
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
        )
        kind = "Content-Type: multipart/form-data; boundary=x"
        echo = self.ask("/post", kind, method="POST", body=body).json()
        self.assertEqual(echo["files"], {"f": "data:image/png;base64,/wA="})
        self.assertEqual(echo["form"], {"a": "b"})

    def test_the_case_of_a_content_type_does_not_matter(self) -> None:
        kind = "Content-Type: Application/X-WWW-Form-URLEncoded"
        echo = self.ask("/post", kind, method="POST", body=b"a=b").json()
        self.assertEqual((echo["form"], echo["data"]), ({"a": "b"}, ""))
        kind = "Content-Type: Multipart/Form-DATA; Boundary=x"
        body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
        echo = self.ask("/post", kind, method="POST", body=body).json()
        self.assertEqual((echo["form"], echo["data"]), ({"a": "b"}, ""))

    def test_forms_that_are_odd(self) -> None:
        kind = "Content-Type: multipart/form-data; boundary=x"
        part = b"--x\r\nContent-Disposition: form-data%b\r\n\r\nv\r\n"
        body = part % b"" + part % b'; name="a"' + b"--x--\r\n"
        echo = self.ask("/put", kind, method="PUT", body=body).json()
        self.assertEqual(echo["form"], {"": "v", "a": "v"})
        for odd in [
            "multipart/form-data; boundary=\xff",
            "\xff",
            "multipart/form-data",
        ]:
            kind = f"Content-Type: {odd}"
            reply = self.ask("/put", kind, method="PUT", body=body)
            self.assertEqual((reply.status, reply.json()["form"]), (200, {}), odd)

    def test_headers_that_are_no_utf_8(self) -> None:
        for name in ["X-Forwarded-For", "User-Agent", "Range", "If-Range", "Origin"]:
            for path in ["/get", "/user-agent", "/range/5", "/__admin/stats", "/gzip"]:
                self.assertLess(self.ask(path, f"{name}: \xff").status, 500, path)

    def test_a_large_body_is_not_blown_up(self) -> None:
        body = b"[" * 150 + b"1," * 50_000 + b"1" + b"]" * 150
        reply = self.ask("/put", method="PUT", body=body)
        self.assertLess(len(reply.body), 5 * len(body))

    def test_a_body_that_is_nothing_known(self) -> None:
        echo = self.ask("/patch", method="PATCH", body=b"\xff").json()
        self.assertEqual(echo["data"], "data:application/octet-stream;base64,/w==")
        deep = b"[" * 100_000
        echo = self.ask("/put", method="PUT", body=deep).json()
        self.assertEqual((len(echo["data"]), echo["json"]), (100_000, None))
        kind = "Content-Type: multipart/form-data; boundary=x"
        echo = self.ask("/put", kind, method="PUT", body=b"--x\r\nnothing").json()
        self.assertEqual((echo["form"], echo["files"]), ({}, {}))

    def test_head(self) -> None:
        reply = self.ask("/head", method="HEAD")
        length = len(self.ask("/get").body) + len("head") - len("get")
        self.assertEqual(reply.headers["content-length"], str(length))
        self.assertEqual(self.ask("/head").headers["allow"], "HEAD, OPTIONS")

    def test_upload(self) -> None:
        for method in ["POST", "PUT", "PATCH"]:
            echo = self.ask("/upload?a=b", method=method, body=b"x" * 9).json()
            self.assertEqual((echo["bytes_received"], echo["method"]), (9, method))
            self.assertEqual(echo["args"], {"a": "b"})
            self.assertNotIn("data", echo)

    def test_dump(self) -> None:
        reply = self.ask("/dump/request?a", "X-Two: 1", method="POST", body=b"\xff\n")
        head = b"POST /dump/request?a HTTP/1.1\r\nHost: test\r\nX-Two: 1\r\n"
        self.assertEqual(reply.body, head + b"Content-Length: 2\r\n\r\n\xff\n")
        kind = reply.headers["content-type"]
        self.assertEqual(kind, "text/plain; charset=utf-8")

    def test_hostname_is_not_that_of_the_machine(self) -> None:
        self.assertEqual(self.ask("/hostname").json(), {"hostname": "nbtwisted"})

    def test_uuid(self) -> None:
        site = Visit(self.clock).site
        found = []
        for _ in range(2):
            visit = Visit(self.clock, site=site)
            visit.get("/uuid")
            found.append(UUID(visit.reply().json()["uuid"]))
        self.assertNotEqual(*found)
        self.assertEqual({uuid.version for uuid in found}, {4})
        # The seed decides.
        self.assertEqual(self.ask("/uuid").json(), {"uuid": str(found[0])})

    def test_delete_and_post_take_their_own_methods_only(self) -> None:
        self.assertEqual(self.ask("/delete", method="DELETE").status, 200)
        self.assertEqual(self.ask("/post").status, 405)
        self.assertEqual(self.ask("/post").headers["allow"], "POST, OPTIONS")


class StatusTests(HttpbinCase):
    def test_one(self) -> None:
        for method in ["GET", "POST", "DELETE"]:
            reply = self.ask("/status/503", method=method)
            self.assertEqual((reply.status, reply.body), (503, b""))
            self.assertEqual(reply.headers["content-length"], "0")

    def test_by_weight(self) -> None:
        site = Visit(self.clock).site
        statuses = []
        for _ in range(300):
            visit = Visit(self.clock, site=site)
            visit.get("/status/200:0.9,500:0.1")
            statuses.append(visit.reply().status)
        self.assertEqual(set(statuses), {200, 500})
        # Binomial, n=300, p=0.1: mean 30, six standard deviations are 31.
        self.assertLess(statuses.count(500), 61)

    def test_what_a_status_needs(self) -> None:
        self.assertEqual(self.ask("/status/302").headers["location"], "/redirect/1")
        self.assertIn("Basic", self.ask("/status/401").headers["www-authenticate"])
        self.assertIn("Basic", self.ask("/status/407").headers["proxy-authenticate"])
        reply = self.ask("/get?_status=302&_header=Location:/ip")
        self.assertEqual(reply.headers["location"], "/ip")

    def test_unreadable(self) -> None:
        for codes in ["abc", "99", "600", "200:-1", "200:0", "1e2", "200,", "100"]:
            self.assertEqual(self.refused(f"/status/{codes}")[0], "status")


class BytesTests(HttpbinCase):
    def test_seeded_as_httpbin_seeds(self) -> None:
        random = Random(5)
        expected = bytes(random.randint(0, 255) for _ in range(30_000))
        for path in ["/bytes/30000", "/stream-bytes/30000"]:
            reply = self.ask(f"{path}?seed=5")
            self.assertEqual(reply.body, expected, path)
            self.assertEqual(reply.headers["content-type"], "application/octet-stream")

    def test_unseeded_differs_from_one_request_to_the_next_but_not_by_server(
        self,
    ) -> None:
        site = Visit(self.clock).site
        bodies = []
        for _ in range(2):
            visit = Visit(self.clock, site=site)
            visit.get("/bytes/100")
            bodies.append(visit.reply().body)
        self.assertNotEqual(*bodies)
        self.assertEqual(self.ask("/bytes/100").body, bodies[0])

    def test_lengths(self) -> None:
        self.assertEqual(self.ask("/bytes/0").body, b"")
        self.assertEqual(self.ask("/bytes/7").headers["content-length"], "7")
        for n in ["104857601", "-1", "x", "1e3", "9" * 30]:
            self.assertEqual(self.refused(f"/bytes/{n}")[0], "n")
        self.assertEqual(self.refused("/bytes/1?seed=x")[0], "seed")

    def test_streamed_in_chunks_of_a_size(self) -> None:
        visit = Visit(self.clock)
        visit.get("/stream-bytes/10?chunk_size=4&seed=1")
        self.assertEqual(visit.reply().headers["transfer-encoding"], "chunked")
        _, _, body = visit.received.partition(b"\r\n\r\n")
        sizes = [int(size, 16) for size in body.split(b"\r\n")[::2] if size]
        self.assertEqual(sizes, [4, 4, 2, 0])
        self.assertEqual(self.refused("/stream-bytes/1?chunk_size=0")[0], "chunk_size")

    def test_no_chunk_is_larger_than_what_is_made_at_once(self) -> None:
        visit = Visit(self.clock)
        visit.get("/stream-bytes/200000?chunk_size=65536&seed=1")
        self.assertEqual(len(visit.reply().body), 200_000)
        self.assertIn(b"\r\n10000\r\n", visit.received)

    def test_a_drip_of_what_is_streamed(self) -> None:
        visit = Visit(self.clock)
        visit.get("/stream-bytes/10?seed=1&_drip=4s/5")
        for passed in range(5):
            self.assertEqual(visit.received.count(b"\r\n2\r\n"), passed + 1)
            self.clock.advance(1)
        self.assertEqual(len(visit.reply().body), 10)


class StreamTests(HttpbinCase):
    def test_lines_of_json(self) -> None:
        reply = self.ask("/stream/3?a=1")
        lines = [json.loads(line) for line in reply.body.splitlines()]
        self.assertEqual([line["id"] for line in lines], [0, 1, 2])
        written = [json.dumps(line, sort_keys=True).encode() for line in lines]
        self.assertEqual(reply.body.splitlines(), written)
        self.assertEqual(lines[0]["args"], {"a": "1"})
        self.assertEqual(reply.headers["transfer-encoding"], "chunked")

    def test_at_most_a_hundred(self) -> None:
        self.assertEqual(len(self.ask("/stream/100").body.splitlines()), 100)
        self.assertEqual(self.refused("/stream/1000")[0], "n")
        self.assertEqual(self.refused("/stream/x")[0], "n")

    def test_a_fault_in_it(self) -> None:
        visit = Visit(self.clock)
        visit.get("/stream/3?_fault=truncate")
        head, _, body = visit.received.partition(b"\r\n\r\n")
        length = len(self.ask("/stream/3?_fault=no").body)
        self.assertNotIn(b"chunked", head)
        self.assertIn(b"Content-Length", head)
        self.assertGreater(len(body), length // 4)
        visit.leave()


class RangeTests(HttpbinCase):
    def test_without_a_range(self) -> None:
        reply = self.ask("/range/30")
        self.assertEqual((reply.status, reply.body[24:]), (200, b"yzabcd"))
        self.assertEqual(reply.headers["etag"], '"range30"')
        self.assertEqual(reply.headers["accept-ranges"], "bytes")
        self.assertNotIn("content-range", reply.headers)

    def test_parts(self) -> None:
        for asked, got, body in [
            ("bytes=0-2", "bytes 0-2/30", b"abc"),
            ("bytes=25-27", "bytes 25-27/30", b"zab"),
            ("bytes=28-", "bytes 28-29/30", b"cd"),
            ("bytes=-3", "bytes 27-29/30", b"bcd"),
            ("bytes=28-99", "bytes 28-29/30", b"cd"),
        ]:
            reply = self.ask("/range/30", f"Range: {asked}")
            self.assertEqual((reply.status, reply.body), (206, body), asked)
            self.assertEqual(reply.headers["content-range"], got)
            self.assertEqual(reply.headers["content-length"], str(len(body)))

    def test_outside(self) -> None:
        reply = self.ask("/range/30", "Range: bytes=30-")
        self.assertEqual(reply.status, 416)
        self.assertEqual(reply.headers["content-range"], "bytes */30")

    def test_what_is_not_a_range_of_bytes_is_passed_over(self) -> None:
        for asked in ["bytes=5-2", "lines=1-2", "bytes=x", "bytes=0-1,5-6", "5"]:
            reply = self.ask("/range/30", f"Range: {asked}")
            self.assertEqual((reply.status, len(reply.body)), (200, 30), asked)

    def test_if_range(self) -> None:
        for condition, status in [
            ('"range30"', 206),
            ('"other"', 200),
            ('W/"range30"', 200),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 200),
        ]:
            reply = self.ask("/range/30", "Range: bytes=1-2", f"If-Range: {condition}")
            self.assertEqual(reply.status, status, condition)

    def test_over_a_time(self) -> None:
        visit = Visit(self.clock)
        visit.get("/range/26?duration=2&chunk_size=13")
        self.assertTrue(visit.received.endswith(b"abcdefghijklm"))
        self.clock.advance(2)
        self.assertEqual(len(visit.reply().body), 26)

    def test_sizes(self) -> None:
        for n in ["0", "-1", "x", "104857601"]:
            self.assertEqual(self.refused(f"/range/{n}")[0], "n")


class DripTests(HttpbinCase):
    def test_bytes_over_a_time(self) -> None:
        visit = Visit(self.clock)
        visit.get("/drip?numbytes=3&duration=4&delay=1&code=201")
        self.clock.advance(0.9)
        self.assertEqual(visit.received, b"")
        for expected in [b"*", b"**", b"***"]:
            self.clock.advance(0.1 if expected == b"*" else 2)
            self.assertTrue(visit.received.endswith(b"\r\n\r\n" + expected))
        reply = visit.reply()
        self.assertEqual((reply.status, reply.body), (201, b"***"))
        self.assertEqual(reply.headers["content-type"], "application/octet-stream")

    def test_a_rate_in_place_of_its_own(self) -> None:
        visit = Visit(self.clock)
        visit.get("/drip?numbytes=30&duration=0&_rate=10")
        self.clock.pump([0.1] * 10)
        self.assertLess(visit.received.count(b"*"), 15)
        visit.leave()

    def test_unless_told_ten_bytes_in_two_seconds(self) -> None:
        visit = Visit(self.clock)
        visit.get("/drip")
        self.clock.pump([0.1] * 20)
        self.assertEqual(visit.reply().body, b"*" * 10)

    def test_unreadable(self) -> None:
        for query, control in [
            ("numbytes=0", "numbytes"),
            ("numbytes=10485761", "numbytes"),
            ("duration=-1", "duration"),
            ("duration=301", "duration"),
            ("delay=x", "delay"),
            ("code=99", "code"),
        ]:
            self.assertEqual(self.refused(f"/drip?{query}")[0], control)


class CompressedTests(HttpbinCase):
    def test_gzip_and_deflate(self) -> None:
        for path, wbits, done in [
            ("/gzip", zlib.MAX_WBITS | 16, "gzipped"),
            ("/deflate", zlib.MAX_WBITS, "deflated"),
        ]:
            reply = self.ask(path)
            self.assertEqual(reply.headers["content-encoding"], path[1:])
            self.assertEqual(
                json.loads(zlib.decompress(reply.body, wbits)),
                {
                    done: True,
                    "headers": {"Host": "test"},
                    "method": "GET",
                    "origin": "192.168.1.1",
                },
            )


class RedirectTests(HttpbinCase):
    def follow(self, target: str) -> list[str]:
        hops = []
        while (reply := self.ask(target)).status == 302:
            hops.append(reply.headers["location"])
            target = hops[-1].removeprefix("http://test")
        self.assertEqual(reply.status, 200)
        return hops

    def test_redirects(self) -> None:
        relative = ["/relative-redirect/2", "/relative-redirect/1", "/get"]
        self.assertEqual(self.follow("/redirect/3"), relative)
        self.assertEqual(self.follow("/relative-redirect/3"), relative)
        absolute = [
            *("http://test/absolute-redirect/2", "http://test/absolute-redirect/1"),
            "http://test/get",
        ]
        self.assertEqual(self.follow("/redirect/3?absolute=true"), absolute)
        self.assertEqual(self.follow("/absolute-redirect/3"), absolute)

    def test_redirect_to(self) -> None:
        reply = self.ask("/redirect-to?url=/ip")
        self.assertEqual((reply.status, reply.headers["location"]), (302, "/ip"))
        reply = self.ask("/redirect-to?url=http://a/%C3%A9%3Fb&status_code=307")
        self.assertEqual(reply.status, 307)
        self.assertEqual(reply.headers["location"], "http://a/%C3%A9?b")
        self.assertEqual(self.ask("/redirect-to?url=/&status_code=200").status, 400)

    def test_unreadable(self) -> None:
        for target in [
            "/redirect-to",
            "/redirect-to?url=",
            "/redirect-to?url=/%0d%0aA:b",
        ]:
            self.assertEqual(self.refused(target)[0], "url")
        for n in ["0", "-1", "x", "1001"]:
            self.assertEqual(self.refused(f"/redirect/{n}")[0], "n")


class ResponseHeadersTests(HttpbinCase):
    def test_headers_as_asked(self) -> None:
        reply = self.ask("/response-headers?X-A=1&X-A=2&Content-Type=text/x&_delay=0")
        self.assertEqual(reply.headers["content-type"], "text/x")
        shown = reply.json()
        self.assertEqual(shown["X-A"], ["1", "2"])
        self.assertEqual(shown["Content-Length"], str(len(reply.body)))
        self.assertNotIn("_delay", shown)

    def test_unreadable(self) -> None:
        for query in ["A=b%0d%0aC:d", "A%20b=c", "A=%00", "Content-Length=5"]:
            self.refused(f"/response-headers?{query}")


class EventsTests(HttpbinCase):
    def test_events_over_a_time(self) -> None:
        visit = Visit(self.clock)
        visit.get("/sse?count=3&duration=4&delay=1")
        self.clock.advance(1)
        for count in range(1, 4):
            self.assertEqual(visit.received.count(b"event: ping\n"), count)
            self.clock.advance(2)
        reply = visit.reply()
        self.assertEqual(
            reply.headers["content-type"], "text/event-stream; charset=utf-8"
        )
        events = [
            json.loads(e.partition(b"data: ")[2])
            for e in reply.body.split(b"\n\n")
            if e
        ]
        self.assertEqual([event["id"] for event in events], [0, 1, 2])
        first, second, third = (event["timestamp"] for event in events)
        self.assertApproximates(second - first, 2000, 1)
        self.assertApproximates(third - second, 2000, 1)

    def test_unreadable(self) -> None:
        for query in ["count=0", "count=101", "duration=x", "delay=301"]:
            self.assertEqual(self.refused(f"/sse?{query}")[0], query.split("=")[0])


class UnstableTests(HttpbinCase):
    def statuses(self, query: str, server_seed: int) -> list[int]:
        site = Visit(self.clock, seed=server_seed).site
        statuses = []
        for _ in range(50):
            visit = Visit(self.clock, site=site)
            visit.get(f"/unstable?{query}")
            statuses.append(visit.reply().status)
        return statuses

    def test_fails_as_often_as_asked(self) -> None:
        self.assertEqual(set(self.statuses("failure_rate=1", 1)), {500})
        self.assertEqual(set(self.statuses("failure_rate=0", 1)), {200})
        self.assertEqual(set(self.statuses("", 1)), {200, 500})

    def test_its_own_seed_is_the_same_on_every_server(self) -> None:
        self.assertEqual(self.statuses("seed=3", 1), self.statuses("seed=3", 2))
        self.assertNotEqual(self.statuses("seed=3", 1), self.statuses("seed=4", 1))
        self.assertNotEqual(self.statuses("", 1), self.statuses("", 2))

    def test_unreadable(self) -> None:
        for query in ["failure_rate=1.1", "failure_rate=x", "seed=x"]:
            self.assertEqual(self.refused(f"/unstable?{query}")[0], query.split("=")[0])


BODIES: list[Body] = [
    Whole(bytes(range(100))),
    Filler(100),
    Letters(0, 100),
    Letters(17, 100, 7),
    RandomBytes(100, 3),
    RandomBytes(100, 3, 9),
    Generated(lambda: (b"%d\n" % number**number for number in range(7))),
]


def whole(pieces: Iterable[tuple[bytes, float]]) -> tuple[bytes, list[int], float]:
    """The bytes, the sizes of the pieces, and the seconds from first to last."""
    # A piece of nothing is sent as nothing: it lets others have their turn.
    made = [(piece, interval) for piece, interval in pieces if piece or interval]
    seconds = sum(interval for _, interval in made[:-1])
    return b"".join(p for p, _ in made), [len(p) for p, _ in made], seconds


def pieces(behaviour: Behaviour) -> Paced:
    return paced(behaviour.draw(Random(0), 0, is_head=False))


class BodyTests(SynchronousTestCase):
    @given(st.sampled_from(BODIES), st.integers(1, 120), st.floats(0.1, 9))
    def test_dripped(self, body: Body, chunks: int, seconds: float) -> None:
        plain = b"".join(body.pieces())
        self.assertEqual(len(plain), body.length)
        dripped = Behaviour(body, drip=Drip(seconds, chunks))
        content, sizes, took = whole(pieces(dripped))
        self.assertEqual(content, plain)
        self.assertEqual(len(sizes), min(chunks, len(plain)))
        self.assertLessEqual(max(sizes) - min(sizes), 1)
        if len(sizes) > 1:
            self.assertApproximates(took, seconds, 1e-6)

    @given(st.sampled_from(BODIES), st.floats(1, 10_000))
    def test_rated(self, body: Body, rate: float) -> None:
        content, sizes, took = whole(pieces(Behaviour(body, rate=rate)))
        self.assertEqual(content, b"".join(body.pieces()))
        self.assertApproximates(took * rate, sum(sizes[:-1]), 1e-6)

    def test_a_large_piece_of_random_bytes_is_made_in_steps(self) -> None:
        steps = list(RandomBytes(2 * PIECE, 3, PIECE).pieces())
        self.assertEqual([len(step) for step in steps if step], [PIECE, PIECE])
        self.assertEqual(b"".join(steps), b"".join(RandomBytes(2 * PIECE, 3).pieces()))
        random = Random(3)
        drawn = bytes(random.randint(0, 255) for _ in range(2 * PIECE))
        self.assertEqual(b"".join(steps), drawn)
        # Some 2 KiB are drawn in each.
        self.assertGreater(steps.count(b""), 60)

    def test_small_pieces_are_joined_in_steps(self) -> None:
        body = Letters(0, 1000, 1)
        steps = list(pieces(Behaviour(body, drip=Drip(1, 2))))
        self.assertEqual([len(step) for step, _ in steps if step], [500, 500])
        self.assertEqual(len(steps), 1000)

    def test_nothing_large_is_made_at_once(self) -> None:
        size = 10 * PIECE
        for behaviour in [
            Behaviour(Filler(size)),
            Behaviour(Filler(size), drip=Drip(2, 2)),
            Behaviour(Filler(size), rate=1e12),
        ]:
            content, sizes, took = whole(pieces(behaviour))
            self.assertEqual((len(content), max(sizes)), (size, PIECE))
            if behaviour.drip:
                self.assertEqual((len(sizes), took), (10, 2))
