"""Upstreams as people type them, and as they mistype them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.proxy.stream.place import Upstream

EXPECTED = "expected tcp://host:port or tls+tcp://host:port"


class UpstreamTests(SynchronousTestCase):
    def test_what_can_be_read(self) -> None:
        for text, upstream in [
            ("tcp://db:5432", Upstream("db", 5432)),
            ("TCP://DB:5432/", Upstream("db", 5432)),
            ("tls+tcp://[::1]:6379", Upstream("::1", 6379, is_tls=True)),
            ("tcp://127.1:80", Upstream("127.0.0.1", 80)),
        ]:
            with self.subTest(text):
                self.assertEqual(Upstream.parse(text), upstream)

    def test_it_is_shown_as_it_is_typed(self) -> None:
        for text in ("tcp://db:5432", "tls+tcp://[::1]:6379"):
            self.assertEqual(str(Upstream.parse(text)), text)

    def test_what_cannot_be_read(self) -> None:
        for text, wrong in [
            ("db:5432", "'db:5432'"),
            ("http://db:5432", "'http://db:5432'"),
            ("tcp://db", "there is no port"),
            ("tcp://db:", "there is no port"),
            ("tcp://:5432", "no host"),
            ("tcp://db:0", "the port cannot be read"),
            ("tcp://db:99999", "the port cannot be read"),
            ("tcp://me:secret@db:5432", "there are credentials in it"),
            ("tcp://db:5432/a", "there is a path behind the port"),
            ("tcp://db:5432?a", "there is a path behind the port"),
            ("tcp://d\r\nb:5432", "host 'd"),
            ("me:secret@db:5432", "'db:5432'"),
            ("", "''"),
        ]:
            with self.subTest(text):
                error = self.assertRaises(ValueError, Upstream.parse, text)
                self.assertIn(wrong, str(error))
                self.assertIn("expected", str(error))
                self.assertNotIn("secret", str(error))
                self.assertNotIn("http://host", str(error))
