"""Bodies are unpacked, in bounded steps, or refused by name."""

from __future__ import annotations

import gzip
import random
import sys
import time
import weakref
import zlib
from collections.abc import Callable
from importlib import import_module
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.content_coding import (
    Unpacking,
    content_codings,
    find_codings,
)
from nbtwisted.client.errors import CannotUnpack, UnpacksTooLarge
from tests.guard import ClockCase

CODINGS = find_codings()
TEXT = b"All work and no play makes Jack a dull boy. " * 500
A_LOT = 1 << 24


def raw_deflate(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


def brotli(plain: bytes) -> bytes:
    packed: bytes = import_module("brotli").compress(plain, quality=5)
    return packed


def zstd(plain: bytes, window: int = 0) -> bytes:
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    library = import_module(name)
    options = {library.CompressionParameter.window_log: window}
    packer = library.ZstdCompressor(options=options)
    # Without the size of the whole, which would make the window smaller.
    packed: bytes = packer.compress(plain) + packer.flush()
    return packed


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", lambda plain: gzip.compress(plain, mtime=0)),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "brotli": ("br", brotli),
    "zstd": ("zstd", zstd),
}
KINDS = st.sampled_from(list(PACKERS))
A_SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


def unpacking(body: bytes, *names: str, most: int = A_LOT) -> Unpacking:
    return Unpacking(body, names, CODINGS, most)


def unpacked(body: bytes, *names: str, most: int = A_LOT) -> bytes:
    under_way = unpacking(body, *names, most=most)
    while not under_way.step():
        pass
    return under_way.body


