"""What httpbin's own tests (psf/httpbin) expect of it, expected of this server.

Where this server differs, docs/server.md says why, and a test here has the difference
in its name. Digest has a file of its own: test_digest.py.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode

from tests.server.every_channel import EveryChannelCase
from tests.server.in_memory import Reply

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
BYTES = "Content-Type: application/octet-stream"


class AsHttpbinCase(EveryChannelCase):
    def status(self, target: str, *headers: str, method: str = "GET") -> int:
        return self.ask(target, *headers, method=method).status

    def location(self, target: str) -> str:
        reply = self.ask(target)
        self.assertEqual(reply.status, 302, target)
        return reply.headers["location"]


class EchoTests(AsHttpbinCase):
    def test_get(self) -> None:
        reply = self.ask("/get", "User-Agent: test")
        echo = reply.json()
        self.assertEqual((reply.status, echo["args"]), (200, {}))
        self.assertEqual(echo["headers"]["User-Agent"], "test")
        self.assertRegex(echo["url"], "^http://[^/]*/get$")
        self.assertTrue(reply.body.endswith(b"\n"))

    def test_anything(self) -> None:
        self.assertEqual(self.status("/anything"), 200)
        reply = self.ask("/anything/foo/bar")
        echo = reply.json()
        self.assertRegex(echo["url"], "^http://[^/]*/anything/foo/bar$")
        self.assertEqual((echo["args"], echo["method"]), ({}, "GET"))
        self.assertTrue(reply.body.endswith(b"\n"))

    def test_bodies(self) -> None:
        raw = b"\x01\x02\x03\x81\x82\x83"
        self.assertEqual(self.ask("/post", BYTES, method="POST", body=raw).status, 200)
        for value in [b"this is some fake payload", raw]:
            reply = self.ask("/post", FORM, method="POST", body=b"file=" + value)
            self.assertEqual(reply.status, 200)
        text = "оживлённым"
        echo = self.ask("/post", method="POST", body=text.encode()).json()
        self.assertEqual(echo["data"], text)
        echo = self.ask("/delete", FORM, method="DELETE", body=b"name=kevin").json()
        self.assertEqual(echo["form"], {"name": "kevin"})

    def test_a_file_without_a_content_type(self) -> None:
        body = (
            b'--bound\r\nContent-Disposition: form-data; name="media"; '
            b'filename="test.bin"\r\n\r\n\xa5\xc6\n--bound--\r\n'
        )
        kind = "Content-Type: multipart/form-data; boundary=bound"
        self.assertEqual(self.ask("/post", kind, method="POST", body=body).status, 200)

    def test_a_body_in_chunks_is_read_which_httpbin_refuses(self) -> None:
        visit = self.visit("ours")
        visit.get("/post", JSON, "Transfer-Encoding: chunked", method="POST")
        visit.send(b'10\r\n{"animal":"dog"}\r\n0\r\n\r\n')
        self.assertEqual(visit.reply().json()["json"], {"animal": "dog"})

    def test_headers_of_proxies_are_shown_always(self) -> None:
        given = ["Accept: */*", "User-Agent: curl/7.54.0", "Via: bar"]
        for target in ["/headers", "/headers?show_env=true"]:
            shown = self.ask(target, *given).json()["headers"]
            self.assertLessEqual({"Accept", "Host", "User-Agent", "Via"}, {*shown})

    def test_user_agent(self) -> None:
        reply = self.ask("/user-agent", "User-Agent: test")
        self.assertEqual((reply.status, reply.json()), (200, {"user-agent": "test"}))

    def test_x_forwarded_proto(self) -> None:
        echo = self.ask("/get", "X-Forwarded-Proto: https").json()
        self.assertRegex(echo["url"], "^https://")

    def test_response_headers(self) -> None:
        for method in ["GET", "POST"]:
            reply = self.ask("/response-headers?animal=dog", method=method)
            self.assertEqual(reply.headers["animal"], "dog")
            self.assertEqual(reply.json()["animal"], "dog")
            visit = self.visit("ours")
            visit.get("/response-headers?animal=dog&animal=cat", method=method)
            found = re.findall(rb"\r\nanimal: (\w+)", visit.received)
            self.assertEqual(found, [b"dog", b"cat"])
            self.assertEqual(visit.reply().json()["animal"], ["dog", "cat"])


class CrossOriginTests(AsHttpbinCase):
    def test_origins(self) -> None:
        origin = "access-control-allow-origin"
        self.assertEqual(self.ask("/get").headers[origin], "*")
        reply = self.ask("/get", "Origin: origin")
        self.assertEqual(reply.headers[origin], "origin")
        reply = self.ask("/basic-auth/foo/bar")
        self.assertEqual(reply.headers["access-control-allow-credentials"], "true")

    def test_options(self) -> None:
        headers = self.ask("/get", method="OPTIONS").headers
        for name, value in {
            "origin": "*",
            "credentials": "true",
            "methods": "GET, POST, PUT, DELETE, PATCH, OPTIONS",
        }.items():
            self.assertEqual(headers[f"access-control-allow-{name}"], value)
        self.assertEqual(headers["access-control-max-age"], "3600")
        self.assertNotIn("access-control-allow-headers", headers)
        asked = "Access-Control-Request-Headers: X-Test-Header"
        headers = self.ask("/get", asked, method="OPTIONS").headers
        self.assertEqual(headers["access-control-allow-headers"], "X-Test-Header")


class StatusTests(AsHttpbinCase):
    def test_methods(self) -> None:
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE"]:
            self.assertEqual(self.status("/status/418", method=method), 418, method)

    def test_unreadable(self) -> None:
        self.assertEqual(self.status("/status/4!9"), 400)
        self.assertEqual(self.status("/status/200,402,foo"), 400)


class DataTests(AsHttpbinCase):
    SEEDED = b"\xc5\xd7\x14\x84\xf8\xcf\x9b\xf4\xb7o"

    def test_bytes(self) -> None:
        for path in ["/bytes", "/stream-bytes"]:
            reply = self.ask(f"{path}/1024")
            self.assertEqual((reply.status, len(reply.body)), (200, 1024))
            self.assertEqual(self.ask(f"{path}/10?seed=0").body, self.SEEDED)

    def dripped(self, target: str) -> Reply:
        visit = self.visit("ours")
        visit.get(target)
        self.clock.pump([0.01] * 400)
        return visit.reply()

    def test_drip(self) -> None:
        for query, status in [("delay=1", 200), ("code=500", 500)]:
            reply = self.dripped(f"/drip?numbytes=400&duration=2&{query}")
            self.assertEqual((reply.status, len(reply.body)), (status, 400))
            self.assertEqual(reply.headers["content-length"], "400")
        for count in [-1, 0]:
            target = f"/drip?numbytes={count}&duration=2&delay=1"
            self.assertEqual(self.status(target), 400)

    def test_base64(self) -> None:
        greeting = "Здравствуй, мир!"
        encoded = urlsafe_b64encode(greeting.encode()).decode()
        self.assertEqual(self.ask(f"/base64/{encoded}").body.decode(), greeting)

    def test_formats(self) -> None:
        for path in ["/gzip", "/deflate", "/brotli"]:
            self.assertEqual(self.status(path), 200, path)
        kind = self.ask("/xml").headers["content-type"]
        self.assertEqual(kind, "application/xml")


class RedirectTests(AsHttpbinCase):
    def test_relative(self) -> None:
        self.assertEqual(self.location("/redirect/5"), "/relative-redirect/4")
        self.assertEqual(self.location("/redirect/1"), "/get")
        self.assertEqual(self.location("/relative-redirect/1"), "/get")
        self.assertEqual(self.location("/relative-redirect/7"), "/relative-redirect/6")

    def test_absolute(self) -> None:
        four = "^http://[^/]*/absolute-redirect/4$"
        self.assertRegex(self.location("/redirect/5?absolute=true"), four)
        self.assertRegex(self.location("/absolute-redirect/5"), four)
        self.assertRegex(self.location("/absolute-redirect/1"), "^http://[^/]*/get$")

    def test_to_a_url_by_post(self) -> None:
        target = "/redirect-to?url=/post&status_code=307"
        reply = self.ask(target, BYTES, method="POST", body=b"\x01\x81")
        self.assertEqual((reply.status, reply.headers["location"]), (307, "/post"))


class RangeTests(AsHttpbinCase):
    def test_without_a_range_there_is_no_content_range(self) -> None:
        first, second = (self.ask("/range/1234") for _ in range(2))
        self.assertEqual((first.status, len(first.body)), (200, 1234))
        self.assertEqual(first.headers["accept-ranges"], "bytes")
        self.assertNotIn("content-range", first.headers)
        self.assertEqual(first.body, second.body)

    def test_ranges_under_an_etag_in_quotes(self) -> None:
        for target, asked, length, got, body in [
            ("/range/100", "10-24", 15, "10-24/100", b"klmnopqrstuvwxy"),
            ("/range/1000", "0-15", 16, "0-15/1000", b"abcdefghijklmnop"),
            ("/range/26", "20-", 6, "20-25/26", b"uvwxyz"),
            ("/range/26", "-5", 5, "21-25/26", b"vwxyz"),
        ]:
            reply = self.ask(target, f"Range: bytes={asked}")
            self.assertEqual((reply.status, reply.body), (206, body), asked)
            self.assertEqual(reply.headers["content-range"], f"bytes {got}")
            self.assertEqual(reply.headers["content-length"], str(length))
            size = target.rpartition("/")[2]
            self.assertEqual(reply.headers["etag"], f'"range{size}"')

    def test_over_a_time(self) -> None:
        visit = self.visit("ours")
        visit.get("/range/100?duration=1.5&chunk_size=5", "Range: bytes=10-24")
        self.clock.pump([0.1] * 20)
        self.assertEqual(visit.reply().body, b"klmnopqrstuvwxy")

    def test_outside(self) -> None:
        reply = self.ask("/range/26", "Range: bytes=32-40")
        self.assertEqual(reply.status, 416)
        self.assertEqual(reply.headers["content-range"], "bytes */26")
        self.assertEqual(reply.headers["etag"], '"range26"')

    def test_what_httpbin_refuses_and_the_rfc_does_not(self) -> None:
        reply = self.ask("/range/26", "Range: bytes=10-5")
        self.assertEqual((reply.status, len(reply.body)), (200, 26))
        reply = self.ask("/range/26", "Range: bytes=0-40")
        self.assertEqual((reply.status, len(reply.body)), (206, 26))


class ETagTests(AsHttpbinCase):
    def asked(self, etag: str, *headers: str) -> tuple[int, str | None]:
        reply = self.ask(f"/etag/{etag}", *headers)
        return reply.status, reply.headers.get("etag")

    def test_without_a_condition(self) -> None:
        self.assertEqual(self.asked("abc"), (200, '"abc"'))

    def test_if_none_match(self) -> None:
        for etag, condition, status in [
            ("abc", "abc", 304),
            ("abc", '"123", "abc"', 304),
            ("abc", "*", 304),
            ("c3piozzzz", 'W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"', 304),
            ("abc", "123", 200),
        ]:
            asked = self.asked(etag, f"If-None-Match: {condition}")
            self.assertEqual(asked, (status, f'"{etag}"'), condition)

    def test_if_match(self) -> None:
        for condition in ["abc", '"123", "abc"', "*"]:
            asked = self.asked("abc", f"If-Match: {condition}")
            self.assertEqual(asked, (200, '"abc"'), condition)
        self.assertEqual(self.asked("abc", "If-Match: 123"), (412, None))


class BearerTests(AsHttpbinCase):
    def test_a_token(self) -> None:
        reply = self.ask("/bearer", "Authorization: Bearer abcd1234")
        expected = {"authenticated": True, "token": "abcd1234"}
        self.assertEqual((reply.status, reply.json()), (200, expected))

    def test_no_token(self) -> None:
        for headers in [
            ["Authorization: Basic 1234abcd"],
            ["Authorization: "],
            ["Authorization: Bearer"],
            [],
        ]:
            self.assertEqual(self.status("/bearer", *headers), 401, headers)


class SlidesTests(AsHttpbinCase):
    def test_the_shape_of_its_json(self) -> None:
        slideshow = json.loads(self.ask("/json").body)["slideshow"]
        self.assertEqual({*slideshow}, {"author", "date", "slides", "title"})
        first, second = slideshow["slides"]
        self.assertEqual({*first}, {"title", "type"})
        self.assertEqual({*second}, {"items", "title", "type"})


class ControlsTests(EveryChannelCase):
    """Each path takes each control, because it is a route like others."""

    PATHS = (
        *("/base64/SGVsbG8=", "/base64/encode/a", "/basic-auth/u/p", "/bearer"),
        *("/brotli", "/cache", "/cache/60", "/cookies", "/cookies/delete?a="),
        *("/cookies/set/a/b", "/cookies/set?a=b", "/deny", "/digest-auth/auth/u/p"),
        *("/dump/request", "/encoding/utf8", "/etag/abc", "/forms/post", "/html"),
        *("/hidden-basic-auth/u/p", "/hostname", "/image", "/image/jpeg", "/image/png"),
        *("/image/svg", "/image/webp", "/json", "/jsonl", "/links/3", "/links/3/1"),
        *("/robots.txt", "/trailers?X-A=b", "/uuid", "/xml"),
    )

    def test_a_status_a_header_and_a_size(self) -> None:
        for path in self.PATHS:
            controls = "_status=503&_header=X-A:b&_size=5"
            reply = self.ask(f"{path}{'&' if '?' in path else '?'}{controls}")
            self.assertEqual((reply.status, reply.body), (503, b"*****"), path)
            self.assertEqual(reply.headers["x-a"], "b")
            # And none leaves the sandbox.
            self.assertEqual(reply.headers["content-security-policy"], "sandbox")

    def test_a_delay_and_a_fault(self) -> None:
        for path in self.PATHS:
            visit = self.visit("ours")
            visit.get(f"{path}{'&' if '?' in path else '?'}_delay=2&_fault=truncate")
            self.assertEqual(visit.received, b"", path)
            self.clock.advance(2)
            head, _, body = visit.received.partition(b"\r\n\r\n")
            (length,) = re.findall(rb"Content-Length: (\d+)", head)
            self.assertLess(len(body), int(length))
            self.assertTrue(visit.is_closed)
