"""What `nbtwisted ps` shows: a snapshot as lines, with made snapshots."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.reactor.ps.tree import Style, report, seconds


def node(kind: str, name: str = "", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "count": 1, **more}


HANGS = {
    "version": 1,
    "pid": 4711,
    "argv": ["app.py", "--fast"],
    "python": "3.11.7",
    "twisted": "26.10.0",
    "reactor": "EagerEPollReactor",
    "running": True,
    "stopped_for": 0.0031,
    "stack": [["/lib/traced_calls.py", 101, "TimedPoll.poll"]],
    "waiting": [
        node(
            "coroutine",
            "app.main",
            file="/srv/app.py",
            line=12,
            since=75.0,
            count=3,
            made={"file": "/srv/run.py", "line": 3},
            waits_for=[
                node(
                    "inlineCallbacks",
                    "app.fetch",
                    file="/srv/app.py",
                    line=22,
                    waits_for=[
                        node(
                            "deferred",
                            made={"file": "/srv/app.py", "line": 30},
                            fired_by={"kind": "nobody"},
                            then=["app.parse", "app.store"],
                        )
                    ],
                ),
                node("task", "poll", fired_by={"kind": "task", "name": "other"}),
            ],
        )
    ],
    "left_out": 7,
    "delayed_calls": [{"name": "LoopingCall -> app.tick", "in": 0.5, "count": 2}],
    "listening": [{"address": "127.0.0.1:8000 (TCP)", "factory": "Site"}],
    "connections": [
        {"protocol": "HTTPChannel", "peer": "127.0.0.1:4000", "count": 2},
        {"protocol": "Echo", "peer": "a", "local": "b", "count": 1},
    ],
    "processes": [{"name": "sleep", "pid": 77}],
    "pool": {
        "threads": 2,
        "working": 1,
        "queued": 0,
        "jobs": [{"name": "app.block", "file": "/srv/app.py", "line": 9}],
    },
}
SHOWN = """\
PID 4711: app.py --fast
Python 3.11.7, Twisted 26.10.0, EagerEPollReactor running, stood still for 3.1 ms to \
tell this

What it waits for:
3 x coroutine app.main at /srv/app.py:12, for 75 s, begun at /srv/run.py:3
├── inlineCallbacks app.fetch at /srv/app.py:22
│   └── Deferred, never fired, made at /srv/app.py:30 (nobody is left who could fire \
it), then app.parse, app.store
└── task poll, fired by the task other
(and 7 more)

Delayed calls:
  in 500 ms: 2 x LoopingCall -> app.tick

Listening:
  127.0.0.1:8000 (TCP): Site

Connections:
  2 x HTTPChannel with 127.0.0.1:4000
  Echo with a at b

Processes:
  PID 77: sleep

Thread pool:
  2 threads, 1 at work, 0 jobs wait
  app.block at /srv/app.py:9