class UnpackingTests(ClockCase):
    def refused(self, body: bytes, *names: str) -> str:
        with self.assertRaises(CannotUnpack) as caught:
            unpacked(body, *names)
        return str(caught.exception)

    @given(st.binary(), st.integers(1, 5000), st.lists(KINDS, max_size=5))
    def test_what_was_packed_comes_back(
        self, plain: bytes, times: int, kinds: list[str]
    ) -> None:
        plain = body = plain * times
        names = []
        for kind in kinds:
            name, pack = PACKERS[kind]
            names.append(name)
            body = pack(body)
        self.assertEqual(unpacked(body, *names), plain)

    @given(st.binary(min_size=1), KINDS, st.data())
    def test_what_was_cut_is_refused(
        self, plain: bytes, kind: str, data: st.DataObject
    ) -> None:
        name, pack = PACKERS[kind]
        packed = pack(plain)
        size = data.draw(st.integers(1, len(packed) - 1))
        self.assertIn("ends before", self.refused(packed[:size], name))

    @given(st.binary(), st.lists(st.sampled_from(list(CODINGS)), max_size=3))
    def test_any_bytes(self, body: bytes, names: list[str]) -> None:
        try:
            unpacked(body, *names)
        except CannotUnpack as error:
            self.assertRegex(str(error), "^the body (is damaged|ends|goes on)")

    @given(st.binary(min_size=5), KINDS)
    def test_what_comes_behind_is_refused(self, behind: bytes, kind: str) -> None:
        name, pack = PACKERS[kind]
        # Neither another member, nor the beginning of one.
        self.refused(pack(TEXT) + b"x" + behind, name)

    def test_sizes_about_that_of_a_piece(self) -> None:
        for size in (65535, 65536, 65537, 65800, 66500, 70000, 98272, 131072, 131100):
            for kind, (name, pack) in PACKERS.items():
                self.assertEqual(unpacked(pack(bytes(size)), name), bytes(size), kind)

    def test_several_members(self) -> None:
        for kind in ("gzip", "zstd"):
            name, pack = PACKERS[kind]
            parts = [b"one, ", b"", TEXT * 50, b"two"]
            packed = b"".join(map(pack, parts))
            self.assertEqual(unpacked(packed, name), b"".join(parts))
        self.assertEqual(unpacked(A_SKIPPABLE_FRAME + zstd(b"a"), "zstd"), b"a")
        self.assertEqual(unpacked(A_SKIPPABLE_FRAME, "zstd"), b"")
        twice = brotli(b"a") * 2
        self.assertIn("damaged br", self.refused(twice, "br"))

    def test_behind_the_end_in_a_piece_of_its_own(self) -> None:
        for kind in ("zlib", "raw deflate", "brotli"):
            name, pack = PACKERS[kind]
            pieces = [gzip.compress(pack(TEXT)), *[gzip.compress(b"x")] * 5]
            text = self.refused(b"".join(pieces), name, "gzip")
            self.assertEqual(text, f"the body goes on behind the end of its {name}")

    def test_a_checksum_behind_a_deflate_that_has_no_header(self) -> None:
        packed = raw_deflate(TEXT)
        self.assertEqual(unpacked(packed + b"1234", "deflate"), TEXT)
        self.refused(packed + b"12345", "deflate")
        # Each byte in a piece of its own, as another coding may give them.
        members = b"".join(gzip.compress(bytes((b,))) for b in packed + b"1234")
        self.assertEqual(unpacked(members, "deflate", "gzip"), TEXT)

    def test_zlib_by_the_name_of_gzip(self) -> None:
        self.assertEqual(unpacked(zlib.compress(TEXT), "gzip"), TEXT)

    def test_nothing_in_another_coding(self) -> None:
        self.assertEqual(unpacked(gzip.compress(b""), "br", "gzip"), b"")

    def test_damage(self) -> None:
        packed = bytearray(gzip.compress(TEXT))
        packed[-6] ^= 1
        for body, name, text in [
            (bytes(packed), "gzip", "the body is damaged gzip: incorrect data check"),
            (b"hello", "gzip", "the body is damaged gzip: incorrect header check"),
            (b"garbage garbage", "br", "the body is damaged br: decoder failed"),
            (b"hello", "zstd", "the body is damaged zstd: "),
            (zstd(TEXT, window=24), "zstd", "too much memory"),
        ]:
            self.assertIn(text, self.refused(body, name))
        self.assertEqual(unpacked(zstd(TEXT, window=23), "zstd"), TEXT)

    def test_bombs(self) -> None:
        for kind, (name, pack) in PACKERS.items():
            bomb = pack(bytes(2_000_000))
            with self.assertRaises(UnpacksTooLarge) as caught:
                unpacked(bomb, name, most=1_999_999)
            self.assertEqual(
                str(caught.exception),
                f"the body of {len(bomb):,} bytes unpacks to more than 1,999,999: "
                f"more than {1_999_999 // len(bomb):,} to 1",
                kind,
            )
            self.assertEqual(len(unpacked(bomb, name, most=2_000_000)), 2_000_000)

    def test_no_coding_gives_more_than_the_body_may_have(self) -> None:
        # They would end in nothing, and take long for it.
        skipped = A_SKIPPABLE_FRAME * 100_000
        for body, names in [
            (gzip.compress(skipped), ("zstd", "gzip")),
            (gzip.compress(gzip.compress(bytes(A_LOT))), ("gzip", "gzip")),
        ]:
            with self.assertRaises(UnpacksTooLarge):
                unpacked(body, *names, most=1_000_000)

    def test_unknown_codings(self) -> None:
        for name, shown in [("compress", "compress"), ("a\x1b" * 99, r"a\x1b")]:
            text = self.refused(TEXT, name)
            self.assertTrue(text.startswith(f"content-encoding '{shown}"), text)
            self.assertTrue(text.endswith("': expected gzip, deflate, br or zstd"))
        self.assertLess(len(self.refused(TEXT, "x" * 1000)), 200)
        # Whatever there is besides.
        self.assertIn("'foo'", self.refused(gzip.compress(TEXT), "foo", "gzip"))

    def test_too_many_codings(self) -> None:
        body = TEXT
        for _ in range(5):
            body = gzip.compress(body)
        self.assertEqual(unpacked(body, *["gzip"] * 5), TEXT)
        text = self.refused(gzip.compress(body), *["gzip"] * 6)
        self.assertEqual(text, "6 content codings: expected 5 at most")


