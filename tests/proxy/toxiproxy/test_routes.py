"""The API over streams that only remember: methods, statuses, bodies and texts.

Toxiproxy's own tests of its API (api_test.go) say what is expected.
"""

from __future__ import annotations

import json
from errno import EMFILE
from typing import Any
from unittest.mock import patch

from nbtwisted.proxy.stream.stage import Direction, Latency, Placed, Timeout
from nbtwisted.proxy.toxiproxy import collection, named_proxy
from nbtwisted.server.model.delay import Delay
from tests.guard import ClockCase
from tests.proxy.toxiproxy.in_memory import ELSEWHERE, Count, Memory

REDIS = {"name": "redis", "listen": "localhost:26379", "upstream": "localhost:6379"}
SLOW = {"type": "latency", "attributes": {"latency": 100, "jitter": 10}}


def shown(name: str, listen: str, upstream: str, **more: Any) -> dict[str, Any]:
    proxy = {"name": name, "listen": listen, "upstream": upstream}
    return {**proxy, "enabled": True, "toxics": [], **more}


REDIS_SHOWN = shown("redis", "127.0.0.1:26379", "localhost:6379")


class APICase(ClockCase):
    def setUp(self) -> None:
        super().setUp()
        self.api = Memory()
        self.ask = self.api.ask

    def refused(self, status: int, message: str, *asked: Any, **more: Any) -> None:
        answer = self.ask(*asked, **more)
        self.assertEqual(answer.json(), {"error": message, "status": status})
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers["Content-Type"], "application/json")

    def listening(self) -> list[str]:
        return sorted(self.api.streams.open)

    def stages(self, address: str = "127.0.0.1:26379") -> list[Placed]:
        return self.api.streams.open[address].stages


