"""Draws: of the seed, the key and its count, and of nothing else."""

from __future__ import annotations

from itertools import chain, permutations
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.engine.draws import Draws
from nbtwisted.server.model.behaviour import Behaviour
from nbtwisted.server.model.body import Whole
from nbtwisted.server.model.control_text import read_controls
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import (
    NO_ADDRESSES,
    NO_HEADERS,
    Request,
)


def request(target: bytes = b"/get", method: bytes = b"GET") -> Request:
    return Request(method, target, b"HTTP/1.1", NO_HEADERS, b"", NO_ADDRESSES)


def behaviour(**controls: str) -> Behaviour:
    texts = {name: [text] for name, text in controls.items()}
    return Behaviour(Whole(b"")).under(read_controls(texts, max_delay=300))


def _nonce(random: Random) -> HeaderLines:
    return (("Nonce", str(random.random())),)


def _random_body(asked: float, random: Random) -> Whole:
    return Whole(random.randbytes(9))


RANDOM = behaviour(delay="uniform(0,100)")


class DrawsTests(SynchronousTestCase):
    def asked(self, draws: Draws, *targets: bytes) -> dict[bytes, list[float]]:
        found: dict[bytes, list[float]] = {}
        for target in targets:
            reply, _ = draws.draw(RANDOM, request(target), 0)
            found.setdefault(target, []).append(reply.asked)
        return found

    def test_not_of_the_order_of_keys(self) -> None:
        expected = self.asked(Draws(7), b"/a", b"/a", b"/b", b"/c")
        self.assertEqual(len({*chain(*expected.values())}), 4)
        for order in permutations([b"/a", b"/a", b"/b", b"/c"]):
            self.assertEqual(self.asked(Draws(7), *order), expected)

    def test_of_the_seed(self) -> None:
        self.assertNotEqual(self.asked(Draws(7), b"/a"), self.asked(Draws(8), b"/a"))
        own = RANDOM._replace(seed=3)
        drawn = {Draws(s).draw(own, request(), 0)[0].asked for s in (7, 8)}
        self.assertEqual(len(drawn), 1)
        self.assertNotEqual(drawn, {*self.asked(Draws(7), b"/get")[b"/get"]})

    def test_of_the_method_and_the_key(self) -> None:
        def drawn(method: bytes, key: str | None) -> float:
            asked = RANDOM._replace(key=key)
            return Draws(7).draw(asked, request(b"/get", method), 0)[0].asked

        self.assertNotEqual(drawn(b"GET", None), drawn(b"POST", None))
        self.assertEqual(drawn(b"GET", "k"), drawn(b"POST", "k"))
        self.assertEqual(drawn(b"GET", "GET /get"), drawn(b"GET", None))

    def test_to_forget_is_to_begin_anew(self) -> None:
        draws = Draws(7)
        first = self.asked(draws, b"/a", b"/a")
        draws.forget()
        self.assertEqual(self.asked(draws, b"/a", b"/a"), first)

    def test_head_has_no_body(self) -> None:
        for asked in (RANDOM, behaviour()):
            for method, has_body in [(b"GET", True), (b"HEAD", False)]:
                reply, _ = Draws(7).draw(asked, request(method=method), 0)
                self.assertIs(reply.has_body, has_body)

    def test_what_is_not_counted(self) -> None:
        # A fault draws of the same numbers each time, as `garbage` does.
        draws = Draws(7)
        garbage = behaviour(fault="garbage")
        numbers = [draws.draw(garbage, request(), 0)[1].random() for _ in range(2)]
        self.assertEqual(numbers[0], numbers[1])

    def test_what_chance_leaves_alone_is_kept_for_the_request_that_asked(self) -> None:
        draws = Draws(7)
        one = request()
        one.behaviour = behaviour(status="201")
        first, _ = draws.draw(one.behaviour, one, 0)
        self.assertIs(draws.draw(one.behaviour, one, 0)[0], first)
        # What is answered in its place is another reply.
        self.assertEqual(draws.draw(behaviour(status="503"), one, 0)[0].status, 503)
        self.assertEqual(draws.draw(one.behaviour, one, 0)[0].status, 201)
        other = request()
        other.behaviour = behaviour(status="201")
        draws.draw(behaviour(status="503"), other, 0)
        self.assertEqual(draws.draw(other.behaviour, other, 0)[0].status, 201)

    def test_what_is_random_is_not_kept(self) -> None:
        for asked in [
            RANDOM,
            behaviour(seq="500,200"),
            behaviour(limit="1/10s"),
            Behaviour(_random_body, has_random_body=True),
            Behaviour(Whole(b""), drawn_headers=_nonce),
        ]:
            draws, one = Draws(7), request()
            one.behaviour = asked
            first, second = (draws.draw(asked, one, 0)[0] for _ in range(2))
            self.assertNotEqual(first, second)

    def test_headers_that_are_given_replace_drawn_ones(self) -> None:
        drawn = Behaviour(Whole(b""), headers=(("A", "b"),), drawn_headers=_nonce)
        reply, _ = Draws(7).draw(drawn, request(), 0)
        self.assertEqual([name for name, _ in reply.headers], ["Nonce", "A"])
        given = read_controls({"header": ["nonce:mine"]}, max_delay=300)
        reply, _ = Draws(7).draw(drawn.under(given), request(), 0)
        self.assertEqual(reply.headers, (("A", "b"), ("nonce", "mine")))

    def test_a_limit(self) -> None:
        draws = Draws(7)
        limited = behaviour(limit="2/10s", key="k", status="201")
        statuses = []
        for now in (0.0, 0.0, 0.0, 4.5, 5.0, 5.0):
            reply, _ = draws.draw(limited, request(), now)
            seconds = dict(reply.headers).get("Retry-After")
            statuses.append((reply.status, seconds))
        taken = (201, None)
        self.assertEqual(
            statuses, [taken, taken, (429, "5"), (429, "1"), taken, (429, "5")]
        )
