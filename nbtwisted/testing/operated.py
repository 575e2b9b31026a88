"""A server beside a test: it takes rules, and says what it was asked."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from nbtwisted.testing.rules import TakesRules

__all__ = ["OperatedServer"]

SECONDS_TO_ANSWER = 10
"""After which a server, or its process, is taken for one that hangs."""


class OperatedServer(TakesRules):
    """A server in another process, which operators reach at a port of 127.0.0.1.

    seed   decides what it leaves to chance
    """

    def __init__(self, operators_port: int, seed: int) -> None:
        self._operators_port = operators_port
        self.seed = seed

    def stats(self) -> dict[str, Any]:
        """Totals: `in_flight`, `requests`, `outcomes`, `by_status` and so on."""
        stats: dict[str, Any] = self._ask("GET", "/__admin/stats")
        return stats

    def reset(self) -> int:
        """Forget what was asked, and let go of what is held; returns how many."""
        released: int = self._ask("POST", "/__admin/reset")["released"]
        return released

    def _requests(self, key: str | None, rule: str | None) -> list[dict[str, Any]]:
        given = {"key": key, "rule": rule}
        query = urlencode({k: v for k, v in given.items() if v is not None})
        answer = self._ask("GET", f"/__admin/requests?{query}")
        requests: list[dict[str, Any]] = answer["requests"]
        return requests

    def _rules(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = self._ask("GET", "/__admin/rules")["rules"]
        return rules

    def _add_rule(self, rule: Mapping[str, Any]) -> None:
        try:
            self._ask("POST", "/__admin/rules", json.dumps(rule))
        except _Refused as refused:
            raise ValueError(str(refused)) from None

    def _remove_rule(self, name: str) -> None:
        try:
            self._ask("DELETE", f"/__admin/rules/{quote(name, safe='')}")
        except _Refused as refused:
            if refused.status != HTTPStatus.NOT_FOUND:
                raise

    def _ask(self, method: str, target: str, body: str | None = None) -> Any:
        """What an operator is answered; raises `_Refused`."""
        # Without a proxy, whatever the environment says.
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._operators_port, timeout=SECONDS_TO_ANSWER
        )
        try:
            connection.request(method, target, body)
            response = connection.getresponse()
            answer = json.load(response)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ConnectionError(f"{self!r} does not answer: {reason}") from error
        finally:
            connection.close()
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _Refused(response.status, answer)
        return answer


class _Refused(ValueError):
    """The server's refusal of what an operator asks."""

    def __init__(self, status: int, said: dict[str, Any]) -> None:
        rule = f"rule {said['rule']!r}: " if said.get("rule") else ""
        value = f" ({said['value']!r})" if said.get("value") else ""
        expected = f": expected {said['expected']}" if "expected" in said else ""
        super().__init__(f"{rule}{said['error']}{value}{expected}")
        self.status = status
