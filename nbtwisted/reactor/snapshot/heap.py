"""All objects of the process, and who refers to which: as the garbage collector has it.

No code of the program runs here: the collector knows what an object refers to without
asking it. Objects are told apart by `id` and by the `id` of their class, since a class
can have any `__hash__` and `__eq__`.
"""

from __future__ import annotations

import gc
import math
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from types import (
    BuiltinFunctionType,
    CodeType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any

__all__ = ["Heap", "bases", "is_just", "is_set"]

_mro_of_class = type.__dict__["__mro__"].__get__
_dict_of_class = type.__dict__["__dict__"].__get__

_REFERS_TO_NOTHING = (
    BuiltinFunctionType,
    CodeType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
    bool,
    bytes,
    float,
    int,
    str,
    type,
    type(None),
)
"""Whose holders are of no interest: most references are to these."""

_GETTERS = (GetSetDescriptorType, MemberDescriptorType)
_NOTHING: tuple[int, ...] = ()


def bases(kind: type) -> tuple[type, ...]:
    """The classes that a class is made of, itself first."""
    found: tuple[type, ...] = _mro_of_class(kind)
    return found


class Heap:
    """The objects that there are now, and their holders.

    `objects` are those that the collector knows: all that can refer to others. Where
    there are millions, it takes seconds to learn who holds whom: it ends at `until`, by
    `time.monotonic`, and is not complete then.
    """

    def __init__(self, until: float = math.inf) -> None:
        objects = gc.get_objects()
        # The last one is known to be held by this list alone.
        objects.append([])
        # Before anything else here refers to them.
        counts = array("q", map(sys.getrefcount, objects))
        self.objects: list[Any] = objects
        self._getters: dict[int, Callable[[Any], Any] | None] = {}
        self._own: set[int] = {id(objects), id(objects[-1])}
        self._holders: dict[int, int | list[int]] = {}
        self.is_complete = self._index(until)
        self._hidden = self._find_hidden(counts)

    def _index(self, until: float) -> bool:
        # An instance's values move into a dictionary when somebody asks for that, so
        # this comes before all questions.
        nothing = {id(kind) for kind in _REFERS_TO_NOTHING}
        # Their dictionaries are known without them; and Python 3.12's asyncio shows the
        # collector objects that it has freed, which nobody must touch.
        modules = _modules()
        holders = self._holders
        referents = gc.get_referents
        known = holders.get
        for position, thing in enumerate(self.objects):
            if not position % 65536 and monotonic() > until:
                return False
            if id(type(thing)) in modules:
                continue
            for held in referents(thing):
                if id(type(held)) in nothing:
                    continue
                name = id(held)
                others = known(name)
                if others is None:
                    holders[name] = position
                elif isinstance(others, int):
                    holders[name] = [others, position]
                else:
                    others.append(position)
        return True

    def _find_hidden(self, counts: array[int]) -> dict[int, int]:
        hidden = {}
        known = self._holders.get
        of_the_list = counts[-1]
        for thing, count in zip(self.objects, counts, strict=True):
            places = known(id(thing))
            if places is None:
                count -= of_the_list
            elif isinstance(places, int):
                count -= of_the_list + 1
            else:
                count -= of_the_list + len(places)
            if count > 0:
                hidden[id(thing)] = count
        return hidden

    def disregard(self, thing: object) -> None:
        """Say of an object that it is not the program's."""
        self._own.add(id(thing))

    def holders(self, thing: object) -> Iterator[Any]:
        """The objects that refer to this one, each as often as it does."""
        for position in self._places(thing):
            holder = self.objects[position]
            if id(holder) not in self._own:
                yield holder

    def hidden_holders(self, thing: object) -> int:
        """How many references to an object are of none that the collector knows.

        They are those of running functions, and of what is written in C.
        """
        return self._hidden.get(id(thing), 0)

    def fields(self, thing: object) -> dict[str, Any]:
        """What an object has in its `__dict__`, as it is; empty if it has none."""
        kind = type(thing)
        name = id(kind)
        if name not in self._getters:
            self._getters[name] = _dictionary_of(kind)
        getter = self._getters[name]
        found = None if getter is None else getter(thing)
        return found if type(found) is dict else {}

    def attribute(self, thing: object, name: str) -> Any:
        """An attribute: of a slot, of a class written in C, or of the `__dict__`."""
        for base in bases(type(thing)):
            descriptor = _dict_of_class(base).get(name)
            if is_just(descriptor, *_GETTERS):
                try:
                    return descriptor.__get__(thing)
                except AttributeError:
                    return None
        found = self.fields(thing).get(name)
        if found is None and self._getters[id(type(thing))] is None:
            # Futures have a dictionary, which is no attribute of theirs.
            for held in gc.get_referents(thing):
                if type(held) is dict and name in held:
                    return held[name]
            # Since Python 3.14, not even that.
            if not any(name in _dict_of_class(base) for base in bases(type(thing))):
                with suppress(AttributeError):
                    return object.__getattribute__(thing, name)
        return found

    def _places(self, thing: object) -> list[int] | tuple[int, ...]:
        places = self._holders.get(id(thing), _NOTHING)
        return (places,) if isinstance(places, int) else places


def _modules() -> set[int]:
    """The `id`s of the classes of modules."""
    found: set[int] = set()
    queue: list[type] = [ModuleType]
    while queue:
        kind = queue.pop()
        found.add(id(kind))
        queue += type.__subclasses__(kind)
    return found


def is_just(thing: object, *kinds: type) -> bool:
    """Whether it is of one of these classes themselves, which asks no metaclass."""
    kind = type(thing)
    return any(kind is one for one in kinds)


def is_set(flag: object) -> bool:
    """Whether it is a plain True or number: others have a `__bool__` of their own."""
    return flag is True or (type(flag) is int and flag != 0)


def _dictionary_of(kind: type) -> Callable[[Any], Any] | None:
    """What reads the `__dict__` of such objects; not a property of that name."""
    for base in reversed(bases(kind)):
        descriptor = _dict_of_class(base).get("__dict__")
        if type(descriptor) is GetSetDescriptorType:
            getter: Callable[[Any], Any] = descriptor.__get__
            return getter
    return None
