"""The file of a recording, the memory that it takes, and its exchanges' lives."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from nbtwisted.client.errors import ConnectFailed
from nbtwisted.proxy.recording.exchange import (
    IllegalTransition,
    Life,
    RecordedExchange,
)
from tests.client.state_table import moves_in, named
from tests.full_disk import files_of_at_most
from tests.proxy.recording.archives import URL, RecordingCase, head, request
from tests.test_json_list_file import in_a_fork


class MemoryTests(RecordingCase):
    def test_bodies_are_cut_when_too_much_is_under_way(self) -> None:
        self.make(most=1000, most_held=26_000)
        under_way = []
        for _ in range(6):
            recorded = self.recorder.begin(request(), URL)
            recorded.asked()
            recorded.head(head())
            recorded.piece(b"x" * 1000)
            recorded.piece(b"y" * 1000)
            under_way.append(recorded)
        self.assertLessEqual(self.recorder._memory.held, 26_000 * 5 // 4)
        for recorded in under_way:
            recorded.end(None)
        contents = [each["response"]["content"] for each in self.entries()]
        lengths = [len(content.get("text", "")) for content in contents]
        self.assertEqual(lengths[0], 1000)
        self.assertLess(lengths[-1], 1000)
        self.assertEqual({content["size"] for content in contents}, {2000})
        self.assertEqual(self.told, [])

    def test_what_comes_behind_a_gap_is_not_kept(self) -> None:
        self.make(most_held=12_000)
        first, second = (self.recorder.begin(request(), URL) for _ in range(2))
        for recorded in (first, second):
            recorded.asked()
            recorded.head(head())
        second.piece(b"a" * 9000)
        second.piece(b"b" * 9)
        first.end(None)
        self.wait_until_written(1)
        second.piece(b"c" * 9)
        second.end(None)
        text = self.entries()[1]["response"]["content"]["text"]
        self.assertEqual({*text}, {"a"})
        self.assertLess(len(text), 9000)

    def test_what_there_is_no_room_for_at_all(self) -> None:
        self.make(most_held=10_000)
        begun = [self.recorder.begin(request(), URL) for _ in range(4)]
        long = head(("X", "x" * 5000))
        for recorded in begun:
            recorded.asked()
            recorded.request_piece(b"a" * 10)
            recorded.head(long)
            recorded.piece(b"b" * 10)
        for recorded in begun:
            recorded.end(None)
        # What nobody will read is not kept.
        self.assertEqual(begun[0]._passed.sent.content, b"")
        found = len(self.entries())
        self.assertEqual(found + self.recorder.lost, 4)
        self.assertGreater(self.recorder.lost, 0)
        (slowly,) = self.told
        self.assertIn(f"too much waits to be written to {self.path}", slowly)
        said = f"{self.recorder.lost} exchanges are not in {self.path}"
        self.assertEqual(self.recorder.close(), said)

    def test_many_small_pieces_take_no_more_than_their_bytes(self) -> None:
        recorded = self.recorder.begin(request(), URL)
        recorded.asked()
        recorded.head(head())
        before = self.recorder._memory.held
        for _ in range(1000):
            recorded.piece(b"x")
        self.assertEqual(self.recorder._memory.held - before, 1000)
        recorded.end(None)
        self.assertEqual(self.entry()["response"]["content"]["size"], 1000)


class FileTests(RecordingCase):
    def test_a_folder_that_is_not_there(self) -> None:
        with self.assertRaises(OSError):
            self.make(path="/nowhere/a.har")

    def test_nothing_passed(self) -> None:
        self.assertEqual(self.entries(), [])
        self.assertEqual(self.recorder.close(), "")

    def test_a_disk_that_fills(self) -> None:
        with files_of_at_most(20_000):
            for _ in range(4):
                self.passes(b"x" * 8000, answer=head())
            said = self.recorder.close()
        self.assertEqual(len(self.entries()), 2)
        self.assertEqual(said, f"2 exchanges are not in {self.path}")
        self.assertEqual(
            self.told,
            [f"cannot write {self.path}: File too large: nothing more is recorded"],
        )
        self.passes(b"x", answer=head())
        self.assertEqual(self.recorder.lost, 3)

    def test_a_disk_that_hangs(self) -> None:
        self.path += ".pipe"
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.make()
        # More than a pipe takes. Nothing waits for it.
        for _ in range(3):
            self.passes(b"x" * 900_000, answer=head())
        said = self.recorder.close(patience=0.05)
        self.assertEqual(said, f"3 exchanges are not in {self.path}")
        self.assertEqual(self.told, [])
        os.close(reader)
        thread = self.recorder._writer._thread
        assert thread is not None
        thread.join(10)
        self.assertFalse(thread.is_alive())

    def test_one_that_is_killed_leaves_what_was_over(self) -> None:
        self.recorder.close()

        def record() -> None:
            self.make()
            for _ in range(3):
                self.passes(b"x" * 1000, answer=head())
            self.wait_until_written(3)
            os.kill(os.getpid(), signal.SIGKILL)

        self.assertEqual(in_a_fork(record), signal.SIGKILL)
        archive = json.loads(Path(self.path).read_bytes())
        self.assertEqual(len(archive["log"]["entries"]), 3)

    def test_an_entry_that_cannot_be_made(self) -> None:
        self.passes(answer=head(), url="http://[::1/")
        self.passes(b"x", answer=head())
        self.assertEqual(self.entry()["request"]["url"], URL)
        self.assertEqual(self.recorder.lost, 1)
        (why,) = self.told
        self.assertIn("an exchange cannot be recorded: ValueError", why)
        self.assertEqual(self.recorder.close(), f"1 exchange is not in {self.path}")


class LifeTests(RecordingCase):
    def test_the_table(self) -> None:
        moves = moves_in(Lives, RecordedExchange, "_life")
        self.assertEqual(moves, named(Life))

    def test_what_cannot_happen(self) -> None:
        for calls, event in (
            ([], "head"),
            ([], "piece"),
            ([], "request_piece"),
            (["asked"], "piece"),
            (["asked", "head"], "head"),
            (["asked", "head"], "asked"),
            (["end"], "end"),
            (["end"], "asked"),
            (["asked", "head", "end"], "piece"),
            (["asked", "head", "end"], "request_piece"),
        ):
            recorded = self.recorder.begin(request(), URL)
            for call in calls:
                tell(recorded, call)
            with self.assertRaises(IllegalTransition) as raised:
                tell(recorded, event)
            self.assertIn(event, str(raised.exception))
            if "end" not in calls:
                recorded.end(None)


class Lives(RecordingCase):
    def test_whole(self) -> None:
        recorded = self.recorder.begin(request(), URL)
        for call in ("asked", "request_piece", "head", "piece", "end"):
            tell(recorded, call)

    def test_not_asked_and_not_answered(self) -> None:
        self.recorder.begin(request(), URL).end(None)
        recorded = self.recorder.begin(request(), URL)
        recorded.asked()
        recorded.end(ConnectFailed("it broke"))


def tell(recorded: RecordedExchange, event: str) -> None:
    if event == "head":
        recorded.head(head())
    elif event in ("piece", "request_piece"):
        getattr(recorded, event)(b"x")
    elif event == "end":
        recorded.end(None)
    else:
        recorded.asked()
