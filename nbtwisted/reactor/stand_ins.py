"""Stand-ins for modules that Twisted imports and few programs use.

Twisted's reactors import OpenSSL for `startTLS`, asyncio for a test of a type, and
http.cookiejar for a name that is deprecated: that was 90 of the 200 ms in which
`nbtwisted get` started (Debian 12's Python 3.11). While a reactor is imported, a
stand-in has the place of each such module. It loads the module when something of it is
used.

Private names, with Twisted 24.11.0 and 26.10.0: `_newtls` takes `TLSMemoryBIOFactory`
from its module, and `address` and `unix` two functions of `filepath`. Whatever else
is taken from a stand-in loads the module at once, and is the module's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import CoroutineType, ModuleType
from typing import Any

__all__ = ["stand_ins"]


class _StandIn(ModuleType):
    """Has the place of a module, and all that it has."""

    def __getattr__(self, name: str) -> Any:
        # An import asks for `__path__`, and uses nothing.
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def _called_later(module: str, *names: str) -> dict[str, Callable[..., Any]]:
    """Functions by these names, which load the module when they are called."""

    def later(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return getattr(import_module(module), name)(*args, **kwargs)

        return call

    return {name: later(name) for name in names}


def _is_coroutine(value: object) -> bool:
    # As asyncio has it from Python 3.12 on. Before, generators are coroutines, too;
    # Twisted takes them for such in either case.
    return isinstance(value, (CoroutineType, Coroutine))


_TAKEN: dict[str, dict[str, Any]] = {
    # Twisted writes the first two in annotations only.
    "asyncio": {
        "AbstractEventLoop": None,
        "Future": None,
        "iscoroutine": _is_coroutine,
    },
    "http.cookiejar": {},
    "pickle": {},
    "twisted.internet.ssl": {},
    "twisted.internet.udp": {},
    "twisted.internet.unix": {},
    "twisted.protocols.tls": _called_later(
        "twisted.protocols.tls", "TLSMemoryBIOFactory"
    ),
    "twisted.python.filepath": _called_later(
        "twisted.python.filepath", "_asFilesystemBytes", "_coerceToFilesystemEncoding"
    ),
}
"""By module: what others take from it when they are imported, and keep."""


@contextmanager
def stand_ins() -> Iterator[None]:
    """Within this block, importing one of these modules yields its stand-in.

    A module that is loaded already has none.
    """
    made = {name: _StandIn(name) for name in _TAKEN if name not in sys.modules}
    for name, stand_in in made.items():
        vars(stand_in).update(_TAKEN[name])
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, stand_in in made.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
