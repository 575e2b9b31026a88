"""What a viewer is told of the rules, frame by frame."""

from __future__ import annotations

from typing import Any

from nbtwisted.server.engine.journal import Entry, Journal
from nbtwisted.server.routes import viewing_rules
from nbtwisted.server.routes.viewing_rules import MOST_RULES_SHOWN, RulesViewer
from nbtwisted.server.rules import summary
from nbtwisted.server.rules.in_force import FileState, Origin, Rules
from nbtwisted.server.rules.reading import Reading
from nbtwisted.server.rules.rule import UnreadableRule
from tests.guard import ClockCase


class RulesViewerCase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.rules = Rules(self.clock.seconds, Reading(300.0, lambda path: b""))
        self.journal = Journal()
        self.viewer = RulesViewer(self.rules, self.journal)

    def set(self, origin: Origin, *given: dict[str, Any]) -> None:
        self.rules.set_origin(origin, self.rules.parse({"rule": list(given)}))

    def add(self, **given: Any) -> None:
        self.rules.add(*self.rules.parse(given))

    def act(self, name: str) -> None:
        entry = Entry(0.0, "127.0.0.1", b"GET", b"/", b"HTTP/1.1", b"")
        entry.rule = name
        self.journal.begin(entry)

    def shown(self) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.viewer.changes()["rules"]["shown"]
        return shown

    def names(self) -> list[str]:
        return [rule["name"] for rule in self.shown()]


class RulesViewerTests(RulesViewerCase):
    def test_without_rules(self) -> None:
        nothing = {
            "of": 0,
            "shown": [],
            "file": None,
            "warnings": [],
            "all_warnings": 0,
        }
        self.assertEqual(self.viewer.changes(), {"rules": nothing, "acted": []})
        self.assertEqual(self.viewer.changes(), {})

    def test_a_rule(self) -> None:
        self.add(
            name="slow",
            match={"method": "GET", "path": "/orders/{id}"},
            delay="2s",
            **{"for": "30s"},
        )
        told = self.viewer.changes()
        self.assertEqual(
            told["rules"]["shown"],
            [
                {
                    "name": "slow",
                    "matches": "GET /orders/{id}",
                    "does": "delay 2s",
                    "origin": "admin",
                    "enabled": True,
                    "expires_in": 30.0,
                }
            ],
        )
        self.assertEqual((told["rules"]["of"], told["acted"]), (1, [0]))

    def test_they_are_in_the_order_in_which_they_are_tried(self) -> None:
        self.set(Origin.DEFAULT, {"name": "default", "delay": "50ms"})
        self.set(Origin.FILE, {"name": "b"}, {"name": "c", "enabled": False})
        self.add(name="a")
        self.assertEqual(
            [(rule["name"], rule["origin"], rule["enabled"]) for rule in self.shown()],
            [
                ("a", "admin", True),
                ("b", "file", True),
                ("c", "file", False),
                ("default", "default", True),
            ],
        )

    def test_they_are_told_again_when_they_change(self) -> None:
        self.add(name="a")
        self.assertEqual(self.names(), ["a"])
        self.clock.advance(1)
        self.assertEqual(self.viewer.changes(), {})
        self.rules.put(*self.rules.parse({"name": "a", "enabled": False}))
        self.assertEqual([rule["enabled"] for rule in self.shown()], [False])
        self.rules.remove("a")
        self.assertEqual(self.names(), [])

    def test_one_that_expires(self) -> None:
        self.add(name="a", **{"for": "30s"})
        self.add(name="b")
        self.assertEqual(self.names(), ["b", "a"])
        self.clock.advance(10)
        # The seconds that are left are no change.
        self.assertEqual(self.viewer.changes(), {})
        late = RulesViewer(self.rules, self.journal).changes()["rules"]["shown"]
        self.assertEqual([rule["expires_in"] for rule in late], [None, 20.0])
        self.clock.advance(20)
        self.assertEqual(self.names(), ["b"])

    def test_how_often_they_acted(self) -> None:
        self.add(name="a")
        self.add(name="b")
        self.act("a")
        self.assertEqual(self.viewer.changes()["acted"], [0, 1])
        self.act("a")
        self.act("c")
        self.assertEqual(self.viewer.changes(), {"acted": [0, 2]})
        self.act("c")
        self.assertEqual(self.viewer.changes(), {})
        self.journal.reset()
        self.assertEqual(self.viewer.changes(), {"acted": [0, 0]})
        # Also if they are as before: whoever is told the list needs them.
        self.rules.put(*self.rules.parse({"name": "a", "delay": "1s"}))
        self.assertEqual(self.viewer.changes()["acted"], [0, 0])

    def test_warnings(self) -> None:
        self.add(name="hidden", match={"path": "/a"})
        self.add(name="all", match={"path": "/**"})
        told = self.viewer.changes()["rules"]
        ((warning,), number) = told["warnings"], told["all_warnings"]
        self.assertIn("'hidden' can never act", warning)
        self.assertEqual(number, 1)
        for n in range(20):
            self.add(name=f"again {n}", match={"path": "/**"})
        told = self.viewer.changes()["rules"]
        self.assertEqual(len(told["warnings"]), viewing_rules.MOST_WARNINGS_SHOWN)
        self.assertEqual(told["all_warnings"], 21)

    def test_the_file(self) -> None:
        self.viewer.changes()
        self.assertEqual(self.file(), {"path": "rules.toml", "error": None})
        error = UnreadableRule("a", "delay", "x\u202e" + "y" * 999, "1s")
        told = self.file(error)
        self.assertIn("rule 'a': bad value for delay ('x\\\\u202eyyy", told["error"])
        self.assertEqual(self.viewer.changes(), {})
        # It was saved again, and is as wrong.
        error = UnreadableRule("a", "delay", "x", "1s")
        self.assertIn("('x')", self.file(error)["error"])
        self.assertIsNone(self.file()["error"])
        told = self.file(path="/\x1b" + "x" * 999 + "/rules.toml")
        self.assertTrue(told["path"].endswith("x/rules.toml"))
        self.assertTrue(told["path"].isprintable())
        self.assertLess(len(told["path"]), 200)

    def file(
        self, error: UnreadableRule | None = None, path: str = "rules.toml"
    ) -> dict[str, Any]:
        """What is told of the file when it was read."""
        self.rules.file = FileState(path, error)
        told: dict[str, Any] = self.viewer.changes()["rules"]["file"]
        return told


class ManyRulesTests(RulesViewerCase):
    def test_the_first_of_ten_thousand_are_shown_and_no_more_is_looked_at(self) -> None:
        looked: list[object] = []

        def does(rule: Any) -> str:
            looked.append(rule)
            return summary.does(rule)

        self.patch(viewing_rules, "does", does)
        given = [{"match": {"path": f"/{n}"}, "status": 200} for n in range(10_000)]
        self.set(Origin.FILE, *given)
        told = self.viewer.changes()
        self.assertEqual(told["rules"]["of"], 10_000)
        self.assertEqual(len(told["rules"]["shown"]), MOST_RULES_SHOWN)
        self.assertEqual(told["rules"]["shown"][-1]["name"], "rule 50")
        self.assertEqual(len(told["acted"]), MOST_RULES_SHOWN)
        self.assertEqual(len(looked), MOST_RULES_SHOWN)
        # What is not shown acts, and that is no change.
        self.act("rule 9000")
        self.patch(Rules, "standing", property(lambda rules: self.fail("looked")))
        self.assertEqual(self.viewer.changes(), {})