class ProxyTests(APICase):
    def test_without_proxies(self) -> None:
        answer = self.ask("GET", "/proxies")
        self.assertEqual((answer.status, answer.body), (200, b"{}"))
        self.assertEqual(answer.headers["Content-Type"], "application/json")

    def test_a_proxy_is_made(self) -> None:
        answer = self.ask("POST", "/proxies", REDIS)
        self.assertEqual((answer.status, answer.json()), (201, REDIS_SHOWN))
        self.assertEqual(list(answer.json()), list(REDIS_SHOWN))
        self.assertEqual(self.listening(), ["127.0.0.1:26379"])
        self.assertEqual(self.ask("GET", "/proxies/redis").json(), REDIS_SHOWN)
        self.assertEqual(self.ask("GET", "/proxies").json(), {"redis": REDIS_SHOWN})

    def test_a_port_of_0_becomes_a_free_one(self) -> None:
        answer = self.ask("POST", "/proxies", {**REDIS, "listen": "127.0.0.1:0"})
        self.assertEqual(answer.json()["listen"], "127.0.0.1:40001")
        answer = self.ask("POST", "/proxies", {"name": "b", "upstream": "localhost:1"})
        self.assertEqual(answer.json()["listen"], "127.0.0.1:40002")

    def test_a_disabled_one_is_shown_as_it_was_written(self) -> None:
        answer = self.ask("POST", "/proxies", {**REDIS, "enabled": False})
        expected = {**REDIS_SHOWN, "listen": "localhost:26379", "enabled": False}
        self.assertEqual((answer.status, answer.json()), (201, expected))
        self.assertEqual(self.listening(), [])

    def test_fields_that_have_to_be_there(self) -> None:
        for given, field in (
            ({"upstream": "a:1"}, "name"),
            ({"name": "a"}, "upstream"),
        ):
            message = f"missing required field: {field}"
            self.refused(400, message, "POST", "/proxies", given)
        self.refused(
            400, "missing required field: name", "POST", "/proxies", {"name": ""}
        )

    def test_names_are_taken_once(self) -> None:
        self.ask("POST", "/proxies", REDIS)
        again = {**REDIS, "listen": "localhost:1"}
        self.refused(409, "proxy already exists", "POST", "/proxies", again)
        self.assertEqual(self.listening(), ["127.0.0.1:26379"])

    def test_a_port_that_is_taken(self) -> None:
        self.ask("POST", "/proxies", REDIS)
        message = "listen tcp 127.0.0.1:26379: bind: address already in use"
        other = {**REDIS, "name": "other"}
        self.refused(500, message, "POST", "/proxies", other)
        self.assertEqual(list(self.ask("GET", "/proxies").json()), ["redis"])
        self.assertEqual(self.ask("DELETE", "/proxies/redis").status, 204)
        self.assertEqual(self.ask("POST", "/proxies", other).status, 201)

    def test_no_more_descriptors(self) -> None:
        self.api.streams.fails = OSError(EMFILE, "Too many open files")
        message = "listen tcp 127.0.0.1:26379: bind: too many open files"
        self.refused(500, message, "POST", "/proxies", REDIS)
        self.assertEqual(self.ask("GET", "/proxies").json(), {})

    def test_an_address_that_others_can_reach(self) -> None:
        message = (
            "listen tcp 0.0.0.0:26379: other machines could connect; expected an "
            "address of this machine alone, such as 127.0.0.1:26379"
        )
        given = {**REDIS, "listen": "0.0.0.0:26379"}
        self.refused(400, message, "POST", "/proxies", given)
        remote = Memory(allow_remote=True)
        answer = remote.ask("POST", "/proxies", given)
        self.assertEqual(answer.json()["listen"], "0.0.0.0:26379")

    def test_an_upstream_that_cannot_be_read(self) -> None:
        given = {**REDIS, "upstream": "nowhere"}
        self.refused(400, "bad upstream", "POST", "/proxies", given)
        self.ask("POST", "/proxies", REDIS)
        self.refused(
            400, "bad upstream", "POST", "/proxies/redis", {"upstream": "nowhere"}
        )
        self.assertEqual(self.ask("GET", "/proxies/redis").json(), REDIS_SHOWN)

    def test_deleting(self) -> None:
        self.ask("POST", "/proxies", REDIS)
        answer = self.ask("DELETE", "/proxies/redis")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(self.listening(), [])
        self.assertEqual(self.ask("GET", "/proxies").json(), {})
        self.refused(404, "proxy not found", "DELETE", "/proxies/redis")

    def test_names_of_no_proxy(self) -> None:
        for method, path in (
            ("GET", "/proxies/redis"),
            ("POST", "/proxies/redis"),
            ("PATCH", "/proxies/redis"),
            ("DELETE", "/proxies/redis"),
            ("GET", "/proxies/redis/toxics"),
            ("POST", "/proxies/redis/toxics"),
            ("GET", "/proxies/redis/toxics/a"),
            ("POST", "/proxies/redis/toxics/a"),
            ("PATCH", "/proxies/redis/toxics/a"),
            ("DELETE", "/proxies/redis/toxics/a"),
        ):
            self.refused(404, "proxy not found", method, path, {})

    def test_names_in_paths_are_unquoted(self) -> None:
        self.ask("POST", "/proxies", {**REDIS, "name": "r é?"})
        answer = self.ask("GET", "/proxies/r%20%C3%A9%3F")
        self.assertEqual(answer.json()["name"], "r é?")


