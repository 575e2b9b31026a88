"""Names for what a reactor calls, found without running any code of it. Pure.

To ask an object for an attribute may run code of its class, with any result: a `Mock`
has every attribute, a proxy may raise or connect to something, `Deferred.callbacks`
warns that it is deprecated. So nothing here asks. It reads the slots of Python's own
types, and what an object has in its `__dict__`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import (
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from nbtwisted.printable import printable

__all__ = ["class_name", "name_of", "own", "peer_of"]

DEEPEST = 8
"""Callables within callables that are followed."""

LONGEST = 200
"""Characters of a name."""

UNKNOWN = "(unknown)"

# Whatever a metaclass or a subclass makes of these.
_of_object = object.__getattribute__
_name_of_class = type.__dict__["__name__"].__get__
_qualname_of_class = type.__dict__["__qualname__"].__get__
_module_of_class = type.__dict__["__module__"].__get__
_dict_of_class = type.__dict__["__dict__"].__get__
_mro_of_class = type.__dict__["__mro__"].__get__
_function_of_partial = partial.__dict__["func"].__get__
# As issubclass(), whatever the classes have to say to it: base first.
_is_base: Callable[[type, type], bool] = type.__subclasscheck__


def name_of(function: object) -> str:
    """What a person calls a callable: its module and name, on one line.

    A method goes by the class of its object, a `partial` by its function, and a timer
    of Twisted's own by what it leads to, as in `deferLater -> module.function`. A step
    of a task of asyncio's goes by its coroutine.
    """
    try:
        name = _name(function, DEEPEST)
    except Exception:
        # Objects can be broken in more ways than are thought of above.
        name = UNKNOWN
    if len(name) <= LONGEST and name.isprintable():
        return name
    return printable(name, longest=LONGEST)


def class_name(kind: type) -> str:
    """The name of a class, without its module."""
    name: object = _name_of_class(kind)
    # Each event of a reactor comes by here.
    return name if type(name) is str else _text(name) or UNKNOWN


def own(thing: object, name: str) -> Any:
    """An attribute that an object has in its `__dict__`, or None."""
    try:
        return _of_object(thing, "__dict__").get(name)
    except Exception:
        return None


def peer_of(selectable: object) -> str:
    """Whom a connection is with, as `[1.2.3.4:5]`; empty for other descriptors."""
    address = own(selectable, "client") or own(selectable, "addr")
    if type(address) is tuple and len(address) >= 2:
        host, port = address[:2]
        if type(host) is str and type(port) is int:
            return f"[{printable(host, longest=LONGEST)}:{port}]"
    return ""


def _name(thing: Any, deep: int) -> str:
    kind = type(thing)
    if kind is FunctionType:
        return _joined(thing.__module__, thing.__qualname__)
    if _is_base(type, kind):
        return _joined(_module_of_class(thing), _qualname_of_class(thing))
    if not deep:
        return _of_instance(thing, kind)
    if kind is MethodType or kind is BuiltinFunctionType:
        owner = thing.__self__
        if kind is MethodType:
            within = _name(thing.__func__, deep - 1)
        else:
            within = _joined(thing.__module__, thing.__qualname__)
        if owner is None or type(owner) is ModuleType or _is_base(type, type(owner)):
            return within
        task = _task(owner)
        if task is not None:
            return task
        if _is_base(Deferred, type(owner)):
            following = _following(owner, deep - 1)
            if following:
                return following
        return ".".join((_joined_class(type(owner)), within.rpartition(".")[2]))
    if _is_base(partial, kind):
        return _name(_function_of_partial(thing), deep - 1)
    if _name_of_class(kind) == "TaskStepMethWrapper":
        task = _task(_dict_of_class(kind)["__self__"].__get__(thing))
        if task is not None:
            return task
    if _is_base(LoopingCall, kind):
        return f"LoopingCall -> {_name(own(thing, 'f'), deep - 1)}"
    return _of_instance(thing, kind)


def _of_instance(thing: object, kind: type) -> str:
    """Of an object that can be called: what it wraps, or its class."""
    qualified = _attribute(thing, kind, "__qualname__")
    if type(qualified) is GetSetDescriptorType:
        # A function of another kind, as Cython makes them.
        qualified = qualified.__get__(thing)
    if _text(qualified) is not None:
        return _joined(_attribute(thing, kind, "__module__"), qualified)
    return _joined_class(kind)


def _attribute(thing: object, kind: type, name: str) -> Any:
    """What an object or its class has by this name, as it is; or None."""
    value = None
    bases = _mro_of_class(kind)
    for base in reversed(bases):
        # The first is Python's own, whatever a subclass has made of it.
        getter = _dict_of_class(base).get("__dict__")
        if type(getter) is GetSetDescriptorType:
            value = getter.__get__(thing).get(name)
            break
    for base in bases if value is None else ():
        value = _dict_of_class(base).get(name)
        if value is not None:
            break
    return value


def _following(deferred: Deferred[Any], deep: int) -> str | None:
    """What comes after a Deferred that a timer fires, if Twisted's names are known.

    Each step is ((callback, args, kwargs), (errback, args, kwargs)). Twisted 25.5 has
    renamed the list.
    """
    steps = own(deferred, "_callbacks") or own(deferred, "callbacks") or []
    timer = "Deferred.callback"
    for (function, args, _), _ in steps[:2]:
        if type(function) is not FunctionType:
            return None
        if function.__qualname__ == "deferLater.<locals>.cb":
            timer = "deferLater"
            cells = dict(
                zip(
                    function.__code__.co_freevars,
                    function.__closure__ or (),
                    strict=False,
                )
            )
            called = cells["callable"].cell_contents
            if called is not None:
                return f"{timer} -> {_name(called, deep)}"
            continue
        for argument in args:
            # What awaits it.
            awaiting = _coroutine(argument)
            if awaiting is not None:
                return f"{timer} -> {awaiting}"
        return None
    return timer if timer == "deferLater" else None


def _task(thing: object) -> str | None:
    """A task of asyncio's goes by its coroutine; None of what is no task."""
    kinds = own(sys.modules.get("_asyncio"), "Task")
    if kinds is None or not _is_base(kinds, type(thing)):
        return None
    return f"Task -> {_coroutine(kinds.get_coro(thing)) or UNKNOWN}"


def _coroutine(thing: object) -> str | None:
    """What a person calls a coroutine or a generator; None of other things."""
    if type(thing) is GeneratorType:
        frame = thing.gi_frame
    elif type(thing) is CoroutineType:
        frame = thing.cr_frame
    else:
        return None
    module = frame.f_globals.get("__name__") if frame else None
    return _joined(module, thing.__qualname__)


def _joined_class(kind: type) -> str:
    return _joined(_module_of_class(kind), _name_of_class(kind))


def _joined(module: object, name: object) -> str:
    before, after = _text(module), _text(name)
    if after is None:
        return UNKNOWN
    return after if before is None else f"{before}.{after}"


def _text(value: object) -> str | None:
    """The value if it is a string, and then a plain one."""
    if type(value) is str:
        return value
    # A subclass may have code of its own, which join() does not run.
    return "".join((cast(str, value), "")) if _is_base(str, type(value)) else None
