"""What a server says of its own time."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from nbtwisted.client.results.server_timing import server_durations
from tests.guard import ClockCase


def durations(*values: str) -> dict[str, float]:
    return server_durations(("Server-Timing", value) for value in values)


class ServerTimingTests(ClockCase):
    def test_ours(self) -> None:
        self.assertEqual(
            durations("asked;dur=1000, held;dur=1000.4"), {"asked": 1.0, "held": 1.0004}
        )

    def test_as_the_standard_has_it(self) -> None:
        self.assertEqual(
            durations(
                'cache;desc="Cache, \\"Read\\";dur=7";dur=23.2 , db ; DUR = 53',
                'app;dur="47.5"',
            ),
            {"cache": 0.0232, "db": 0.053, "app": 0.0475},
        )

    def test_what_is_no_duration(self) -> None:
        for value in ("miss", "a;dur", "a;dur=", "a;dur=x", "a;dur=-1", "a;dur=1e3"):
            self.assertEqual(durations(value), {}, value)
        for value in ("a;dur=nan", "a;dur=inf", "a;dur=" + "9" * 400, ";dur=1", '"'):
            self.assertEqual(durations(value), {}, value)
        self.assertEqual(durations('a;desc="dur=7"'), {})

    def test_numbers(self) -> None:
        zeros = "0" * 800
        for value, seconds in ((f"{zeros}5", 0.005), (".5", 0.0005), ("5.", 0.005)):
            self.assertEqual(durations(f"a;dur={value}"), {"a": seconds})
        for value in ("1.5e3", "12e3", "1.5.5", ".", "0" * 5000, "9" * 19, "1_0", "+1"):
            self.assertEqual(durations(f"a;dur={value}"), {}, value)

    def test_of_two_alike_the_first(self) -> None:
        self.assertEqual(durations("a;dur=1", "a;dur=2"), {"a": 0.001})

    def test_what_an_upstream_says_of_itself_is_within_what_its_proxy_says(
        self,
    ) -> None:
        own, added = "asked;dur=900, held;dur=901", "upstream;dur=905, held;dur=4"
        told = {"upstream": 0.905, "held": 0.004}
        for values in ([own, added], [f"{own}, {added}"], [added, own]):
            found = durations(*values)
            self.assertEqual({name: found[name] for name in told}, told, values)
        # Of two proxies, that which the client has asked.
        self.assertEqual(
            durations("upstream;dur=5, held;dur=3", "upstream;dur=9, held;dur=1"),
            {"upstream": 0.009, "held": 0.001},
        )
        self.assertEqual(
            durations(own, "upstream;dur=x"), {"asked": 0.9, "held": 0.901}
        )

    def test_other_headers_and_any_case(self) -> None:
        headers = [("X", "a;dur=1"), ("SERVER-TIMING", "b;dur=2")]
        self.assertEqual(server_durations(headers), {"b": 0.002})

    def test_only_so_many(self) -> None:
        many = ",".join(f"m{number};dur=1" for number in range(1000))
        self.assertEqual(len(durations(many)), 100)

    def test_as_much_of_it_as_a_head_may_have(self) -> None:
        # What backtracks takes minutes for this, in which nothing else goes on.
        for each in (",", " ", "a", ";", '"', "=", "\\", "a;dur= ", 'a;b="', ", a ;"):
            many = each * (300 * 1024 // len(each))
            self.assertEqual(durations("held;dur=1," + many)["held"], 0.001)

    @given(st.text(st.characters(codec="latin-1")) | st.text(';,"= durx1.\\'))
    def test_anything_at_all(self, value: str) -> None:
        for seconds in durations(value).values():
            self.assertTrue(math.isfinite(seconds) and seconds >= 0)