class StepTests(ClockCase):
    """Steps are bounded by their work, whatever comes of it."""

    def steps(self, body: bytes, *names: str) -> tuple[int, float]:
        """How many there are, and the seconds of the median one."""
        under_way = unpacking(body, *names, most=1 << 28)
        seconds = []
        is_whole = False
        while not is_whole:
            began = time.perf_counter()
            is_whole = under_way.step()
            seconds.append(time.perf_counter() - began)
        return len(seconds), sorted(seconds)[len(seconds) // 2]

    def test_a_small_body_takes_one(self) -> None:
        for name, pack in PACKERS.values():
            self.assertTrue(unpacking(pack(TEXT), name).step())

    def test_a_large_body_takes_many(self) -> None:
        for name, pack in PACKERS.values():
            packed = pack(bytes(20_000_000))
            number, median = self.steps(packed, name)
            self.assertGreater(number, 20_000_000 / 400_000, name)
            self.assertLess(median, 0.05, name)

    def test_much_that_does_not_pack(self) -> None:
        plain = random.Random(1).randbytes(2_000_000)
        for name, pack in PACKERS.values():
            number, _ = self.steps(pack(plain), name)
            self.assertGreater(number, 60, name)

    def test_much_that_unpacks_to_nothing(self) -> None:
        a_member = gzip.compress(b"")
        for body, names in [
            (a_member * 10_000, ("gzip",)),
            (A_SKIPPABLE_FRAME * 10_000, ("zstd",)),
            (gzip.compress(a_member * 10_000), ("gzip", "gzip")),
            (gzip.compress(zstd(b"") * 10_000), ("br", "zstd", "gzip")),
        ]:
            number, median = self.steps(body, *names)
            self.assertGreater(number, 200, names)
            self.assertLess(median, 0.05, names)

    def test_one_that_is_given_up_is_gone_at_once(self) -> None:
        under_way = unpacking(gzip.compress(bytes(1_000_000)), "gzip")
        self.assertFalse(under_way.step())
        gone = weakref.ref(under_way)
        del under_way
        self.assertIsNone(gone())


class CodingTests(ClockCase):
    def test_those_of_a_head(self) -> None:
        for values, names in [
            ([], []),
            ([""], []),
            (["identity"], []),
            (["none"], []),
            (["GZIP"], ["gzip"]),
            (["x-gzip"], ["gzip"]),
            (["deflate, br"], ["deflate", "br"]),
            (["deflate", "identity,\tbr,,"], ["deflate", "br"]),
            (["gzip;q=1"], ["gzip;q=1"]),
            (["\xff"], ["\xff"]),
        ]:
            headers = [
                ("Content-Type", "gzip"),
                *(("content-ENCODING", v) for v in values),
            ]
            self.assertEqual(content_codings(headers), names)

    def test_in_the_order_in_which_they_are_asked_for(self) -> None:
        self.assertEqual(list(CODINGS), ["gzip", "deflate", "br", "zstd"])

    def test_without_their_libraries(self) -> None:
        gone = dict.fromkeys(("brotli", "compression.zstd", "backports.zstd"))
        with mock.patch.dict(sys.modules, gone):
            codings = find_codings()
        self.assertEqual(list(codings), ["gzip", "deflate"])
        for name, expected in [
            ("br", "no coding that needs nbtwisted[compressed]"),
            ("compress", "gzip or deflate"),
        ]:
            with self.assertRaises(CannotUnpack) as caught:
                Unpacking(TEXT, [name], codings, A_LOT).step()
            self.assertEqual(
                str(caught.exception), f"content-encoding '{name}': expected {expected}"
            )

    def test_with_a_library_that_cannot_be_bounded(self) -> None:
        class Old:
            class Decompressor:
                """Has `process` and `is_finished` alone."""

        with mock.patch.dict(sys.modules, {"brotli": Old}):
            self.assertNotIn("br", find_codings())
