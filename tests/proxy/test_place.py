"""Upstreams as people type them: where they are, or what was wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.target import Origin
from nbtwisted.proxy.place import parse_upstream
from nbtwisted.proxy.stream.place import Upstream

READABLE = {
    "http://a": Origin(False, "a", 80),
    "http://a/": Origin(False, "a", 80),
    "HTTP://A:8000": Origin(False, "a", 8000),
    "https://a": Origin(True, "a", 443),
    "https://[::1]:8443/": Origin(True, "::1", 8443),
    "tcp://localhost:5432": Upstream("localhost", 5432),
    "tcp://[::1]:6379": Upstream("::1", 6379),
    "tls+tcp://db.test:5432": Upstream("db.test", 5432, is_tls=True),
}

UNREADABLE = {
    "": "there is no scheme: expected http://host[:port], https://host[:port], "
    "tcp://host:port or tls+tcp://host:port",
    "localhost:8000": "there is no scheme: expected http://",
    "user:secret@a": "there is no scheme",
    "ftp://a": "no such scheme: expected http://host[:port], ",
    "http+unix://a": "no such scheme",
    "http://": "no host: expected http://host[:port] or https://host[:port]",
    "http://a/api": "there is a path in it: expected http://host[:port] or ",
    "http://a//": "there is a path in it",
    "http://a?b=1": "there is a query in it",
    "http://a/?": "there is a query in it",
    "http://a#b": "there is a fragment in it",
    "http://user:secret@a": "there are credentials in it: expected them in the "
    "Authorization of the requests",
    "http://a:secret": "the port cannot be read: expected a number from 1 to 65535",
    "http://a:65536": "the port cannot be read",
    "http://a:0": "the port cannot be read",
    "http://a b": "expected no spaces",
    "http://a\r\nb": "expected no spaces and no control characters",
    "tcp://a": "there is no port: expected tcp://host:port or tls+tcp://host:port",
    "tcp://a:": "there is no port",
    "tcp://a:99999": "the port cannot be read: expected a number from 1 to 65535",
    "tcp://a:1/x": "there is a path behind the port",
    "tcp://user:secret@a:1": "there are credentials in it",
    "tcp://:1": "no host: expected tcp://host:port",
    "tcp://::1:5": "an IPv6 address in brackets",
}


class PlaceTests(SynchronousTestCase):
    def test_where_they_are(self) -> None:
        for text, expected in READABLE.items():
            self.assertEqual(parse_upstream(text), expected, text)

    def test_what_was_wrong(self) -> None:
        for text, expected in UNREADABLE.items():
            with self.assertRaises(ValueError) as caught:
                parse_upstream(text)
            said = str(caught.exception)
            self.assertIn(expected, said, text)
            self.assertNotIn("\n", said)
            if "@" in text:
                self.assertNotIn("secret", said)

    @given(
        st.text(max_size=30), st.sampled_from(["", "http://", "tcp://", "tls+tcp://"])
    )
    def test_whatever_is_typed(self, text: str, scheme: str) -> None:
        try:
            found = parse_upstream(scheme + text)
        except ValueError as error:
            self.assertTrue(str(error).isprintable(), str(error))
        else:
            self.assertTrue(0 < found.port < 65536)