class UpdateTests(APICase):
    def setUp(self) -> None:
        super().setUp()
        self.ask("POST", "/proxies", REDIS)
        self.ask("POST", "/proxies/redis/toxics", SLOW)

    def change(self, **fields: Any) -> Any:
        answer = self.ask("POST", "/proxies/redis", fields)
        self.assertEqual(answer.status, 200)
        return answer.json()

    def test_disabled_and_enabled_again_it_has_its_port_and_toxics(self) -> None:
        stream = self.api.streams.open["127.0.0.1:26379"]
        changed = self.change(enabled=False)
        self.assertFalse(changed["enabled"])
        self.assertEqual(changed["listen"], "127.0.0.1:26379")
        self.assertEqual(self.listening(), [])
        self.assertEqual(len(changed["toxics"]), 1)
        # What is there while it is closed acts when it is open.
        self.ask("POST", "/proxies/redis/toxics", {"type": "timeout"})
        self.assertTrue(self.change(enabled=True)["enabled"])
        self.assertEqual(self.listening(), ["127.0.0.1:26379"])
        self.assertIsNot(self.api.streams.open["127.0.0.1:26379"], stream)
        self.assertEqual(
            [it.name for it in self.stages()],
            ["latency_downstream", "timeout_downstream"],
        )

    def test_the_same_again_changes_nothing(self) -> None:
        stream = self.api.streams.open["127.0.0.1:26379"]
        for fields in ({}, REDIS, {"enabled": True}):
            self.change(**fields)
            self.assertIs(self.api.streams.open["127.0.0.1:26379"], stream)

    def test_another_upstream_or_address_restarts_it(self) -> None:
        stream = self.api.streams.open["127.0.0.1:26379"]
        self.change(upstream="localhost:6380")
        other = self.api.streams.open["127.0.0.1:26379"]
        self.assertIsNot(other, stream)
        self.assertEqual(other.upstream, "localhost:6380")
        self.assertEqual(self.change(listen="localhost:1")["listen"], "127.0.0.1:1")
        self.assertEqual(self.listening(), ["127.0.0.1:1"])
        self.assertEqual(len(self.stages("127.0.0.1:1")), 1)

    def test_a_new_address_that_cannot_be_had_leaves_it_disabled(self) -> None:
        self.ask("POST", "/proxies", {**REDIS, "name": "b", "listen": "localhost:1"})
        message = "listen tcp 127.0.0.1:1: bind: address already in use"
        self.refused(500, message, "POST", "/proxies/redis", {"listen": "localhost:1"})
        now = self.ask("GET", "/proxies/redis").json()
        self.assertEqual((now["listen"], now["enabled"]), ("localhost:1", False))

    def test_a_new_address_that_cannot_be_read_changes_nothing(self) -> None:
        message = "listen tcp: address nowhere: missing port in address"
        self.refused(500, message, "PATCH", "/proxies/redis", {"listen": "nowhere"})
        self.assertEqual(self.listening(), ["127.0.0.1:26379"])

    def test_what_is_neither_true_nor_false(self) -> None:
        message = "bad request body: enabled: expected true or false"
        self.refused(400, message, "POST", "/proxies/redis", {"enabled": "no"})
        self.assertEqual(self.listening(), ["127.0.0.1:26379"])

    def test_its_name_stays(self) -> None:
        self.assertEqual(self.change(name="other")["name"], "redis")

    def test_what_is_no_object(self) -> None:
        message = 'bad request body: expected a JSON object such as {"enabled": false}'
        self.refused(400, message, "POST", "/proxies/redis", [])

    def test_reset(self) -> None:
        self.change(enabled=False)
        answer = self.ask("POST", "/reset")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(self.ask("GET", "/proxies").json(), {"redis": REDIS_SHOWN})
        self.assertEqual(self.stages(), [])
        self.ask("POST", "/proxies/redis/toxics", SLOW)
        self.ask("POST", "/reset")
        self.assertEqual(self.stages(), [])


class RingTests(APICase):
    def make(self, name: str, listen: int, upstream: int, host: str = "") -> Any:
        return self.ask(
            "POST",
            "/proxies",
            {
                "name": name,
                "listen": f"localhost:{listen}",
                "upstream": f"{host or 'localhost'}:{upstream}",
            },
        )

    def test_a_proxy_that_leads_to_itself(self) -> None:
        for host in ("localhost", "127.0.0.1"):
            answer = self.make("a", 1, 1, host)
            self.assertEqual(answer.status, 400)
            self.assertEqual(
                answer.json()["error"],
                f"upstream {host}:1: it leads back to this proxy",
            )
        self.assertEqual(self.make("a", 1, 1, "example.com").status, 201)

    def test_a_ring_of_some(self) -> None:
        self.assertEqual(self.make("a", 1, 2).status, 201)
        self.assertEqual(self.make("b", 2, 3).status, 201)
        self.assertEqual(self.make("c", 3, 1).status, 400)
        # One that is there already, of which this one would not be a part.
        self.assertEqual(self.make("d", 4, 1).status, 201)
        self.assertEqual(self.make("c", 3, 5).status, 201)
        upstream = {"upstream": "localhost:1"}
        message = "upstream localhost:1: it leads back to this proxy"
        self.refused(400, message, "POST", "/proxies/c", upstream)
        # It is as it would be if its port were taken.
        self.assertFalse(self.ask("GET", "/proxies/c").json()["enabled"])
        self.refused(400, message, "POST", "/reset")

    def test_a_wildcard_is_everywhere(self) -> None:
        self.api = Memory(allow_remote=True)
        self.ask = self.api.ask
        for host in ("127.0.0.1", "[::1]", "localhost"):
            given = {"name": "a", "listen": ":1", "upstream": f"{host}:1"}
            self.assertEqual(self.ask("POST", "/proxies", given).status, 400)
        given = {"name": "a", "listen": ":1", "upstream": "192.168.1.9:1"}
        self.assertEqual(self.ask("POST", "/proxies", given).status, 201)

    def test_a_disabled_one_leads_nowhere(self) -> None:
        self.make("a", 1, 2)
        self.ask("POST", "/proxies/a", {"enabled": False})
        self.assertEqual(self.make("b", 2, 1).status, 201)
        self.assertEqual(self.ask("POST", "/proxies/a", {"enabled": True}).status, 400)


