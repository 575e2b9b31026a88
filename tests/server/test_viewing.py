"""What a viewer is told of a journal, frame by frame."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.server.engine.journal import JOURNAL_SIZE, Entry, Journal
from nbtwisted.server.routes.viewing import (
    FEW,
    MOST_HELD,
    MOST_ROWS,
    SECONDS_AFTER_END,
    SECONDS_BETWEEN_OVERVIEWS,
    Overview,
    Viewer,
    event,
)
from nbtwisted.server.rules.in_force import Rules
from nbtwisted.server.rules.reading import Reading
from tests.guard import ClockCase

START = 1_800_000_000.0


def no_rules() -> Rules:
    return Rules(lambda: START, Reading(300.0, lambda path: b""))


def entry(
    came: float = START, asked: float | None = 2.0, key: str = "GET /", **more: Any
) -> Entry:
    made = Entry(came, "127.0.0.1", b"GET", b"/", b"HTTP/1.1", b"")
    made.asked, made.own_key = asked, key
    for name, value in more.items():
        setattr(made, name, value)
    return made


class Model:
    """What somebody knows who has seen each frame, as the page does."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.ends: Counter[int] = Counter()
        self.ended = 0

    def take(self, frame: dict[str, Any]) -> None:
        frame = json.loads(json.dumps(frame))
        for told in (*frame["changes"], *frame["rows"]):
            if told["outcome"] != "in flight":
                self.ends[told["id"]] += 1
            assert (told["ended"] is None) == (told["outcome"] == "in flight"), told
        for change in frame["changes"]:
            self.rows[change["id"]].update(change)
        for number in frame["gone"]:
            del self.rows[number]
        for row in frame["rows"]:
            assert row["id"] not in self.rows, row
            self.rows[row["id"]] = row
        self.ended += frame["ended"]
        assert frame["ended"] == sum(frame["statuses"].values())
        in_flight = self.in_flight()
        assert frame["shown"] == len(in_flight) <= MOST_HELD
        assert len(self.rows) <= MOST_ROWS

    def in_flight(self) -> set[int]:
        return {n for n, row in self.rows.items() if row["outcome"] == "in flight"}

    def outcomes(self) -> dict[int, str]:
        return {number: row["outcome"] for number, row in self.rows.items()}


class ViewingCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.journal = Journal()
        self.now = START
        self.watch()

    def watch(self, key: str = "") -> None:
        self.viewer = Viewer(self.journal, Overview(self.journal), no_rules(), key)
        self.model = Model()

    def frame(self, after: float = 0.25) -> dict[str, Any]:
        self.now += after
        frame = self.viewer.frame(self.now, is_draining=False)
        self.model.take(frame)
        return frame

    def begin(self, **more: Any) -> Entry:
        begun = entry(**{"came": self.now, **more})
        self.journal.begin(begun)
        return begun

    def end(self, begun: Entry, outcome: str = "answered", **more: Any) -> None:
        begun.outcome = outcome
        for name, value in more.items():
            setattr(begun, name, value)
        self.journal.end(begun)


