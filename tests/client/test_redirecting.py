"""Redirects: where they lead, what is told there, and where they end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from nbtwisted.client import get
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.errors import (
    BadURL,
    DeadlinePassed,
    RequestError,
    ResponseTooLarge,
    TooManyRedirects,
)
from nbtwisted.client.request.redirecting import headers_for_redirect, next_url
from nbtwisted.client.result import Head, Response, Result
from nbtwisted.client.results.har import entries
from nbtwisted.client.target import LONGEST_URL, Target
from nbtwisted.client.writing import write_message
from tests.client.in_memory import A_TURN, Network
from tests.guard import ClockCase


def led(base: str, location: str, status: int = 302) -> str | None:
    head = Head("1.1", status, "Found", (("location", location),))
    return next_url(Target.parse(base), head)


def follow(base: str, location: str) -> Target:
    url = led(base, location)
    assert url is not None
    return Target.parse(url, is_absolute=True)


# RFC 3986, 5.4.1 and 5.4.2, but for the empty reference, which is no redirect.
RFC_3986 = {
    "g:h": "g:h",
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q#s",
    "g#s": "http://a/b/c/g#s",
    "g?y#s": "http://a/b/c/g?y#s",
    ";x": "http://a/b/c/;x",
    "g;x": "http://a/b/c/g;x",
    "g;x?y#s": "http://a/b/c/g;x?y#s",
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../": "http://a/",
    "../../g": "http://a/g",
    "../../../g": "http://a/g",
    "../../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g.": "http://a/b/c/g.",
    ".g": "http://a/b/c/.g",
    "g..": "http://a/b/c/g..",
    "..g": "http://a/b/c/..g",
    "./../g": "http://a/b/g",
    "./g/.": "http://a/b/c/g/",
    "g/./h": "http://a/b/c/g/h",
    "g/../h": "http://a/b/c/h",
    "g;x=1/./y": "http://a/b/c/g;x=1/y",
    "g;x=1/../y": "http://a/b/c/y",
    "g?y/./x": "http://a/b/c/g?y/./x",
    "g?y/../x": "http://a/b/c/g?y/../x",
    "g#s/./x": "http://a/b/c/g#s/./x",
    "g#s/../x": "http://a/b/c/g#s/../x",
    "http:g": "http:g",
}


class NextURLTests(ClockCase):
    def test_relative_and_absolute(self) -> None:
        for location, url in {
            "/c": "http://h:8000/c",
            "c": "http://h:8000/a/c",
            "../c": "http://h:8000/c",
            "?q=1": "http://h:8000/a/b?q=1",
            "//other/c": "http://other/c",
            "https://h:8000/c": "https://h:8000/c",
            "http://other:81": "http://other:81",
            "/with space": "http://h:8000/with%20space",
            "/with\ttab": "http://h:8000/with%09tab",
            "/%0d%0aX:%20y": "http://h:8000/%0d%0aX:%20y",
            # What came as UTF-8, and what came as something else.
            "/ü".encode().decode("latin-1"): "http://h:8000/ü",
            "//bücher.example/".encode().decode("latin-1"): "http://bücher.example/",
            "/\xfc": "http://h:8000/%FC",
        }.items():
            self.assertEqual(led("http://h:8000/a/b?x=y", location), url, location)

    def test_which_statuses(self) -> None:
        for status in (301, 302, 303, 307, 308):
            self.assertEqual(led("http://h/", "/x", status), "http://h/x")
        for status in (200, 201, 300, 304, 305, 306, 404, 503):
            self.assertIsNone(led("http://h/", "/x", status))

    def test_without_location(self) -> None:
        head = Head("1.1", 302, "Found", (("X", "/"),))
        self.assertIsNone(next_url(Target.parse("http://h/"), head))
        self.assertIsNone(led("http://h/", ""))

    def test_what_cannot_be_followed(self) -> None:
        for location in (
            *("http://[", "http://h/" + "x" * 2**20, "//[::1", "http:", "http:x"),
            *("ftp://x/", "foo:bar", "localhost:80/", "mailto:x@h", "//", "http:///x"),
            *("//h:99999/", "//h:" + "0" * 5000 + "1/", "//a..b/", "/\x00"),
        ):
            with self.assertRaises(BadURL, msg=location[:99]):
                follow("http://h/", location)

    def test_the_examples_of_rfc_3986(self) -> None:
        for location, url in RFC_3986.items():
            self.assertEqual(led("http://a/b/c/d;p?q", location), url, location)
        # 5.2.3: of a base without a path.
        self.assertEqual(led("http://a", "g"), "http://a/g")

    def test_dot_segments(self) -> None:
        for location, sent in {
            "http://other/x/../y": "http://other/y",
            "//other/./x/..": "http://other/",
            "/..//../a": "http://h/a",
            "x?../y": "http://h/a/x?../y",
            "..": "http://h/",
            "?": "http://h/a/b?",
        }.items():
            self.assertEqual(follow("http://h/a/b?c", location).sent_url, sent)

    def test_a_fragment_is_inherited(self) -> None:
        for location, url in {
            "/c": "http://h/c#here",
            "http://other": "http://other#here",
            "?x": "http://h/a?x#here",
            "/c#there": "http://h/c#there",
            "/c#": "http://h/c#",
            "#there": "http://h/a?b#there",
        }.items():
            self.assertEqual(led("http://h/a?b#here", location), url, location)

    def test_no_longer_than_a_url_may_be(self) -> None:
        longest = "/" + "x" * (LONGEST_URL - 1)
        self.assertEqual(led("http://h/", longest), f"http://h{longest}")
        with self.assertRaisesRegex(BadURL, "redirected to a URL longer than 65536"):
            led("http://h/", longest + "x")

    @given(st.text(alphabet=st.characters(max_codepoint=255), min_size=1, max_size=40))
    def test_any_location(self, location: str) -> None:
        try:
            request = write_message(follow("http://h/a", location)).head
        except BadURL:
            return
        self.assertEqual(request.count(b"\r\n"), 6)
        self.assertTrue(request.isascii())


class TrustTests(ClockCase):
    HEADERS = tuple(
        (name, "value")
        for name in ("Authorization", "COOKIE", "Host", "X", "Proxy-Authorization")
    )

    def test_one_origin(self) -> None:
        old, new = Target.parse("http://h/"), Target.parse("http://H:80/x")
        self.assertEqual(headers_for_redirect(self.HEADERS, old, new), self.HEADERS)

    def test_others(self) -> None:
        old = Target.parse("http://h/")
        for url in ("http://other/", "http://h:81/", "https://h/"):
            new = Target.parse(url)
            self.assertEqual(
                headers_for_redirect(self.HEADERS, old, new), [("X", "value")]
            )


def redirect(location: str, *more: str) -> bytes:
    lines = ["HTTP/1.1 302 Found", f"Location: {location}", "Content-Length: 0", *more]
    return "\r\n".join([*lines, "", ""]).encode()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class FollowingTests(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.network = Network()
        self.clock = self.network

    def get(self, url: str = "http://10.0.0.1/a", **options: Any) -> Deferred[Response]:
        options.setdefault("max_redirects", 50)
        self.getter = self.network.getter(**options)
        return self.getter.get(url)

    def ended(self, request: Deferred[Response], kind: type[RequestError]) -> Result:
        error = self.failureResultOf(request, kind).value
        assert isinstance(error, RequestError)
        assert error.result is not None
        return error.result

    def test_long_heads_of_the_past_are_not_kept(self) -> None:
        request = self.get()
        connection = self.network.accept()
        for padding in ("x" * 100, "x" * 10_000):
            connection.take_request()
            connection.answer(redirect("/b", f"Padding: {padding}"))
        connection.take_request()
        connection.answer(OK)
        result = self.successResultOf(request).result
        first, second = result.earlier
        assert first.head is not None
        assert second.head is not None
        self.assertEqual((len(first.head.headers), len(second.head.headers)), (3, 0))
        self.assertEqual((first.status, second.status), (302, 302))
        self.assertEqual(second.received, len(redirect("/b")) + 10_011)
        self.assertEqual((second.raw, second.body), (b"", b""))
        (_, entry, _) = entries(0, result)
        self.assertIn("too long", entry["response"]["comment"])
        self.getter.close()
        connection.finish()

    def test_over_one_connection(self) -> None:
        request = self.get()
        connection = self.network.accept()
        connection.take_request()
        self.network.advance(1)
        connection.answer(redirect("/b"))
        self.assertTrue(connection.take_request().startswith(b"GET /b "))
        self.network.advance(2)
        connection.answer(OK)
        response = self.successResultOf(request)
        result = response.result
        self.assertEqual((response.url, response.raw), ("http://10.0.0.1/b", OK))
        self.assertEqual((result.url, result.tries), ("http://10.0.0.1/a", 1))
        self.assertEqual(result.effective_url, "http://10.0.0.1/b")
        (first,) = result.earlier
        self.assertEqual((first.url, first.status), ("http://10.0.0.1/a", 302))
        self.assertEqual((first.then, first.waited), ("redirect", 0))
        self.assertEqual((first.timing.wait, first.timing.total), (1, 1))
        timing = response.timing
        self.assertEqual((timing.wait, timing.total), (2, 3))
        self.assertEqual(timing.started, first.timing.started)
        closed = self.getter.close()
        connection.finish()
        self.successResultOf(closed)

    def test_to_another_host(self) -> None:
        headers = [("Authorization", "Bearer x"), ("Cookie", "y"), ("X-Z", "z")]
        request = self.get(headers=headers)
        connection = self.network.accept()
        self.assertIn(b"Bearer x", connection.take_request())
        connection.answer(redirect("http://10.0.0.2:81/b", "Connection: close"))
        connection.finish()
        self.assertEqual(self.network.attempts[1], ("10.0.0.2", 81))
        connection = self.network.accept()
        sent = connection.take_request()
        self.assertIn(b"\r\nX-Z: z\r\n", sent)
        self.assertNotIn(b"Authorization", sent)
        self.assertNotIn(b"Cookie", sent)
        # And not even when the way leads back.
        connection.answer(redirect("http://10.0.0.1/c", "Connection: close"))
        connection.finish()
        connection = self.network.accept()
        self.assertNotIn(b"Authorization", connection.take_request())
        connection.answer(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        connection.finish()
        self.assertEqual(len(self.successResultOf(request).result.earlier), 2)

    def test_credentials_stay_where_they_are_for(self) -> None:
        request = self.get("http://me:pw@LOCALHOST/", more_to_come=True)
        ours = b"\r\nAuthorization: Basic bWU6cHc=\r\n"
        connection = self.network.accept()
        self.assertIn(ours, connection.take_request())
        for location, shown in {
            "/b": ours,
            # The same, in other letters.
            "http://localhost:80/": ours,
            "http://you:x@localhost/": b"\r\nAuthorization: Basic eW91Ong=\r\n",
        }.items():
            connection.answer(redirect(location))
            self.assertIn(shown, connection.take_request())
        connection.answer(redirect("http://localhost:81/", "Connection: close"))
        connection.finish()
        connection = self.network.accept()
        self.assertNotIn(b"Authorization", connection.take_request())
        request.addErrback(lambda _: None).cancel()
        connection.finish()

    def test_its_body_is_nobodys(self) -> None:
        large = redirect("/b").replace(b"Length: 0", b"Length: 99")
        endless = b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n" + b"x" * 11
        for answer in (large, endless):
            request = self.get(limits=Limits(body=10))
            connection = self.network.accept()
            connection.take_request()
            connection.answer(answer)
            connection.finish()
            connection = self.network.accept()
            self.assertTrue(connection.take_request().startswith(b"GET /b "))
            connection.answer(OK)
            ended = self.successResultOf(request)
            self.assertEqual(ended.body, b"ok")
            (past,) = ended.result.earlier
            self.assertEqual(
                (past.status, past.error, past.then), (302, None, "redirect")
            )
            self.getter.close()
            connection.finish()

    def test_its_body_counts_where_it_is_the_answer(self) -> None:
        answer = redirect("/b").replace(b"Length: 0", b"Length: 99")
        for options in ({"max_redirects": None}, {"max_redirects": 0}):
            request = self.get(limits=Limits(body=10), **options)
            connection = self.network.accept()
            connection.take_request()
            connection.answer(answer)
            connection.finish()
            kind = (
                TooManyRedirects if options["max_redirects"] == 0 else ResponseTooLarge
            )
            self.ended(request, kind)

    def test_a_loop(self) -> None:
        request = self.get(max_redirects=3)
        connection = self.network.accept()
        for _ in range(4):
            connection.take_request()
            connection.answer(redirect("/a"))
        ended = self.ended(request, TooManyRedirects)
        assert ended.error is not None
        assert ended.last is not None
        self.assertEqual((ended.error.phase, ended.error.exit_code), ("redirect", 47))
        self.assertEqual(str(ended.error), "more than 3 redirects")
        self.assertEqual(len(ended.earlier), 3)
        self.assertEqual(ended.last.raw, redirect("/a"))
        closed = self.getter.close()
        connection.finish()
        self.successResultOf(closed)

    def test_none_allowed(self) -> None:
        request = self.get(max_redirects=0)
        connection = self.network.accept()
        connection.take_request()
        connection.answer(redirect("/a"))
        connection.finish()
        self.ended(request, TooManyRedirects)
        with self.assertRaises(ValueError):
            self.get(max_redirects=-1)

    def test_not_asked_for(self) -> None:
        request = self.get(max_redirects=None)
        connection = self.network.accept()
        connection.take_request()
        connection.answer(redirect("/a"))
        connection.finish()
        self.assertEqual(self.successResultOf(request).status, 302)

    def test_to_what_is_no_url(self) -> None:
        request = self.get()
        connection = self.network.accept()
        connection.take_request()
        connection.answer(redirect("ftp://me:secret@10.0.0.2/", "Connection: close"))
        connection.finish()
        ended = self.ended(request, BadURL)
        self.assertEqual(
            str(ended.error),
            "redirected to ftp://10.0.0.2/: scheme 'ftp': expected http:// or https://",
        )
        self.assertEqual(ended.url, "http://10.0.0.1/a")

    def test_one_deadline_for_all(self) -> None:
        request = self.get(max_time=5.0)
        connection = self.network.accept()
        for n in range(3):
            connection.take_request()
            self.network.advance(2 if n < 2 else 1.0001)
            if n < 2:
                connection.answer(redirect(f"/{n}"))
        self.network.advance(A_TURN)
        connection.finish()
        ended = self.ended(request, DeadlinePassed)
        why = "5 s passed while waiting for the first byte"
        self.assertEqual(str(ended.error), why)
        self.assertEqual(ended.effective_url, "http://10.0.0.1/1")
        self.assertEqual(len(ended.earlier), 2)

    def test_a_redirect_in_the_turn_of_the_deadline(self) -> None:
        request = self.get(max_time=5.0)
        connection = self.network.accept()
        connection.take_request()
        self.network.advance(5.0001)
        connection.answer(redirect("/b", "Connection: close"))
        self.network.advance(A_TURN)
        connection.finish()
        self.ended(request, DeadlinePassed)
        self.assertEqual(len(self.network.attempts), 1)

    def test_get_leaves_no_connection(self) -> None:
        request = get("http://10.0.0.1/", reactor=self.network, max_redirects=5)
        connection = self.network.accept()
        connection.take_request()
        connection.answer(OK)
        self.assertNoResult(request)
        connection.finish()
        self.assertEqual(self.successResultOf(request).body, b"ok")
