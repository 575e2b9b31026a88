"""Whatever happens to a proxied request, and in whichever order, nothing is left."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import examples
from tests.client.test_reader import OK
from tests.guard import ClockCase
from tests.proxy import judging
from tests.proxy.passing import ASKS, CODING, PLAIN
from tests.proxy.raw_ends import RawEnds
from tests.proxy.vectors import HIDDEN
from tests.server.test_framing import START

CONTROLS = [
    *(b"Delay: 1s", b"Ask-Delay: 1s", b"Status: 503", b"Rate: 9B", b"Drip: 2s/3"),
    *(b"Read: 20B", b"Idle: 0", b"Body: hello", b"Header: A:b", b"Seq: 503,stall,200"),
    *(b"Fault: reset", b"Fault: empty", b"Fault: garbage", b"Fault: malformed-chunk"),
    *(
        b"Fault: truncate",
        b"Fault: wrong-length",
        b"Fault: stall",
        b"Fault: stall-body",
    ),
    *(b"Fault: slow-headers", b"Fault: truncate:0.5", b"Limit: 1/1s", b"Key: k"),
]
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
BODY = HIDDEN * 30
REQUESTS = [
    *(
        ASKS,
        b"HEAD" + ASKS[3:],
        ASKS.replace(b"1.1", b"1.0"),
        ASKS[:-2] + UPGRADE + b"\r\n",
    ),
    START + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    START + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    START + CODING + b"\r\n%x\r\n%b\r\n0\r\nA: b\r\n\r\n" % (len(BODY), BODY),
    START + CODING + b"\r\n3\r\nabc\r\nno chunk\r\n",
    START + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
    b"nonsense\r\n\r\n",
]
LONG = PLAIN[:-5] + b"300000\r\n\r\n" + b"x" * 300_000
SWITCHES = b"HTTP/1.1 101 Go\r\n" + UPGRADE + b"\r\n\0\1"
ANSWERS = [
    *(
        PLAIN,
        PLAIN + PLAIN,
        PLAIN.replace(b"1.1", b"1.0"),
        LONG[:900],
        LONG,
        b"garbage",
    ),
    OK + CODING + b"\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n",
    OK + CODING + b"\r\n2\r\nok\r\nx",
    *(
        b"HTTP/1.1 100 Go\r\n\r\n",
        b"HTTP/1.1 204 No\r\n\r\n",
        b"HTTP/1.1 304 No\r\n\r\n",
    ),
    b"HTTP/1.1 200 OK\r\n\r\nto the end",
    SWITCHES,
]
STEPS = [
    *("send", "send", "send", "answer", "answer", "answer", "rest", "rest", "wait"),
    *("wait", "wait", "long wait", "client stops", "client reads", "client reads"),
    *("upstream stops", "upstream reads", "upstream reads", "upstream closes"),
    *("upstream resets", "client leaves", "release", "drain"),
]


class AnyOrderTests(ClockCase):
    @settings(max_examples=examples(100), deadline=None)
    @given(
        st.lists(st.sampled_from(STEPS), min_size=10, max_size=40),
        st.sampled_from(["status", "pass"]),
        st.data(),
    )
    def test_nothing_is_left(self, steps: list[str], errors: Any, draw: Any) -> None:
        with RawEnds(errors=errors, timeout=10) as ends:
            rest = answer = b""
            for step in steps:
                if step == "send":
                    if not rest:
                        rest = draw.draw(st.sampled_from(REQUESTS))
                        for control in draw.draw(
                            st.lists(st.sampled_from(CONTROLS), max_size=1)
                        ):
                            line, end, fields = rest.partition(b"\r\n")
                            rest = line + end + b"X-Nbtwisted-" + control + end + fields
                    size = draw.draw(
                        st.sampled_from([len(rest), len(rest) // 2, len(rest) - 1, 60])
                    )
                    ends.send(rest[:size])
                    rest = rest[size:]
                elif step == "answer":
                    likely = (
                        [SWITCHES] if UPGRADE in b"".join(ends.arrived) else ANSWERS
                    )
                    answer = answer or draw.draw(st.sampled_from(likely))
                    size = draw.draw(
                        st.sampled_from(
                            [len(answer), len(answer) - 1, len(answer) // 2, 70]
                        )
                    )
                    ends.say_if_open(answer[:size])
                    answer = answer[size:]
                elif step == "rest":
                    ends.send(rest)
                    ends.say_if_open(answer)
                    rest = answer = b""
                elif step == "client leaves":
                    break
                else:
                    ends.do(step)
            ends.leave()
            ends.clock.advance(100)
            in_flight = ends.server.in_flight
            self.assertEqual(in_flight.journal.in_flight, 0)
            for entry in in_flight.journal.entries():
                self.assertIsNotNone(entry.took, entry)
                self.assertNotEqual(entry.outcome, "failed", entry)
            for data in ends.arrived:
                if UPGRADE not in data:
                    with contextlib.suppress(judging.CutShort):
                        judging.requests(data)