class RowsTests(ViewingCase):
    def test_one_that_waits_is_sent_and_ends(self) -> None:
        begun = self.begin(key="a")
        (row,) = self.frame()["rows"]
        self.assertEqual(
            row,
            {
                "id": 1,
                "came": START,
                "peer": "127.0.0.1",
                "method": "GET",
                "target": "/",
                "key": "a",
                "asked": 2.0,
                "rule": None,
                "held": None,
                "asking_since": None,
                "upstream": None,
                "upstream_error": None,
                "status": None,
                "fault": None,
                "sent": 0,
                "outcome": "in flight",
                "ended": None,
            },
        )
        quiet = self.frame()
        self.assertEqual((quiet["rows"], quiet["changes"], quiet["gone"]), ([], [], []))
        begun.held, begun.status, begun.sent = 2.0, 200, 10
        (change,) = self.frame()["changes"]
        self.assertEqual((change["held"], change["sent"]), (2.0, 10))
        begun.sent = 20
        self.end(begun)
        (change,) = self.frame()["changes"]
        # Of one that was seen being sent, the end is when it was seen to be over.
        self.assertEqual((change["sent"], change["ended"]), (20, self.now))
        self.assertEqual(self.frame()["changes"], [])

    def test_when_one_ended_is_told_by_how_long_it_was_held(self) -> None:
        begun = self.begin()
        self.frame()
        self.end(begun, held=0.1, status=200)
        (change,) = self.frame()["changes"]
        self.assertEqual(change["ended"], begun.came + 0.1)

    def test_one_that_an_upstream_is_asked_for(self) -> None:
        begun = self.begin()
        self.frame()
        begun.asking_since = self.now
        (change,) = self.frame()["changes"]
        self.assertEqual(
            (change["asking_since"], change["upstream"]), (begun.asking_since, None)
        )
        begun.upstream = 0.75
        (change,) = self.frame()["changes"]
        self.assertEqual((change["upstream"], change["held"]), (0.75, None))
        self.end(begun, held=2.0, status=200)
        # Both, one after the other, were waited for.
        (change,) = self.frame()["changes"]
        self.assertEqual(change["ended"], begun.came + 2.75)

    def test_one_whose_upstream_failed(self) -> None:
        begun = self.begin(asked=0.0, asking_since=self.now)
        self.frame()
        self.end(
            begun,
            "upstream failed",
            held=0.25,
            upstream=1.5,
            upstream_error="connect: refused",
            status=502,
        )
        (change,) = self.frame()["changes"]
        self.assertEqual(change["upstream_error"], "connect: refused")
        self.assertEqual(change["ended"], begun.came + 1.75)
        self.assertEqual(self.model.outcomes(), {1: "upstream failed"})

    def test_one_whose_client_left_ended_when_that_was_seen(self) -> None:
        for held in (None, 0.1):
            begun = self.begin()
            self.frame()
            self.end(begun, "cancelled", held=held)
            (change,) = self.frame()["changes"]
            self.assertEqual(
                (change["outcome"], change["ended"]), ("cancelled", self.now)
            )

    def test_one_that_ended_lingers(self) -> None:
        begun = self.begin()
        self.frame()
        self.end(begun, held=0.0, status=200)
        self.frame()
        self.assertEqual(self.frame(SECONDS_AFTER_END - 0.5)["gone"], [])
        self.assertEqual(self.frame(0.5)["gone"], [begun.number])
        self.assertEqual(self.model.rows, {})

    def test_a_clock_that_is_set_back_keeps_nobody(self) -> None:
        over, held = self.begin(), self.begin()
        self.end(over, held=0.0, status=200)
        self.frame()
        self.assertEqual(self.frame(-3600)["gone"], [over.number])
        self.assertEqual(list(self.model.rows), [held.number])

    def test_one_that_came_and_ended_between_two_frames(self) -> None:
        self.frame()
        begun = self.begin(fault="reset")
        self.end(begun, "broken", held=0.01)
        self.end(self.begin(status=200), "answered", held=0.001)
        rows = self.frame()["rows"]
        self.assertEqual(
            [(r["outcome"], r["fault"], r["ended"]) for r in rows],
            [
                ("broken", "reset", begun.came + 0.01),
                ("answered", None, begun.came + 0.001),
            ],
        )
        self.assertEqual(self.frame()["rows"], [])

    def test_what_was_over_before_is_not_shown(self) -> None:
        self.end(self.begin(), held=0.0)
        self.watch()
        self.assertEqual(self.frame()["rows"], [])

    def test_a_reset(self) -> None:
        let_go, stalled = self.begin(), self.begin()
        self.frame()
        self.end(let_go, "released", held=0.1, status=200)
        self.journal.reset()
        frame = self.frame()
        self.assertEqual(frame["counts"], {"in_flight": 1, "requests": 0})
        self.assertEqual(self.model.outcomes(), {1: "released", 2: "in flight"})
        self.end(stalled, "released")
        self.end(self.begin(), held=0.0, status=200)
        frame = self.frame()
        self.assertEqual(frame["ended"], 1)
        self.assertEqual(
            self.model.outcomes(), {1: "released", 2: "released", 3: "answered"}
        )

    def test_of_what_a_stranger_sent_little_is_shown_and_nothing_acts(self) -> None:
        begun = self.begin(key="k\u202e" + "x" * 1000)
        begun.target = b"/\x00\xff" + b"<" * 1000
        begun.method = b"G\x1b\xff"
        (row,) = self.frame()["rows"]
        self.assertTrue(row["target"].startswith("/\\x00\\xff<<<"))
        self.assertTrue(row["key"].startswith("k\\u202exxx"))
        self.assertEqual(row["method"], "G\\x1b\\xff")
        self.assertLess(len(str(row)), 1000)


