"""A server for tests, with rules from the beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime

from nbtwisted.server.body_files import BodyFiles
from nbtwisted.server.delay_server import DelayServer
from nbtwisted.server.rules.in_force import Origin
from nbtwisted.server.rules.reading import parse_default
from nbtwisted.server.rules.rule import UnreadableRule
from nbtwisted.server.rules_file import RulesFile

__all__ = ["server_with_rules"]


T = TypeVar("T", bound=DelayServer)


def server_with_rules(
    kind: type[T],
    *,
    clock: IReactorTime,
    rules: str | Sequence[Mapping[str, Any]] = (),
    default: str | None = None,
    **settings: Any,
) -> T:
    """Make a server of a kind; raises `ValueError` for rules that cannot be read.

    `rules` is the path of a file, which is read once, or a list of rules; `default` is
    as `--default`. The other settings are those of `DelayServer`.
    """
    folders = [Path(rules).parent] if isinstance(rules, str) else []
    server = kind(clock=clock, read_file=BodyFiles(folders).read, **settings)
    if default is not None:
        default_rule = parse_default(default, server.rules.reading)
        server.rules.set_origin(Origin.DEFAULT, [default_rule])
    if isinstance(rules, str):
        file = RulesFile(rules, server.rules, clock, say=lambda sentence: None)
        try:
            file.begin()
        except UnreadableRule as error:
            raise ValueError(f"{rules}: {error}") from None
        file.stop()
    else:
        listed = server.rules.parse({"rule": list(rules)})
        server.rules.set_origin(Origin.FILE, listed)
    return server
