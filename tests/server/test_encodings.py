"""Compressed bodies and base64, in memory."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.routes.httpbin.encodings import brotli
from tests.server.every_channel import EveryChannelCase


def unpacked(stream: bytes) -> bytes:
    """The content of a Brotli stream of one stored block: RFC 7932, 9.2."""
    bits = int.from_bytes(stream[:5], "little")
    position = 0

    def take(count: int) -> int:
        nonlocal position
        position += count
        return bits >> (position - count) & ((1 << count) - 1)

    assert take(1) == 0, "a window of 64 KiB"
    assert take(1) == 0, "not the last block"
    nibbles = take(2) + 4
    size = take(4 * nibbles) + 1
    # "If MNIBBLES is greater than 4 and the last nibble is all zeros, the stream should
    # be rejected as invalid."
    assert nibbles == 4 or (size - 1) >> (4 * nibbles - 4), (
        "no more nibbles than needed"
    )
    assert take(1) == 1, "stored"
    start = -(-position // 8)
    assert bits >> position & ((1 << (8 * start - position)) - 1) == 0, "padding"
    assert stream[start + size :] == b"\x03", "an empty last block"
    return stream[start : start + size]


class BrotliTests(SynchronousTestCase):
    def test_as_the_decoder_of_brotli_1_2_takes_it(self) -> None:
        self.assertEqual(brotli(b"a"), b"\x00\x00\x10a\x03")
        self.assertEqual(brotli(b"ab" * 50), b"\x30\x06\x10" + b"ab" * 50 + b"\x03")

    @given(st.binary(min_size=1, max_size=100))
    def test_any(self, plain: bytes) -> None:
        self.assertEqual(unpacked(brotli(plain)), plain)

    def test_sizes(self) -> None:
        for size in [1, 2**16, 2**16 + 1, 2**20, 2**20 + 1, 2**24]:
            plain = b"a" * size
            self.assertTrue(unpacked(brotli(plain)) == plain, size)


class EncodedTests(EveryChannelCase):
    def test_brotli(self) -> None:
        reply = self.ask("/brotli")
        self.assertEqual(reply.headers["content-encoding"], "br")
        self.assertEqual(reply.headers["content-type"], "application/json")
        plain = unpacked(reply.body)
        self.assertIn(b'"brotli": true', plain)
        self.assertIn(b'"method": "GET"', plain)


class Base64Tests(EveryChannelCase):
    def test_decoded(self) -> None:
        for path in ["/base64", "/base64/decode"]:
            for value in ["SGVsbG8=", "SGVsbG8"]:
                reply = self.ask(f"{path}/{value}")
                self.assertEqual((reply.status, reply.body), (200, b"Hello"))
                kind = reply.headers["content-type"]
                self.assertEqual(kind, "text/plain; charset=utf-8")

    def test_bytes_that_are_no_text(self) -> None:
        reply = self.ask("/base64/__79")
        self.assertEqual(reply.body, b"\xff\xfe\xfd")
        self.assertEqual(reply.headers["content-type"], "application/octet-stream")
        self.assertEqual(self.ask("/base64/--79").body, self.ask("/base64/++79").body)

    def test_unreadable(self) -> None:
        for value in ["!!", "a", "a===", "ab=", "=", "%C3%A9", "%ff", "a%0a", "abc=d"]:
            reply = self.ask(f"/base64/{value}")
            self.assertEqual(reply.status, 400, value)
            self.assertIn("SGVsbG8", reply.json()["expected"])
        self.assertEqual(self.ask(f"/base64/{'QUFB' * 4000}").body, b"A" * 12_000)
        self.assertEqual(
            self.ask(f"/base64/{'A' * 20_000}", channels=("ours",)).status, 414
        )

    def test_encoded(self) -> None:
        for escaped, raw in [
            ("Hello", b"Hello"),
            ("%ff%fe", b"\xff\xfe"),
            ("%C3%A9", "é".encode()),
        ]:
            reply = self.ask(f"/base64/encode/{escaped}")
            self.assertEqual(reply.body, urlsafe_b64encode(raw))
            self.assertEqual(self.ask(f"/base64/{reply.body.decode()}").body, raw)