class ManyTests(ViewingCase):
    def test_ten_thousand_are_a_sample(self) -> None:
        many = [self.begin(asked=300.0) for _ in range(10_000)]
        frame = self.frame()
        self.assertEqual((frame["shown"], frame["of"]), (MOST_HELD, 10_000))
        newest = {begun.number for begun in many[-MOST_HELD:]}
        self.assertEqual(self.model.in_flight(), newest)
        # Those that are shown stay, and others come when there is room.
        self.begin()
        self.assertEqual(self.frame()["rows"], [])
        for begun in many[-10:]:
            self.end(begun, held=1.0, status=200)
        frame = self.frame()
        self.assertEqual(len(frame["changes"]), 10)
        self.assertEqual(
            [row["id"] for row in frame["rows"]],
            [*(begun.number for begun in many[-89:-80]), 10_001],
        )

    def test_there_is_room_for_what_ends_meanwhile(self) -> None:
        for _ in range(1000):
            self.begin()
        self.frame()
        for _ in range(50):
            self.end(self.begin(fault="reset"), "broken", held=0.0)
        rows = self.frame()["rows"]
        self.assertEqual(
            [row["id"] for row in rows],
            [*range(1051 - (MOST_ROWS - MOST_HELD), 1051)],
        )

    def test_room_is_made_for_what_is_held(self) -> None:
        self.frame()
        for _ in range(2 * MOST_ROWS):
            self.end(self.begin(), held=0.0, status=200)
        self.assertEqual(len(self.frame()["rows"]), MOST_ROWS)
        held = [self.begin() for _ in range(3)]
        frame = self.frame()
        # The oldest of those that are over.
        self.assertEqual(frame["gone"], [101, 102, 103])
        self.assertEqual(self.model.in_flight(), {begun.number for begun in held})

    def test_a_key(self) -> None:
        self.watch("pay")
        for key in ["pay/1", "ship", "to pay", "PAY"]:
            self.begin(key=key)
        frame = self.frame()
        self.assertEqual([row["key"] for row in frame["rows"]], ["pay/1", "to pay"])
        self.assertEqual((frame["shown"], frame["of"]), (2, 2))
        self.assertEqual(frame["counts"]["in_flight"], 4)
        for key in ["pay/2", "ship"]:
            self.end(self.begin(key=key), held=0.0)
        frame = self.frame()
        self.assertEqual([row["key"] for row in frame["rows"]], ["pay/2"])
        self.assertEqual(frame["ended"], 2)

    def test_more_ended_than_the_journal_remembers(self) -> None:
        self.frame()
        for _ in range(JOURNAL_SIZE + 5):
            self.end(self.begin(), held=0.0, status=200)
        frame = self.frame()
        self.assertEqual(frame["ended"], JOURNAL_SIZE + 5)
        self.assertEqual(len(frame["rows"]), MOST_ROWS)

    def test_it_looks_at_no_more_than_it_shows(self) -> None:
        for _ in range(10_000):
            self.begin()
        self.frame()
        looked: list[Entry] = []
        newest = self.journal.newest_in_flight

        def looking() -> Any:
            for begun in newest():
                looked.append(begun)
                yield begun

        self.patch(self.journal, "newest_in_flight", looking)
        self.begin()
        self.frame()
        self.assertEqual(looked, [])
        # Once a second, whoever watches, all are looked at.
        self.frame(SECONDS_BETWEEN_OVERVIEWS)
        self.assertEqual(len(looked), 10_001)