class PopulateTests(APICase):
    def populate(self, *proxies: Any) -> Any:
        answer = self.ask("POST", "/populate", list(proxies))
        self.assertEqual(answer.status, answer.json().get("status", 201))
        return answer.json()

    def test_all_are_made_in_order(self) -> None:
        two = {"name": "a", "upstream": "localhost:1", "enabled": False}
        made = self.populate(REDIS, two)
        self.assertEqual(
            made,
            {"proxies": [REDIS_SHOWN, shown("a", "", "localhost:1", enabled=False)]},
        )
        self.assertEqual(self.listening(), ["127.0.0.1:26379"])

    def test_those_that_are_alike_stay_and_others_are_replaced(self) -> None:
        self.populate(REDIS, {**REDIS, "name": "b", "listen": "localhost:1"})
        for name in ("redis", "b"):
            self.ask("POST", f"/proxies/{name}/toxics", SLOW)
        made = self.populate(REDIS, {**REDIS, "name": "b", "listen": "localhost:2"})
        self.assertEqual([len(it["toxics"]) for it in made["proxies"]], [1, 0])
        self.assertEqual(self.listening(), ["127.0.0.1:2", "127.0.0.1:26379"])

    def test_none_are_made_if_one_cannot_be_read(self) -> None:
        self.assertEqual(
            self.populate(REDIS, {"name": "b"}),
            {
                "error": "missing required field: upstream at proxy 2",
                "status": 400,
                "proxies": None,
            },
        )
        self.assertEqual(self.ask("GET", "/proxies").json(), {})

    def test_those_before_one_that_fails_are_made(self) -> None:
        wrong = {**REDIS, "name": "b", "listen": "local373"}
        last = {**REDIS, "name": "c", "listen": "localhost:3"}
        self.assertEqual(
            self.populate(REDIS, wrong, last),
            {
                "error": "listen tcp: address local373: missing port in address",
                "status": 500,
                "proxies": [REDIS_SHOWN],
            },
        )
        self.assertEqual(list(self.ask("GET", "/proxies").json()), ["redis"])

    def test_nobody(self) -> None:
        self.assertEqual(self.populate(), {"proxies": None})

    def test_what_is_no_list(self) -> None:
        answer = self.ask("POST", "/populate", REDIS)
        self.assertEqual(answer.status, 400)
        self.assertIn(
            "expected a JSON list of objects such as [", answer.json()["error"]
        )


