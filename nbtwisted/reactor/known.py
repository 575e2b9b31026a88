"""Reactors of ours go by the names of Twisted's."""

from __future__ import annotations

import functools
from typing import Any, cast

__all__ = ["KnownAsTwisteds", "twisteds_class"]


def twisteds_class(kind: type[Any]) -> type[Any]:
    """The class of Twisted's that a class of a reactor is, or stands on."""
    is_twisteds = (base for base in kind.__mro__ if _room(base) == "twisted")
    return next(is_twisteds, kind)


def _room(kind: type[Any]) -> str:
    return kind.__module__.partition(".")[0]


@functools.lru_cache
def _known(kind: Any) -> type[Any]:
    """A class like `kind` by the name of Twisted's, whose full name tells both."""
    twisteds = twisteds_class(kind)
    if kind.__name__ == twisteds.__name__:
        return cast(type[Any], kind)
    where = f"{kind.__module__}.{kind.__qualname__}"
    return type(twisteds.__name__, (kind,), {"__module__": where})


class KnownAsTwisteds:
    """Goes by the name of Twisted's reactor where an object is asked its class.

    Autobahn asks for that name, and Twisted's own tests do, which also set it.
    `type()` is not asked.
    """

    @property
    def __class__(self) -> Any:
        kind: Any = type(self)
        return _known(kind)

    @__class__.setter
    def __class__(self, kind: type[Any]) -> None:
        object.__dict__["__class__"].__set__(self, kind)
