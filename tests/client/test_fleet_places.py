"""`get` on a cluster whose workers write to a place by themselves."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import redirect_stderr
from hashlib import sha256
from io import StringIO
from typing import Any
from unittest.mock import patch

from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.many.job_list import JobFile
from nbtwisted.client.options.get import read_options
from nbtwisted.client.places import part_files
from nbtwisted.client.places.part_files import listed
from nbtwisted.client.results.ended import ANSWERED, INTERRUPTED
from nbtwisted.client.running.part import ClientPart, State
from nbtwisted.cluster.errors import ClusterError
from tests import examples
from tests.client import test_fleet
from tests.client.places import ThreadNetwork, forget_memory, in_memory
from tests.client.state_table import moves_in, named
from tests.client.test_fleet import A_WHILE, HOSTS, FleetCase, Taken, urls


class Delivered(Taken):
    """What is told of records that are written elsewhere."""

    def _print(self, index: int, record: bytes) -> None:
        pass


class PlacesCase(FleetCase):
    network: ThreadNetwork

    def setUp(self) -> None:
        super().setUp()
        forget_memory()
        self.addCleanup(forget_memory)
        self.begin_anew()

    def begin_anew(self) -> None:
        self.network = self.clock = ThreadNetwork()
        self.cluster = self.cluster_of(2)
        self.taken = Delivered()
        self._connections.clear()
        self._accepted = 0

    def start(self, jobs: Any, *arguments: str, **more: Any) -> Any:
        if "--output-dir" not in arguments:
            arguments += ("-o", "memory://a")
        return super().start(jobs, *arguments, **more)

    def wait(self, seconds: float = A_WHILE) -> None:
        for _ in range(20):
            self.network.advance(seconds / 20)
            self.network.end_threads()

    def serve_all(self) -> None:
        # Of what was served, nobody has been told yet.
        self.wait()
        super().serve_all()

    def manifest(self) -> Any:
        """The manifest, of which all that it says of its files is true."""
        files = in_memory("a")
        found = json.loads(files["manifest.json"])
        for each in found["files"]:
            data = files[each["name"]]
            self.assertEqual(each["bytes"], len(data))
            self.assertEqual(each["sha256"], sha256(data).hexdigest())
        return found

    def written(self) -> list[dict[str, Any]]:
        """The records in the files that the manifest names, as it lists them."""
        records: list[dict[str, Any]] = []
        positions: list[int] = []
        for each in self.manifest()["files"]:
            lines = in_memory("a")[each["name"]].splitlines()
            records += [json.loads(line) for line in lines]
            positions += listed([each])
        self.assertEqual([record["index"] for record in records], positions)
        return records

    def each_once(self, number: int) -> None:
        self.assertEqual(
            sorted((record["index"], record["body"]) for record in self.written()),
            [(n, f"/{n}") for n in range(number)],
        )
        self.assertEqual(self.taken.ended, dict.fromkeys(range(number), ANSWERED))
        self.assertTrue(self.manifest()["is_complete"])


class WritingTests(PlacesCase):
    def test_each_is_in_one_file(self) -> None:
        self.start(urls(200))
        self.serve_all()
        self.each_once(200)
        # Not many; nobody has waited for others, and nothing else is left.
        self.assertLess(len(in_memory("a")), 7)
        self.assertEqual({name[:4] for name in in_memory("a")}, {"part", "mani"})
        self.assertEqual(self.said, [])
        for each in self.cluster.parts:
            self.assertEqual([head for head in each.sent if "last" in head][1:], [])

    def test_a_file_for_each(self) -> None:
        self.start(urls(3), "--output-dir", "memory://a")
        self.serve_all()
        self.each_once(3)
        self.assertEqual(
            set(in_memory("a")), {"0.jsonl", "1.jsonl", "2.jsonl", "manifest.json"}
        )

    def test_more_is_asked_for_while_others_wait_for_their_file(self) -> None:
        """A worker is sent more than it may have to do, if that was answered."""
        self.start([HOSTS[n % 2] + str(n) for n in range(1000)], "-c", "4")
        for _ in range(4):
            self.serve()
            self.wait(0.25)
        self.assertEqual(self.taken.ended, {})
        self.assertGreater(len(self.sent_to(0)), 100)
        self.wait(part_files.LONGEST)
        self.assertGreater(len(self.taken.ended), 100)
        self.serve_all()
        self.each_once(1000)

    def test_a_slow_place_is_waited_for(self) -> None:
        self.patch(part_files, "MOST", 1)
        self.start([HOSTS[0] + str(n) for n in range(20)], "-c", "2")
        # Nobody ends threads.
        for _ in range(20):
            self.serve()
            self.network.advance(0.01)
        asked = self.sent_to(0)
        self.assertLess(len(asked), 20)
        self.serve_all()
        self.each_once(20)

    def test_what_is_no_request_is_answered_too(self) -> None:
        self.start(["ftp://x", HOSTS[0] + "1"])
        self.serve_all()
        self.assertEqual(self.exit_codes(), {3: 1, 0: 1})
        self.assertEqual(self.manifest()["number"], 2)

    def test_a_list_that_breaks_off_is_not_complete(self) -> None:
        jobs = JobFile(self.network, "/proc/self/mem")
        self.start(jobs)
        self.serve_all()
        self.assertIsNotNone(jobs.error)
        self.assertFalse(self.manifest()["is_complete"])


class RefusedTests(PlacesCase):
    def test_a_place_that_cannot_be_claimed(self) -> None:
        with patch.object(MemoryFileSystem, "pipe", side_effect=OSError(28, "full")):
            self.start(urls(3))
        self.successResultOf(self.running)
        (why,) = self.taken.cannot_write
        self.assertRegex(why, r"^memory://a/\.nbtwisted-[0-9a-f]+: full$")
        self.assertEqual(self.cluster.parts, [])
        self.assertEqual(self.taken.ended, {})

    def test_no_cluster_leaves_nothing(self) -> None:
        self.start(urls(3), connect=lambda *_: fail(ClusterError("nobody there")))
        self.wait()
        self.failureResultOf(self.running, SystemExit)
        self.assertEqual(in_memory("a"), {})

    def test_a_worker_that_has_another_place_of_that_name(self) -> None:
        """Nothing is sent."""
        with patch("nbtwisted.client.places.part_files.check_claim") as check:
            check.side_effect = [None, OSError(2, "not seen", "memory://a")]
            self.start(urls(3))
        self.assertEqual(self.network.attempts, [])
        (why,) = self.taken.cannot_write
        self.assertRegex(why, "^memory://a: worker [01]: not seen$")
        self.running.cancel()
        self.wait()
        self.successResultOf(self.running)
        self.assertEqual(in_memory("a"), {})
        for each in self.cluster.parts:
            self.assertTrue(each.is_over)

    def test_a_worker_that_cannot_write(self) -> None:
        self.start(urls(3))
        with patch.object(
            MemoryFileSystem, "pipe_file", side_effect=OSError(28, "full")
        ):
            self.serve(1)
            self.wait(part_files.LONGEST)
            self.wait()
        (why,) = self.taken.cannot_write
        self.assertRegex(
            why, r"^memory://a/part-[0-9a-f]{8}-1.jsonl: worker [01]: full$"
        )
        self.running.cancel()
        self.wait(2.0)
        self.successResultOf(self.running)
        self.assertEqual(set(self.taken.ended.values()), {INTERRUPTED})

    def test_a_manifest_that_cannot_be_written(self) -> None:
        self.start(urls(3))
        with patch.object(MemoryFileSystem, "mv", side_effect=OSError(28, "full")):
            self.serve_all()
        self.assertEqual(self.taken.cannot_write, ["memory://a/manifest.json: full"])


class LosingTests(PlacesCase):
    def test_what_is_in_no_file_is_done_again(self) -> None:
        self.start(urls(100), "-c", "4")
        self.serve(30)
        self.wait()
        self.cluster.parts[0].lose("it was killed")
        self.serve_all()
        self.each_once(100)

    def test_before_it_was_ready(self) -> None:
        self.start(urls(3), connect=self._connect_and_lose)
        self.serve_all()
        self.each_once(3)

    def _connect_and_lose(self, *_: object) -> Any:
        self.network.callLater(0.001, lambda: self.cluster.parts[0].lose())
        return succeed(self.cluster)

    def test_what_no_worker_does_is_written_here(self) -> None:
        self.start(urls(9))
        for each in self.cluster.parts:
            each.lose()
        self.wait()
        self.wait()
        self.successResultOf(self.running)
        errors = Counter(record["error"]["type"] for record in self.written())
        self.assertEqual(errors, {"WorkerLost": 9})
        self.assertTrue(self.manifest()["is_complete"])

    @settings(max_examples=examples(40))
    @given(
        st.booleans(),
        st.lists(
            st.tuples(
                st.sampled_from(["serve", "wait", "long", "lose"]), st.integers(0, 9)
            ),
            max_size=12,
        ),
    )
    def test_each_once_whatever_is_lost(
        self, is_file_each: bool, steps: list[tuple[str, int]]
    ) -> None:
        forget_memory()
        self.begin_anew()
        arguments = ("--output-dir", "memory://a") if is_file_each else ()
        self.start(urls(30), "-c", "4", "--max-time", "999", *arguments)
        for step, number in steps:
            if step == "serve":
                self.serve(number)
            elif step == "wait":
                self.wait()
            elif step == "long":
                self.wait(part_files.LONGEST)
            elif number == 0:
                self.cluster.parts[0].lose()
        self.serve_all()
        self.each_once(30)


class StoppingTests(PlacesCase):
    def test_what_came_is_written(self) -> None:
        self.start(urls(300), "-c", "4")
        served = self.serve()
        self.wait()
        self.running.cancel()
        self.wait()
        self.accept()
        self.wait()
        self.successResultOf(self.running)
        ended = Counter(self.taken.ended.values())
        self.assertEqual(ended, {ANSWERED: served, INTERRUPTED: 300 - served})
        self.assertFalse(self.manifest()["is_complete"])
        types = Counter(
            (record["error"] or {}).get("type") for record in self.written()
        )
        self.assertEqual(types, {None: served, "Interrupted": 300 - served})

    def test_a_part_that_does_not_write_in_time(self) -> None:
        self.start(urls(9))
        self.serve()
        self.wait()
        self.cluster.parts[0].driver.listener = None
        self.running.cancel()
        self.wait(2.0)
        self.successResultOf(self.running)
        self.parts[0].driver_gone()
        self.assertEqual(len(self.taken.ended), 9)
        self.assertEqual(len(self.written()), 9)

    def test_before_the_place_is_claimed(self) -> None:
        with patch.object(ThreadNetwork, "end_threads"):
            self.start(urls(9))
            self.running.cancel()
        self.wait()
        self.successResultOf(self.running)
        self.assertEqual(self.taken.ended, dict.fromkeys(range(9), INTERRUPTED))

    def test_before_anything_is_sent_nothing_is_left(self) -> None:
        """Not even what was to be said of so many that they are a file."""
        self.patch(part_files, "MOST", 4)
        self.start(urls(9), connect=lambda *_: Deferred())
        self.running.cancel()
        self.wait()
        self.successResultOf(self.running)
        self.assertEqual(self.taken.ended, dict.fromkeys(range(9), INTERRUPTED))
        self.assertEqual(in_memory("a"), {})


class PartTests(PlacesCase):
    def test_a_driver_that_goes_while_the_place_is_opened(self) -> None:
        made: list[object] = []
        self.patch(self, "getter", lambda *_, **how: made.append(how))
        self.start(urls(3), connect=self._connect_and_leave)
        self.assertEqual(made, [])
        self.successResultOf(self.parts[0].ended)
        self.successResultOf(self.parts[1].ended)
        self.running.cancel()
        self.wait()
        self.successResultOf(self.running)

    def _connect_and_leave(self, *_: object) -> Any:
        def leave() -> None:
            for each in self.cluster.parts:
                each.end()

        self.network.callLater(0.0024, leave)
        return succeed(self.cluster)

    def test_a_driver_that_goes_while_answers_wait(self) -> None:
        self.start([HOSTS[0] + str(n) for n in range(50)], "-c", "2")
        self.serve()
        self.wait()
        before = set(in_memory("a"))
        for each in self.cluster.parts:
            each.end()
        self.wait()
        self.accept()
        for one in self.parts:
            self.successResultOf(one.ended)
        self.assertEqual(set(in_memory("a")), before)
        self.running.cancel()
        self.wait(2.0)
        self.successResultOf(self.running)


class TableTests(SynchronousTestCase):
    def test_the_table_of_parts_names_all_moves_and_no_other(self) -> None:
        moves = set()
        for cases in (RefusedTests, StoppingTests, PartTests, test_fleet.PartTests):
            moves |= moves_in(cases, ClientPart, "_state")
        self.assertEqual(sorted(moves), sorted(named(State)))


class OptionsTests(SynchronousTestCase):
    def refused(self, *arguments: str) -> str:
        with redirect_stderr(StringIO()) as stderr, self.assertRaises(SystemExit):
            read_options([*arguments, "http://x"])
        return stderr.getvalue()

    def test_a_place_or_a_path(self) -> None:
        here = read_options(["--cluster", "local", "-o", "s3:/b", "x"])
        self.assertEqual((here.place, here.output), (None, "s3:/b"))
        self.assertTrue(here.in_input_order)
        there = read_options(["--cluster", "local", "-o", "s3://b", "x"])
        self.assertEqual((there.place, there.output), ("s3://b", None))
        self.assertEqual((there.is_file_each, there.in_input_order), (False, False))
        each = read_options(["--cluster", "local", "--output-dir", "s3://b", "x"])
        self.assertEqual((each.place, each.output_dir), ("s3://b", None))
        self.assertTrue(each.is_file_each)

    def test_what_is_refused(self) -> None:
        self.assertIn(
            "error: -o s3://b: expected a path, or --cluster local beside it",
            self.refused("-o", "s3://me:secret@b"),
        )
        self.assertIn(
            "--output-dir s3://b: expected a path, or",
            self.refused("--output-dir", "s3://b"),
        )
        self.assertIn(
            "-o s3://b: expected no --resume beside it",
            self.refused("--cluster", "local", "--resume", "x", "-o", "s3://b"),
        )

    def test_dask_is_expected(self) -> None:
        with patch("nbtwisted.cluster.option.find_spec", return_value=None):
            said = self.refused("--cluster", "local")
        self.assertIn("expected Dask: pip install 'nbtwisted[cluster]'", said)
