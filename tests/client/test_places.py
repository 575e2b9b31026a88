"""Places that fsspec knows, and who may write there."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

from nbtwisted.client.places import places
from nbtwisted.client.places.claim import check_claim, claim, release
from nbtwisted.client.places.places import Place, in_thread, is_place, open_place
from tests.client.places import ThreadClock, forget_memory, in_memory
from tests.guard import ClockCase


class ObjectStore(MemoryFileSystem):  # type: ignore[misc]
    """As S3: it has no folders, and a file is there when it was closed."""

    protocol = "objects"
    async_impl = True

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("objects://")))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        raise PermissionError("a bucket for somebody")

    def mv(self, *args: Any, **kwargs: Any) -> None:
        raise PermissionError("a copy of a large file")


class Refusing(ObjectStore):
    """One that lets nobody write, and says so in words of its own."""

    protocol = "refusing"

    def pipe(self, *args: Any, **kwargs: Any) -> None:
        raise KeyError("no\x1bcredentials")

    def rm_file(self, path: str) -> None:
        raise NotImplementedError


class PlacesCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        forget_memory()
        self.addCleanup(forget_memory)
        for store in (ObjectStore, Refusing):
            fsspec.register_implementation(store.protocol, store, clobber=True)
        around = tempfile.TemporaryDirectory()
        self.addCleanup(around.cleanup)
        self.around = Path(around.name)

    def fails(self, url: str, reason: str, call: Any, *args: Any) -> None:
        with self.assertRaises(OSError) as caught:
            call(*args)
        error = caught.exception
        self.assertEqual((error.filename, error.strerror), (url, reason))


class PlaceTests(PlacesCase):
    def test_which_texts_are_places(self) -> None:
        for text in ("s3://b/k", "file:///a", "a+b-1.x://", "memory://a\nb"):
            self.assertTrue(is_place(text), text)
        for text in ("a", "/a", "./s3://b", "C:/a", "://a", "1://a", "file:/a", ""):
            self.assertFalse(is_place(text), text)

    def writes(self, place: Place) -> None:
        place.put({"0.raw": b"longer", "1.raw": b""})
        place.put({"0.raw": b"short"})
        place.put_whole("m.json", iter((b"{", b"}")))
        self.assertEqual(place.read("0.raw"), b"short")
        self.assertEqual(place.read("1.raw"), b"")
        self.assertEqual(place.read("m.json"), b"{}")
        self.assertIsNone(place.read("2.raw"))
        place.remove("0.raw")
        self.assertIsNone(place.read("0.raw"))
        with self.assertRaises(OSError) as caught:
            place.remove("0.raw")
        self.assertTrue(caught.exception.filename.endswith("/0.raw"))

    def test_in_memory(self) -> None:
        self.writes(open_place("memory://a/b/"))
        self.assertEqual(in_memory("a/b"), {"1.raw": b"", "m.json": b"{}"})

    def test_in_an_object_store(self) -> None:
        self.writes(open_place("objects://a/b"))

    def test_in_a_folder(self) -> None:
        path = self.around / "new" / "folder"
        for scheme in ("file", "local"):
            place = open_place(f"{scheme}://{path}/")
            self.assertEqual(place.url, f"{scheme}://{path}")
            self.writes(place)
            self.assertEqual(sorted(os.listdir(path)), ["1.raw", "m.json"])

    def test_what_others_have_put_into_a_folder(self) -> None:
        place = open_place(f"file://{self.around}")
        outside, name = str(self.around / "precious"), str(self.around / "0.raw")
        place.put({"precious": b"precious"})
        os.symlink(outside, name)
        for call in (place.read, lambda name: place.put({name: b"x"})):
            self.fails(name, "it is a symbolic link", call, "0.raw")
        # What replaces a link does not follow it.
        place.put_whole("0.raw", (b"x",))
        self.assertEqual(place.read("precious"), b"precious")

    def test_one_that_cannot_be_written(self) -> None:
        for path in ("/proc/x", "/dev/null/x"):
            with self.assertRaises(OSError) as caught:
                open_place(f"file://{path}")
            self.assertEqual(caught.exception.filename, f"file://{path}")
        place = open_place("refusing://me:secret@a/b")
        self.fails(
            "refusing://a/b/0.raw", r"'no\x1bcredentials'", place.put, {"0.raw": b""}
        )
        self.fails(
            "refusing://a/b", r"'no\x1bcredentials'", place.put, {"0": b"", "1": b""}
        )
        self.fails("refusing://a/b/0.raw", "NotImplementedError", place.remove, "0.raw")

    def test_what_is_no_place(self) -> None:
        for url, reason in (
            ("memory://", "expected a folder behind memory://"),
            ("s3:///", "expected a folder behind s3://"),
            ("zip://a::s3://b/k", "expected a single URL, without ::"),
            ("file://a/b", "expected three slashes: file:///a/b"),
            (
                "nope://a/b",
                "expected a protocol that fsspec knows, such as s3, gs or file",
            ),
        ):
            self.fails(url, reason, open_place, url)

    def test_a_protocol_whose_package_is_missing(self) -> None:
        text = "Please install s3fs to access S3"
        with patch("fsspec.get_filesystem_class", side_effect=ImportError(text)):
            self.fails("s3://b/k", text, open_place, "s3://b/k")

    def test_a_file_is_whole_or_not_there(self) -> None:
        place = open_place("memory://a/")
        self.assertEqual(place.url, "memory://a")

        def pieces() -> Iterator[bytes]:
            yield b"half"
            self.assertIsNone(place.read("m.json"))
            raise OSError(28, "y" * 1000)

        with self.assertRaises(OSError) as caught:
            place.put_whole("m.json", pieces())
        self.assertIsNone(place.read("m.json"))
        self.assertLess(len(str(caught.exception)), 500)


class ClaimTests(PlacesCase):
    def test_what_is_claimed_is_seen_by_all(self) -> None:
        place = open_place("memory://a")
        name = claim(place)
        check_claim(open_place("memory://a"), name)
        self.assertEqual(list(in_memory("a")), [name])
        release(place, name)
        release(place, name)
        self.assertEqual(in_memory("a"), {})

    def test_another_place_of_the_same_name(self) -> None:
        name = claim(open_place("memory://a"))
        self.fails(
            "memory://b",
            "what another machine has written there is not seen from this one: "
            "expected a place that all of them share",
            check_claim,
            open_place("memory://b"),
            name,
        )
        open_place("memory://b").put({name: b"another's"})
        with self.assertRaises(OSError):
            check_claim(open_place("memory://b"), name)

    def test_it_can_be_read_and_not_written(self) -> None:
        place = open_place("refusing://a")
        with (
            patch.object(place, "read", lambda name: name.encode()),
            self.assertRaises(OSError) as caught,
        ):
            check_claim(place, "claim")
        self.assertIn("refusing://a/claim-", caught.exception.filename)

    def test_an_earlier_run_is_not_overwritten(self) -> None:
        place = open_place("memory://a")
        place.put({"manifest.json": b""})
        self.fails(
            "memory://a/manifest.json",
            "it is there already: expected a folder without one",
            claim,
            place,
        )


class InThreadTests(PlacesCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock: ThreadClock = ThreadClock()

    def test_it_fires_in_the_thread_of_the_reactor(self) -> None:
        called = in_thread(self.clock, "s3://a", threading.current_thread)
        self.assertNoResult(called)
        self.clock.end_thread()
        # A process that ends does not wait for it.
        self.assertTrue(self.successResultOf(called).daemon)

    def test_all_errors_are_of_one_kind(self) -> None:
        for error in (ZeroDivisionError("why"), OSError(5, "why", "s3://a")):

            def fail(error: Exception = error) -> None:
                raise error

            called = in_thread(self.clock, "s3://me:secret@a", fail)
            self.clock.end_thread()
            failure = self.failureResultOf(called, OSError).value
            assert isinstance(failure, OSError)
            self.assertEqual((failure.filename, failure.strerror), ("s3://a", "why"))

    def test_it_hangs(self) -> None:
        called = in_thread(self.clock, "s3://me:secret@a", lambda: 7)
        self.clock.advance(places.PATIENCE)
        failure = self.failureResultOf(called, OSError).value
        assert isinstance(failure, OSError)
        self.assertEqual(failure.filename, "s3://a")
        self.assertEqual(failure.strerror, "it takes longer than 60 s")
        # Too late, and of no interest.
        self.clock.end_thread()
