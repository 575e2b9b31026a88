"""What the soak's proxy scenario calls lost."""

from __future__ import annotations

import zlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.soak import proxy_ledger
from benchmarks.soak.proxy_client import Carried, Reply, uploaded
from benchmarks.soak.proxy_kinds import KINDS, Ending
from benchmarks.soak.proxy_ledger import Ledger, Sent, Written, read_written

NUMBER = 2


class LedgerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(proxy_ledger, "say", lambda text: None)

    def ledger(
        self, name: str, reply: Reply | None, *, is_down: bool = False, **how: Any
    ) -> Ledger:
        """A ledger of one request, which took from 10 to 11."""
        ledger = Ledger(**how)
        ledger.sent[NUMBER] = Sent(name, KINDS[name], 10.0, 11.0, reply)
        if is_down:
            ledger.down.append((10.5, 12.0))
        return ledger


OK = Reply(Ending.ANSWERED, 200)
BAD_GATEWAY = Reply(Ending.ANSWERED, 502)


class EndingTests(LedgerCase):
    def lost(self, name: str, reply: Reply | None, **how: Any) -> list[str]:
        ledger = self.ledger(name, reply, **how)
        ledger.judge_endings()
        return [*ledger.losses]

    def test_an_answer_as_it_has_to_be_is_not_lost(self) -> None:
        self.assertEqual(self.lost("plain", OK), [])
        self.assertEqual(self.lost("in its place", Reply(Ending.ANSWERED, 503)), [])
        self.assertEqual(self.lost("truncate", Reply(Ending.BROKEN)), [])

    def test_no_end_is(self) -> None:
        self.assertEqual(self.lost("plain", None), ["plain: it did not end"])

    def test_an_answer_in_the_place_of_a_fault_is(self) -> None:
        self.assertEqual(self.lost("reset", OK), ["reset: answered, status 200"])

    def test_a_502_is_while_the_upstream_is_there(self) -> None:
        self.assertEqual(
            self.lost("plain", BAD_GATEWAY), ["plain: answered, status 502"]
        )

    def test_but_not_while_it_is_down(self) -> None:
        self.assertEqual(self.lost("plain", BAD_GATEWAY, is_down=True), [])
        self.assertEqual(self.lost("plain", Reply(Ending.BROKEN), is_down=True), [])

    def test_whoever_is_refused_a_byte_is_even_then(self) -> None:
        self.assertEqual(
            self.lost("plain", Reply(Ending.RESET), is_down=True),
            ["plain: reset, status 0"],
        )

    def test_in_tcp_mode_that_is_all_a_proxy_can_do(self) -> None:
        how = {"is_down": True, "is_http": False}
        self.assertEqual(self.lost("plain", Reply(Ending.RESET), **how), [])
        self.assertEqual(len(self.lost("plain", BAD_GATEWAY, **how)), 1)

    def test_what_needs_no_upstream_is_answered_all_the_same(self) -> None:
        self.assertEqual(len(self.lost("in its place", BAD_GATEWAY, is_down=True)), 1)


class JournalTests(LedgerCase):
    def lost(
        self, name: str, reply: Reply | None, is_down: bool = False, **entry: Any
    ) -> list[str]:
        ledger = self.ledger(name, reply, is_down=is_down)
        whole = {"outcome": "answered", "status": 200, "upstream": 0.1}
        whole |= {"upstream_error": None} | entry
        ledger.judge_journal({NUMBER: whole} if entry else {})
        return [*ledger.losses]

    def test_an_entry_as_it_has_to_be_is_not_lost(self) -> None:
        self.assertEqual(self.lost("plain", OK, outcome="answered"), [])

    def test_no_entry_is(self) -> None:
        self.assertEqual(self.lost("plain", OK), ["plain: it is not in the journal"])

    def test_another_status_than_the_client_has_is(self) -> None:
        (loss,) = self.lost("plain", OK, status=404)
        self.assertEqual(loss, "plain: the journal has status 404, and its client 200")

    def test_an_outcome_that_is_another_is(self) -> None:
        (loss,) = self.lost("left", Reply(Ending.LEFT), outcome="broken")
        self.assertEqual(loss, "left: the journal has broken")

    def test_an_upstream_that_failed_has_an_error(self) -> None:
        entry = {"outcome": "upstream failed", "status": 502}
        error = "connect: refused"
        self.assertEqual(
            self.lost("plain", BAD_GATEWAY, True, **entry, upstream_error=error), []
        )
        self.assertEqual(len(self.lost("plain", BAD_GATEWAY, True, **entry)), 1)

    def test_an_upstream_that_was_not_to_be_asked_is(self) -> None:
        self.assertEqual(
            len(self.lost("in its place", Reply(Ending.ANSWERED, 503), status=503)), 1
        )

    def test_what_nobody_sent_is(self) -> None:
        ledger = Ledger()
        ledger.judge_journal({7: {}})
        self.assertEqual(
            [*ledger.losses], ["unknown: the journal has what nobody sent"]
        )