class FiguresTests(ViewingCase):
    def test_statuses_faults_and_lateness(self) -> None:
        self.frame()
        for held, outcome, status, fault in [
            (2.0, "answered", 200, None),
            (2.0, "answered", 404, None),
            (2.03, "answered", 503, None),
            (2.0, "broken", None, "reset"),
            (2.0, "broken", 200, "truncate"),
            (None, "cancelled", None, None),
        ]:
            self.end(self.begin(), outcome, held=held, status=status, fault=fault)
        frame = self.frame()
        self.assertEqual(frame["ended"], 6)
        self.assertEqual(frame["failed"], 4)
        self.assertEqual(frame["statuses"], {"200": 2, "404": 1, "503": 1, "none": 2})
        self.assertEqual(frame["faults"], {"reset": 1, "truncate": 1})
        self.assertEqual(frame["lateness"], {"p50": 0.001, "p99": 0.05})
        self.assertEqual(
            frame["counts"],
            {
                "in_flight": 0,
                "requests": 6,
                "answered": 3,
                "broken": 2,
                "cancelled": 1,
            },
        )
        self.assertEqual(frame["since"], 0.25)
        frame = self.frame()
        self.assertEqual(
            (frame["ended"], frame["statuses"], frame["lateness"]), (0, {}, None)
        )

    def test_later_than_the_last_bucket(self) -> None:
        self.frame()
        self.end(self.begin(), held=100.0, status=200)
        self.assertEqual(self.frame()["lateness"], {"p50": None, "p99": None})

    def test_a_clock_that_is_set_back(self) -> None:
        self.frame()
        self.begin()
        frame = self.frame(-3600)
        self.assertEqual(frame["since"], 0.0)
        self.assertEqual(frame["overview"]["waiting"], 1)

    def test_an_event_is_one_line(self) -> None:
        self.assertEqual(
            event("frame", {"key": "a\n\r\u2028é"}),
            b'event: frame\ndata: {"key":"a\\n\\r\\u2028\\u00e9"}\n\n',
        )


class OverviewTests(ViewingCase):
    def look(self) -> dict[str, Any]:
        return Overview(self.journal).at(self.now)

    def test_nothing(self) -> None:
        self.assertEqual(
            self.look(),
            {
                "waiting": 0,
                "asking": 0,
                "sending": 0,
                "start": START,
                "step": 0.25,
                "due": [],
                "later": 0,
            },
        )

    def test_when_they_are_due(self) -> None:
        self.now = START + 0.1
        for asked in [0.0, 0.2, 0.2, 1.0]:
            self.begin(came=START, asked=asked)
        self.begin(came=START - 5, asked=1.0)
        self.begin(held=1.0)
        found = self.look()
        self.assertEqual((found["waiting"], found["sending"]), (5, 1))
        self.assertEqual((found["start"], found["step"]), (START, 0.25))
        # What is late is in the first.
        self.assertEqual(found["due"], [4, 0, 0, 0, 1])

    def test_what_an_upstream_has_is_not_due(self) -> None:
        self.begin(asked=1.0, asking_since=START)
        self.begin(asked=1.0, asking_since=START, upstream=0.5)
        self.begin(asked=1.0)
        self.begin(asked=1.0, asking_since=START, upstream=0.5, held=1.0)
        found = self.look()
        self.assertEqual(
            (found["waiting"], found["asking"], found["sending"]), (2, 1, 1)
        )
        # When the upstream has answered, the rest of the delay begins.
        self.assertEqual(found["due"], [0, 0, 0, 0, 1, 0, 1])

    def test_steps_are_as_long_as_most_need(self) -> None:
        for asked in [10.0] * 95 + [300.0] * 5:
            self.begin(asked=asked)
        found = self.look()
        self.assertEqual((found["step"], found["later"]), (0.25, 5))
        self.assertEqual(found["due"], [0] * 40 + [95])
        for _ in range(50):
            self.begin(asked=300.0)
        found = self.look()
        self.assertEqual((found["step"], found["later"]), (5.0, 0))

    def test_what_is_due_in_a_year(self) -> None:
        self.begin(asked=3e7)
        found = self.look()
        self.assertEqual((found["step"], found["later"]), (60.0, 1))
        self.assertEqual(found["due"], [])

    def test_all_viewers_share_it(self) -> None:
        for _ in range(FEW + 1):
            self.begin()
        overview = Overview(self.journal)
        found = overview.at(self.now)
        self.assertIs(overview.at(self.now + 0.9), found)
        self.assertIsNot(overview.at(self.now + 1), found)
        viewers = [Viewer(self.journal, overview, no_rules()) for _ in range(2)]
        frames = [v.frame(self.now + 1.1, is_draining=False) for v in viewers]
        self.assertIs(frames[0]["overview"], frames[1]["overview"])
        again = viewers[0].frame(self.now + 1.2, is_draining=False)
        self.assertNotIn("overview", again)


