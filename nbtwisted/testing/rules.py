"""Rules that a test gives to its server, and takes away again."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import Any

from nbtwisted.testing.attempts import gaps_between

__all__ = ["RuleInForce", "TakesRules", "as_in_json"]


def as_in_json(given: Any) -> Any:
    """Give the same with tuples as lists; raises `ValueError` for what JSON has not."""
    try:
        return json.loads(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError) as error:
        expected = "texts, numbers, lists and tables"
        raise ValueError(f"{error}: expected {expected}") from None


class RuleInForce:
    """A rule that a test gave. It acts until it is removed, or its time is over.

    A `with` block removes it at its end.

    name   the name that the journal has for it
    """

    def __init__(self, server: TakesRules, name: str) -> None:
        self._server = server
        self.name = name

    def __repr__(self) -> str:
        return f"<RuleInForce {self.name!r}>"

    def __enter__(self) -> RuleInForce:
        return self

    def __exit__(self, *why: object) -> None:
        self.remove()

    def requests(self) -> list[dict[str, Any]]:
        """The requests that it acted on, oldest first, as the server's `requests`."""
        return self._server.requests(rule=self)

    def gaps(self) -> list[float]:
        """Seconds that the client let pass between these, as the server's `gaps`."""
        return self._server.gaps(rule=self)

    def remove(self) -> None:
        """Have it act no more; nothing is done if it is gone already."""
        self._server._remove_rule(self.name)


class TakesRules(ABC):
    """A server to which a test gives rules."""

    def requests(
        self, key: str | None = None, *, rule: RuleInForce | str | None = None
    ) -> list[dict[str, Any]]:
        """The journal, oldest first: all of it, or of a key, or what a rule acted on.

        Each request has `id`, `time`, `peer`, `method`, `target`, `headers`, `key`,
        `rule`, `asked`, `held` and `took` (seconds), `status`, `fault`, `sent` (bytes)
        and `outcome`: `in flight`, `answered`, `broken`, `cancelled` or `released`.
        """
        name = rule.name if isinstance(rule, RuleInForce) else rule
        return self._requests(key, name)

    def gaps(
        self, key: str | None = None, *, rule: RuleInForce | str | None = None
    ) -> list[float]:
        """Seconds that the client let pass between each two of these requests.

        Each is counted from the end of one request (also of one that was broken off) to
        the start of the next, and is 0 if that came before the end. It is not shorter
        than the client's pause, unless the client has left before it had its answer:
        that is seen a moment later.
        """
        return gaps_between(self.requests(key, rule=rule))

    def rule(
        self,
        *,
        name: str | None = None,
        method: str | Sequence[str] | None = None,
        path: str | None = None,
        query: Mapping[str, Any] | None = None,
        match: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> RuleInForce:
        """Have a rule act from now on, before all others; it may be a `with` block's.

        `method`, `path` and `query` say which requests it is for, and `match` can have
        these, `header` and `target`. The other fields are named as in a file of rules:
        `delay="2s"`, `status=503`, `steps=[…]`, and `for_="30s"`, because `for` is
        Python's. Raises `ValueError` with what was expected.
        """
        if name is None:
            name = f"fixture rule {next(self._numbers)}"
        if not isinstance(match, Mapping | None):
            raise ValueError(f"match={match!r}: expected a table of path, method, …")
        wanted = dict(match or {})
        for field, value in {"method": method, "path": path, "query": query}.items():
            if value is None:
                continue
            if field in wanted:
                raise ValueError(f"{field}={value!r}: expected it not in match, too")
            wanted[field] = value
        rule = {field.removesuffix("_"): value for field, value in fields.items()}
        # Rules of streams have none.
        rule |= {"name": name, **({"match": wanted} if wanted else {})}
        self._add_rule(as_in_json(rule))
        return RuleInForce(self, name)

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force, in the order in which they are tried.

        Each has `name`, `rule` (as it was given), `origin` (`admin` for those of a
        test), `requests` (how many it acted on) and `expires_in` (seconds).
        """
        return self._rules()

    @cached_property
    def _numbers(self) -> Iterator[int]:
        # None comes again: the journal goes by names.
        return count(1)

    @abstractmethod
    def _requests(self, key: str | None, rule: str | None) -> list[dict[str, Any]]:
        """The journal's requests of a key and of a rule, if they are given."""

    @abstractmethod
    def _rules(self) -> list[dict[str, Any]]:
        """All rules."""

    @abstractmethod
    def _add_rule(self, rule: Mapping[str, Any]) -> None:
        """Take a rule; raises `ValueError`."""

    @abstractmethod
    def _remove_rule(self, name: str) -> None:
        """Remove the rule of this name, if there is one."""