class ToxicTests(APICase):
    def setUp(self) -> None:
        super().setUp()
        self.ask("POST", "/proxies", REDIS)

    def add(self, **fields: Any) -> Any:
        answer = self.ask("POST", "/proxies/redis/toxics", fields)
        self.assertEqual(answer.status, 200)
        return answer.json()

    def test_a_toxic_is_added_and_acts(self) -> None:
        expected = {
            "attributes": {"latency": 100, "jitter": 0},
            "name": "latency_downstream",
            "type": "latency",
            "stream": "downstream",
            "toxicity": 1,
        }
        self.assertEqual(
            self.add(type="latency", attributes={"latency": 100}), expected
        )
        self.assertEqual(
            self.stages(),
            [Placed("latency_downstream", Direction.DOWN, Latency(Delay((0.1,))))],
        )
        self.assertEqual(self.ask("GET", "/proxies/redis/toxics").json(), [expected])
        self.assertEqual(
            self.ask("GET", "/proxies/redis/toxics/latency_downstream").json(),
            expected,
        )
        self.assertEqual(
            self.ask("GET", "/proxies/redis").json(),
            {**REDIS_SHOWN, "toxics": [expected]},
        )

    def test_those_of_upstream_are_listed_first_and_all_act_as_they_came(self) -> None:
        self.add(**SLOW)
        self.add(**SLOW, stream="upstream")
        self.add(type="timeout", name="last")
        toxics = self.ask("GET", "/proxies/redis/toxics").json()
        self.assertEqual(
            [it["name"] for it in toxics],
            ["latency_upstream", "latency_downstream", "last"],
        )
        self.assertEqual(
            [it.name for it in self.stages()],
            ["latency_downstream", "latency_upstream", "last"],
        )

    def test_names_are_taken_once_in_both_directions(self) -> None:
        self.add(**SLOW, name="a", stream="upstream")
        for kind in ("latency", "slow_close"):
            self.refused(
                *(409, "toxic already exists", "POST", "/proxies/redis/toxics"),
                {"type": kind, "name": "a"},
            )
        self.assertEqual(len(self.stages()), 1)

    def test_wrong_toxics(self) -> None:
        for fields, message in (
            (
                {"type": "latency", "stream": "walrustream"},
                "stream was invalid, can be either upstream or downstream",
            ),
            ({"type": "lag"}, "invalid toxic type"),
            (
                {"type": "latency", "attributes": []},
                "bad request body: attributes: expected an object",
            ),
        ):
            self.refused(400, message, "POST", "/proxies/redis/toxics", fields)
        self.assertEqual(self.stages(), [])

    def test_an_update_changes_a_part_at_once(self) -> None:
        self.add(**SLOW)
        self.add(type="timeout")
        path = "/proxies/redis/toxics/latency_downstream"
        for method, latency in (("POST", 200), ("PATCH", 300)):
            answer = self.ask(method, path, {"attributes": {"latency": latency}})
            self.assertEqual(answer.status, 200)
            attributes = answer.json()["attributes"]
            self.assertEqual(attributes, {"latency": latency, "jitter": 10})
            self.assertEqual(self.ask("GET", path).json(), answer.json())
        self.ask("PATCH", path, {"attributes": {"jitter": 0}, "toxicity": 0.5})
        self.assertEqual(
            self.stages(),
            [
                Placed(
                    *("latency_downstream", Direction.DOWN, Latency(Delay((0.3,)))), 0.5
                ),
                Placed("timeout_downstream", Direction.DOWN, Timeout(None)),
            ],
        )

    def test_an_update_that_cannot_be_read_changes_nothing(self) -> None:
        self.add(**SLOW)
        path = "/proxies/redis/toxics/latency_downstream"
        before = self.stages()
        message = "bad request body: attributes.jitter: expected a whole number"
        attributes = {"latency": 5, "jitter": "much"}
        self.refused(400, message, "POST", path, {"attributes": attributes})
        self.assertEqual(self.stages(), before)

    def test_a_toxic_is_removed(self) -> None:
        self.add(**SLOW)
        path = "/proxies/redis/toxics/latency_downstream"
        answer = self.ask("DELETE", path)
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(self.stages(), [])
        for method in ("GET", "POST", "PATCH", "DELETE"):
            self.refused(404, "toxic not found", method, path, {})


class LimitTests(APICase):
    def test_proxies(self) -> None:
        with patch.object(collection, "MOST_PROXIES", 2):
            for number in (1, 2):
                self.ask(
                    "POST", "/proxies", {**REDIS, "name": f"{number}", "listen": ""}
                )
            message = "too many proxies: expected at most 2"
            self.refused(400, message, "POST", "/proxies", REDIS)
            answer = self.ask("POST", "/populate", [REDIS])
            self.assertEqual(answer.json()["error"], message)
            self.assertIsNone(answer.json()["proxies"])
            # None of those that would be too many is opened.
            answer = self.ask("POST", "/populate", [{**REDIS, "name": "1"}, REDIS])
            self.assertEqual(answer.json()["error"], message)
            self.assertNotIn("127.0.0.1:26379", self.listening())
            # One that is there may be replaced.
            answer = self.ask("POST", "/populate", [{**REDIS, "name": "1"}])
            self.assertEqual(answer.status, 201)

    def test_toxics(self) -> None:
        self.ask("POST", "/proxies", REDIS)
        path = "/proxies/redis/toxics"
        self.ask("POST", path, SLOW)
        other = {**SLOW, "name": "b"}
        with patch.object(collection, "MOST_TOXICS", 1):
            message = "too many toxics: expected at most 1 of all proxies"
            self.refused(400, message, "POST", path, other)
        with patch.object(named_proxy, "MOST_TOXICS_OF_ONE", 1):
            message = "too many toxics: expected at most 1 of a proxy"
            self.refused(400, message, "POST", path, other)

    def test_names(self) -> None:
        message = "bad request body: name: expected at most 256 characters"
        self.refused(400, message, "POST", "/proxies", {**REDIS, "name": "n" * 257})
        self.assertEqual(
            self.ask("POST", "/proxies", {**REDIS, "name": "n" * 256}).status, 201
        )


