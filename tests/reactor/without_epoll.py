"""What tests of reactors need that have no epoll object."""

from __future__ import annotations

from typing import Any
from unittest import mock

__all__ = ["WithoutEpoll"]


class WithoutEpoll:
    """Put before `ReactorTestCase`, whose reactors have one to be closed."""

    def _take_apart(self, reactor: Any, served_by_it: list[Any]) -> None:
        reactor._poller = mock.Mock()
        super()._take_apart(reactor, served_by_it)  # type: ignore[misc]