_DOES = st.one_of(
    st.tuples(st.just("begin"), st.integers(1, 120)),
    st.tuples(st.just("end"), st.integers(0, 1000)),
    st.tuples(st.just("send"), st.integers(0, 1000)),
    st.tuples(st.just("note"), st.integers(1, 120)),
    st.tuples(st.just("reset"), st.just(0)),
    st.tuples(st.just("frame"), st.integers(0, 8)),
)


class AnyOrderTests(ClockCase):
    @given(does=st.lists(_DOES, max_size=40))
    def test_the_viewer_knows_what_the_journal_knows(
        self, does: list[tuple[str, int]]
    ) -> None:
        journal = Journal(size=200)
        viewer = Viewer(journal, Overview(journal), no_rules())
        model = Model()
        in_flight: list[Entry] = []
        every: dict[int, Entry] = {}
        now = START

        def look(after: float) -> dict[str, Any]:
            nonlocal now
            now += after
            frame = viewer.frame(now, is_draining=False)
            model.take(frame)
            return frame

        look(0)
        for what, n in does:
            if what == "begin":
                for _ in range(n):
                    begun = entry(now)
                    journal.begin(begun)
                    in_flight.append(begun)
                    every[begun.number] = begun
            elif what == "end" and in_flight:
                for ending in in_flight[:: n % 7 + 1]:
                    in_flight.remove(ending)
                    ending.outcome = ["answered", "broken", "cancelled"][n % 3]
                    ending.held = None if ending.outcome == "cancelled" else 0.1
                    journal.end(ending)
            elif what == "send" and in_flight:
                sending = in_flight[n % len(in_flight)]
                sending.held, sending.status, sending.sent = 0.1, 200, n
            elif what == "note":
                for _ in range(n):
                    over = entry(now, status=200, outcome="answered", held=0.0)
                    journal.begin(over)
                    journal.end(over)
            elif what == "reset":
                journal.reset()
            elif what == "frame":
                look(n)
        frame = look(0.25)
        # All that could be shown is, and as it is.
        self.assertEqual(frame["of"], len(in_flight))
        self.assertEqual(frame["shown"], min(len(in_flight), MOST_HELD))
        self.assertTrue(model.in_flight() <= {begun.number for begun in in_flight})
        for number, row in model.rows.items():
            if number in every:
                now_is = every[number]
                self.assertEqual(
                    (row["outcome"], row["held"], row["sent"]),
                    (now_is.outcome, now_is.held, now_is.sent),
                )
        self.assertTrue(all(count == 1 for count in model.ends.values()))
        # All that ends is gone in the end.
        look(SECONDS_AFTER_END)
        self.assertEqual(set(model.rows), model.in_flight())