class WaitingTests(APICase):
    def test_an_answer_waits_until_the_port_is_closed(self) -> None:
        self.ask("POST", "/proxies", REDIS)
        self.api.streams.is_slow = True
        answers = self.api.begin("POST", "/proxies/redis", {"enabled": False})
        self.assertEqual(answers, [])
        # Others that change nothing do not wait.
        self.assertEqual(self.ask("GET", "/version").status, 200)
        self.assertFalse(self.ask("GET", "/proxies/redis").json()["enabled"])
        # Those that do, do.
        made = self.api.begin("POST", "/proxies", {**REDIS, "name": "b"})
        self.assertEqual(made, [])
        self.api.streams.closing.pop().callback(None)
        self.assertEqual([it.status for it in answers + made], [200])
        self.api.streams.opening.pop()()
        self.assertEqual([it.status for it in answers + made], [200, 201])

    def test_a_toxic_that_comes_while_the_port_opens(self) -> None:
        self.ask("POST", "/proxies", {**REDIS, "enabled": False})
        self.api.streams.is_slow = True
        answers = self.api.begin("POST", "/proxies/redis", {"enabled": True})
        self.ask("POST", "/proxies/redis/toxics", SLOW)
        self.assertEqual((answers, self.stages()), ([], []))
        self.api.streams.opening.pop()()
        self.assertEqual([it.status for it in answers], [200])
        self.assertEqual([it.name for it in self.stages()], ["latency_downstream"])

    def test_closing_closes_every_port_for_good(self) -> None:
        for name in ("a", "b"):
            self.ask("POST", "/proxies", {**REDIS, "name": name, "listen": ""})
        self.successResultOf(self.api.close())
        self.assertEqual(self.listening(), [])
        self.assertEqual(self.ask("GET", "/proxies").json(), {})
        self.refused(503, "the proxy is about to stop", "POST", "/proxies", REDIS)
        self.assertEqual(self.ask("POST", "/populate", [REDIS]).status, 503)

    def test_others_have_their_turn_while_many_are_opened_and_closed(self) -> None:
        many = [{"name": f"{n}", "upstream": "localhost:1"} for n in range(50)]
        for do in (
            lambda: self.ask("POST", "/populate", many),
            lambda: self.ask("POST", "/reset"),
            self.api.close,
        ):
            before = self.api.streams.turns
            do()
            self.assertEqual(self.api.streams.turns - before, 2)