"""


def shown(*waiting: Any, **more: Any) -> list[str]:
    """What is shown of these nodes."""
    lines = report({"waiting": list(waiting), **more}, Style())
    return lines[lines.index("What it waits for:") + 1 :]


class TreeTests(SynchronousTestCase):
    maxDiff = None

    def test_all_that_there_can_be(self) -> None:
        self.assertEqual("\n".join(report(HANGS, Style())) + "\n", SHOWN)

    def test_a_program_that_waits_for_nothing(self) -> None:
        lines = report({"pid": 1, "argv": ["x"], "python": "3.13.0"}, Style())
        self.assertEqual(lines[0], "PID 1: x")
        self.assertIn("no reactor", lines[1])
        self.assertNotIn("stood still", lines[1])
        self.assertEqual(lines[2:], ["", "It waits for no Deferred."])

    def test_who_will_fire_it(self) -> None:
        for by, text in (
            ({"kind": "delayed call", "in": 2.5, "name": "f"}, "a delayed call in 2.5"),
            ({"kind": "socket", "peer": "1.2.3.4:5"}, "the connection with 1.2.3.4:5"),
            (
                {"kind": "thread", "name": "job", "file": "/a.py", "line": 3},
                "a thread's job job at /a.py:3",
            ),
            ({"kind": "process", "name": "ls", "pid": 3}, "the process ls (PID 3)"),
            (
                {"kind": "socket", "peer": "a", "name": "Web", "held_by": "Web.first"},
                "the connection with a (Web), held by Web.first",
            ),
            ({"kind": "unknown"}, "what is not known"),
            (
                {"kind": "unknown", "held_by": "Pool.waiters", "within": "app.pool"},
                "what can reach it: Pool.waiters in app.pool",
            ),
            ({"kind": "news of a later version"}, "what is not known"),
        ):
            [line, *_] = shown(node("deferred", fired_by=by))
            self.assertIn(f"Deferred, fired by {text}", line)
        self.assertEqual(
            shown(node("deferred", fired_by=None)), ["Deferred, not fired yet"]
        )
        timeout = {"kind": "delayed call", "in": 9, "name": "f", "timeout": True}
        self.assertEqual(
            shown(node("deferred", fired_by=timeout)),
            ["Deferred, given up by a timeout in 9 s"],
        )

    def test_a_deferred_that_waits_for_another(self) -> None:
        another = node("deferred", "Deferred", fired_by={"kind": "nobody"})
        lines = shown(node("deferred", "DeferredList", waits_for=[another]))
        self.assertEqual(lines[0], "Deferred DeferredList")
        self.assertEqual(
            lines[1], "└── Deferred, never fired (nobody is left who could fire it)"
        )

    def test_a_future(self) -> None:
        [line] = shown(node("deferred", "asyncio.Future", count=2, fired_by=None))
        self.assertEqual(line, "2 x asyncio.Future, not fired yet")

    def test_a_circle(self) -> None:
        [line] = shown(node("coroutine", "f", circle=True))
        self.assertEqual(line, "coroutine f, in a circle with what is above")

    def test_how_to_know_where_a_deferred_was_made(self) -> None:
        nobody = {"kind": "nobody"}
        made = {"file": "/a.py", "line": 1}
        told = shown(node("task", waits_for=[node("deferred", fired_by=nobody)]))
        self.assertIn("imports nbtwisted.reactor.inspect first", told[-1])
        told = shown(node("deferred", fired_by=nobody, made=made))
        self.assertEqual(len(told), 1)
        told = shown(node("deferred", "asyncio.Future", fired_by=nobody))
        self.assertEqual(len(told), 1)

    def test_a_program_that_blocks(self) -> None:
        importing = ["<frozen importlib._bootstrap>", 1, "_find_and_load"]
        stack = [importing, ["/srv/app.py", 7, "app.block"], ["/x.py", 1, "run"]]
        self.assertEqual(
            report({"stack": stack}, Style())[3:6],
            [
                "It handles no event meanwhile, but is at:",
                "  app.block at /srv/app.py:7",
                "  run at /x.py:1",
            ],
        )

    def test_no_line_is_wider_than_the_screen(self) -> None:
        for width in (40, 60, 80):
            lines = report(HANGS, Style(width))
            self.assertLessEqual(max(map(len, lines)), width)
            together = "".join(lines).replace(" ", "").replace("│", "")
            self.assertEqual(together, SHOWN.translate({10: "", 32: "", 0x2502: ""}))

    def test_a_screen_that_is_too_narrow_for_the_tree(self) -> None:
        deep = node("deferred")
        for _ in range(300):
            deep = node("coroutine", "f", waits_for=[deep])
        lines = report({"waiting": [deep]}, Style(20))
        self.assertGreater(len(lines), 200)

    def test_a_stream_without_characters_for_lines(self) -> None:
        lines = report(HANGS, Style.ascii(None, str))
        self.assertTrue("\n".join(lines).isascii())
        self.assertIn("|   `-- Deferred", "\n".join(lines))

    def test_what_a_program_has_for_names_cannot_act_on_a_terminal(self) -> None:
        evil = "\x1b[2J\u202e"
        hostile = node(
            "deferred",
            evil,
            file=evil,
            line=1,
            then=[evil],
            made={"file": evil, "line": 1},
            fired_by={"kind": "socket", "peer": evil, "name": evil},
        )
        lines = shown(
            hostile,
            argv=[evil],
            stack=[[evil, 1, evil]],
            delayed_calls=[{"name": evil, "in": 1}],
            connections=[{"protocol": evil, "peer": evil}],
            listening=[{"address": evil, "factory": evil}],
        )
        self.assertTrue(all(line.isprintable() for line in lines))

    def test_what_is_no_snapshot_is_left_out(self) -> None:
        keys = ("kind", "name", "file", "line", "since", "count", "then", "made")
        nan: list[Any] = [float("nan"), float("inf"), 10**400]
        for junk in (None, 1, "x", [], {}, [None], [{}], [[1]], {"a": []}, *nan):
            wrong = dict.fromkeys(HANGS, junk)
            self.assertGreater(len(report(wrong, Style())), 2)
            wrong = dict.fromkeys((*keys, "fired_by", "waits_for"), junk)
            self.assertGreater(len(shown(wrong)), 0)
            wrong = {"fired_by": {"kind": "process", "pid": junk, "in": junk}}
            self.assertGreater(len(shown(wrong)), 0)


class SecondsTests(SynchronousTestCase):
    def test_as_people_say_it(self) -> None:
        for duration, text in (
            (0.0031, "3.1 ms"),
            (0.9999, "1 s"),
            (12.34, "12.3 s"),
            (99.96, "1 min 40 s"),
            (119.9, "2 min 0 s"),
            (7384, "2 h 3 min"),
            (200000, "2 days"),
            (-1.5, "-1.5 s"),
        ):
            self.assertEqual(seconds(duration), text)
