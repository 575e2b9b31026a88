"""Whatever a program sends, the API answers it, and never by an error of ours."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests import examples
from tests.proxy.toxiproxy.in_memory import Memory
from tests.proxy.toxiproxy.test_routes import REDIS, SLOW

TYPES = ("latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer")
ATTRIBUTES = ("latency", "jitter", "rate", "delay", "timeout", "average_size", "bytes")

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["localhost:0", "127.0.0.1:1", "[::1]:1", "a:1", ":1", "x" * 300]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
proxies = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("a") | anything,
        "listen": st.just("") | anything,
        "upstream": st.just("localhost:1") | anything,
        "enabled": st.booleans() | anything,
    },
)
toxics = st.fixed_dictionaries(
    {},
    optional={
        "name": anything,
        "type": st.sampled_from([*TYPES, "limit_data", "noop"]) | anything,
        "stream": st.sampled_from(["upstream", "Downstream"]) | anything,
        "toxicity": st.floats(-2, 2) | anything,
        "attributes": st.dictionaries(
            st.sampled_from(ATTRIBUTES), st.integers(-(2**64), 2**64) | anything
        )
        | anything,
    },
)
bodies = st.one_of(proxies, toxics, st.lists(proxies, max_size=3), anything).map(
    lambda value: json.dumps(value).encode()
) | st.binary(max_size=30)
requests = st.tuples(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    st.sampled_from(
        [
            *("/proxies", "/populate", "/reset", "/proxies/redis", "/proxies/a"),
            *("/proxies/redis/toxics", "/proxies/redis/toxics/latency_downstream"),
            *("/version", "/proxies/%ff", "/proxies/%2f/toxics", "/%00"),
        ]
    ),
    bodies,
)


class AnyBodyTests(SynchronousTestCase):
    @settings(max_examples=examples(100), deadline=None)
    @given(st.lists(requests, max_size=5))
    def test_each_is_answered(self, asked: list[tuple[str, str, bytes]]) -> None:
        api = Memory()
        api.ask("POST", "/proxies", REDIS)
        api.ask("POST", "/proxies/redis/toxics", SLOW)
        for method, path, body in asked:
            answer = api.ask(method, path, raw=body)
            self.assertIn(answer.status, (200, 201, 204, 400, 404, 405, 409, 500))
            if answer.status == 500:
                self.assertIn("listen tcp", answer.json()["error"])
            self._check(api)

    def _check(self, api: Memory) -> None:
        """What is shown and what is open are the same."""
        shown: dict[str, Any] = api.ask("GET", "/proxies").json()
        self.assertEqual(
            sorted(proxy["listen"] for proxy in shown.values() if proxy["enabled"]),
            sorted(api.streams.open),
        )
        for name, proxy in shown.items():
            self.assertEqual(proxy["name"], name)