class OtherTests(APICase):
    def test_the_version(self) -> None:
        answer = self.ask("GET", "/version")
        self.assertEqual(answer.body, b'{"version": "2.12.0+test"}\n')
        self.assertEqual(
            answer.headers["Content-Type"], "application/json;charset=utf-8"
        )

    def test_the_metrics(self) -> None:
        self.ask("POST", "/proxies", REDIS)
        stream = self.api.streams.open["127.0.0.1:26379"]
        stream.journal.bytes_up, stream.journal.bytes_down = 100, 20
        stream.links += [Count(3, 4), Count(5, 6)]

        def sent(direction: str) -> float:
            answer = self.ask("GET", "/metrics")
            self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
            labels = (
                f'direction="{direction}",listener="127.0.0.1:26379",'
                'proxy="redis",upstream="localhost:6379"'
            )
            name = f"toxiproxy_proxy_sent_bytes_total{{{labels}}} "
            for line in answer.body.decode().splitlines():
                if line.startswith(name):
                    return float(line.removeprefix(name))
            raise AssertionError(answer.body)

        self.assertEqual((sent("upstream"), sent("downstream")), (108, 30))
        # They go on counting when the proxy is closed and opened again.
        for enabled in (False, True):
            self.ask("POST", "/proxies/redis", {"enabled": enabled})
            self.assertEqual((sent("upstream"), sent("downstream")), (108, 30))
        self.api.streams.open["127.0.0.1:26379"].links.append(Count(1, 1))
        self.assertEqual((sent("upstream"), sent("downstream")), (109, 31))

    def test_every_request_has_an_identifier(self) -> None:
        found = {
            self.ask(*asked).headers["X-Toxiproxy-Request-Id"]
            for asked in (("GET", "/version"), ("GET", "/nowhere"), ("POST", "/reset"))
        }
        self.assertEqual(found, {"id00000001", "id00000002", "id00000003"})

    def test_other_paths(self) -> None:
        for path in ("/", "/nowhere", "/proxies/", "/proxies/a/b"):
            answer = self.ask("GET", path)
            self.assertEqual(
                (answer.status, answer.body), (404, b"404 page not found\n")
            )

    def test_other_methods(self) -> None:
        for method, path, allowed in (
            ("DELETE", "/proxies", "GET, HEAD, POST"),
            ("GET", "/reset", "POST"),
            ("PUT", "/proxies/a", "DELETE, GET, HEAD, PATCH, POST"),
        ):
            answer = self.ask(method, path)
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.headers["Allow"], allowed)
            self.assertEqual(
                answer.json()["error"], f"method not allowed: expected {allowed}"
            )

    def test_what_fails_is_told_to_the_log_and_not_to_the_client(self) -> None:
        with patch.object(self.api.collection, "get", side_effect=ZeroDivisionError):
            self.refused(500, "internal server error", "GET", "/proxies/a")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class CallerTests(APICase):
    def ask_with(self, *headers: tuple[str, str], **more: Any) -> Any:
        if all(name != "Host" for name, _ in headers):
            headers = (("Host", "localhost:8474"), *headers)
        return self.ask("GET", "/version", headers=headers, **more)

    def test_browsers(self) -> None:
        answer = self.ask_with(("User-Agent", "Mozilla/5.0 (Linux; Android 4.4.2)"))
        self.assertEqual(
            (answer.status, answer.body), (403, b"User agent not allowed\n")
        )
        for name in ("Wget/2.1", "python-requests/2.32", "node", ""):
            self.assertEqual(self.ask_with(("User-Agent", name)).status, 200)

    def test_pages_that_hide_their_browser(self) -> None:
        for header in (
            ("Origin", "https://example.com"),
            ("Origin", "null"),
            ("Origin", "http://localhost:8474"),
            ("Sec-Fetch-Site", "cross-site"),
        ):
            answer = self.ask_with(header, ("User-Agent", "curl"))
            self.assertEqual(answer.status, 403)
            self.assertEqual(answer.json()["error"], "not for pages in a browser")

    def test_strange_names(self) -> None:
        for host, status in (
            ("127.0.0.1:8474", 200),
            ("[::1]:8474", 200),
            ("localhost", 200),
            ("rebound.example.com:8474", 403),
            ("a b", 400),
        ):
            self.assertEqual(self.ask_with(("Host", host)).status, status)
        two = (("Host", "localhost"), ("Host", "127.0.0.1"))
        self.assertEqual(self.ask_with(*two).status, 400)

    def test_other_machines(self) -> None:
        answer = self.ask_with(addresses=ELSEWHERE)
        self.assertEqual(answer.status, 403)
        self.assertEqual(answer.json()["error"], "only for programs on this machine")
        answer = self.ask_with(("X-Forwarded-For", "192.168.1.9"))
        self.assertEqual(answer.status, 403)
        self.assertEqual(
            answer.json()["error"], "not through a proxy (X-Forwarded-For)"
        )

    def test_other_machines_that_may(self) -> None:
        remote = Memory(allow_remote=True)
        for headers, status in (
            ([("Host", "toxiproxy:8474")], 200),
            ([("Host", "toxiproxy:8474"), ("Origin", "http://toxiproxy:8474")], 403),
            ([("Host", "toxiproxy:8474"), ("User-Agent", "Mozilla/5.0")], 403),
        ):
            answer = remote.ask("GET", "/version", headers=headers, addresses=ELSEWHERE)
            self.assertEqual(answer.status, status)

    def test_targets_that_are_no_paths(self) -> None:
        for target in ("*", "http:", "proxies"):
            answer = self.ask("GET", target)
            self.assertEqual(answer.status, 400)
            self.assertIn("expected a path", json.loads(answer.body)["error"])