class LinkTests(LedgerCase):
    def lost(
        self,
        is_whole: bool = True,
        is_down: bool = False,
        refused: int = 0,
        **entry: Any,
    ) -> list[str]:
        carried = Carried("127.0.0.1:9", 100.0, 10.0, 11.0, 5, 7, is_whole)
        ledger = Ledger(is_http=False, down=[(10.5, 12.0)] if is_down else [])
        whole = {"id": 1, "peer": "127.0.0.1:9", "up": 5, "down": 7, "took": 1.0}
        whole["time"] = "1970-01-01T00:01:40Z"
        whole |= {"state": "closed by client"} | entry
        ledger.judge_links([carried], refused, [whole] if entry else [])
        return [*ledger.losses]

    def test_a_connection_whose_bytes_have_passed_is_not_lost(self) -> None:
        self.assertEqual(self.lost(up=5), [])

    def test_one_that_the_journal_does_not_have_is(self) -> None:
        self.assertEqual(len(self.lost()), 1)

    def test_one_of_which_bytes_are_missing_is(self) -> None:
        (loss,) = self.lost(down=6)
        self.assertIn("(5, 6) bytes passed, and its client has 5 up and 7 down", loss)

    def test_unless_its_client_left(self) -> None:
        self.assertEqual(self.lost(is_whole=False, down=6, state="reset by client"), [])

    def test_the_upstream_ends_it_only_when_it_is_killed(self) -> None:
        self.assertEqual(len(self.lost(state="closed by upstream")), 1)
        self.assertEqual(self.lost(is_down=True, state="closed by upstream"), [])

    def test_one_that_is_not_over_is(self) -> None:
        self.assertEqual(len(self.lost(took=None)), 1)

    def test_one_that_nobody_made_is(self) -> None:
        self.assertEqual(len(self.lost(peer="127.0.0.1:8")), 2)

    def test_a_port_that_is_used_again_is_told_by_its_time(self) -> None:
        ledger = Ledger(is_http=False)
        same = {"peer": "127.0.0.1:9", "took": 1.0, "state": "closed by client"}
        entries = [
            {**same, "id": 1, "up": 1, "down": 2, "time": "1970-01-01T00:00:10Z"},
            {
                **same,
                "id": 2,
                "up": 3,
                "down": 4,
                "time": "1970-01-01T00:01:10.500000Z",
            },
        ]
        carried = [
            Carried("127.0.0.1:9", 70.0, 70.0, 71.0, 3, 4),
            Carried("127.0.0.1:9", 10.0, 10.0, 11.0, 1, 2),
        ]
        ledger.judge_links(carried, 0, entries)
        self.assertEqual(ledger.losses, {})

    def test_unless_its_client_was_refused(self) -> None:
        entry: Any = {"peer": "127.0.0.1:8", "state": "upstream failed"}
        self.assertEqual(len(self.lost(is_whole=False, **entry)), 1)
        self.assertEqual(self.lost(is_whole=False, refused=1, **entry), [])


class UpstreamTests(LedgerCase):
    def lost(
        self, name: str, reply: Reply, written: str, is_down: bool = False
    ) -> list[str]:
        ledger = self.ledger(name, reply, is_down=is_down)
        ledger.judge_upstream(read_written(written))
        return [*ledger.losses]

    def test_reads_what_the_upstream_wrote(self) -> None:
        written = read_written("asked 2\nasked 2\nwhole 2 30 17\ngave 2\nasked 3\n")
        self.assertEqual(
            written, {2: Written(2, 1, 1, [(30, 17)]), 3: Written(asked=1)}
        )

    def test_an_answer_that_it_gave_is_not_lost(self) -> None:
        self.assertEqual(self.lost("plain", OK, "asked 2\nwhole 2 0 0\ngave 2"), [])

    def test_an_answer_that_it_did_not_give_is(self) -> None:
        self.assertEqual(len(self.lost("plain", OK, "asked 2\nwhole 2 0 0")), 1)
        self.assertEqual(len(self.lost("plain", OK, "")), 2)

    def test_what_it_was_asked_twice_is_if_it_was_there(self) -> None:
        twice = "asked 2\nasked 2\nwhole 2 0 0\ngave 2"
        self.assertEqual(
            self.lost("plain", OK, twice), ["plain: its upstream was asked 2 times"]
        )
        self.assertEqual(self.lost("plain", OK, twice, is_down=True), [])

    def test_or_if_it_ended_the_connection_without_a_word(self) -> None:
        twice = "asked 2\nasked 2\nwhole 2 0 0\nwhole 2 0 0"
        self.assertEqual(self.lost("upstream is empty", BAD_GATEWAY, twice), [])
        self.assertEqual(
            len(self.lost("upstream is empty", BAD_GATEWAY, f"{twice}\nasked 2")), 1
        )

    def test_a_post_is_never_sent_twice(self) -> None:
        twice = "asked 2\nasked 2"
        self.assertEqual(len(self.lost("upload", BAD_GATEWAY, twice, True)), 1)

    def test_a_body_is_as_it_was_sent(self) -> None:
        body = uploaded(NUMBER)
        line = f"asked 2\ngave 2\nwhole 2 {len(body)} "
        self.assertEqual(self.lost("upload", OK, f"{line}{zlib.crc32(body)}"), [])
        self.assertEqual(len(self.lost("upload", OK, f"{line}1")), 1)

    def test_half_a_body_is_not_taken_for_a_whole_one(self) -> None:
        (loss,) = self.lost(
            "left in upload", Reply(Ending.LEFT), "asked 2\nwhole 2 9 9"
        )
        self.assertIn("of which there was only a part", loss)

    def test_what_is_answered_in_its_place_is_not_asked(self) -> None:
        loss = self.lost("in its place", Reply(Ending.ANSWERED, 503), "asked 2")
        self.assertEqual(loss, ["in its place: its upstream was asked"])

    def test_what_nobody_sent_is(self) -> None:
        ledger = Ledger()
        ledger.judge_upstream(read_written("asked 9"))
        self.assertEqual(len(ledger.losses), 1)
