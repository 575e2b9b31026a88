"""Who waits for whom: Deferreds, coroutines, inlineCallbacks, asyncio's tasks.

Twisted keeps it in a Deferred's callbacks: who waits for it has one of Twisted's own
functions there, with itself among the arguments. A coroutine stands for the Deferred
that it fires when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import (
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
)
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import Deferred

from nbtwisted.reactor.makers import Made, made
from nbtwisted.reactor.naming import class_name, name_of
from nbtwisted.reactor.snapshot.heap import Heap, is_set
from nbtwisted.reactor.snapshot.kinds import Kind, Kinds
from nbtwisted.reactor.snapshot.routines import (
    awaited,
    cell,
    code_of,
    frame_of,
    qualname,
    within,
)

__all__ = ["Waiting", "Waits"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# _CONTINUE, _gotResultInlineCallbacks; Deferred: _callbacks (callbacks until 25.5)

_MOST_THEN = 3
_DEEPEST = 1000
"""Coroutines within coroutines that are followed."""

_DEFER_LATER = "deferLater.<locals>.cb"
_of_deferred = Deferred.__dict__["__dict__"].__get__
_TELLS_ANOTHER = {"callback", "errback", "_cbDeferred", "_startRunCallbacks"}
_PASSES = {
    "Deferred.asFuture.<locals>.maybeSucceed",
    "Deferred.fromFuture.<locals>.uncancel",
    "Deferred.addTimeout.<locals>.convertCancelled",
    "Deferred.addTimeout.<locals>.cancelTimeout",
}
"""Functions of Twisted's that are nobody's next step."""


class Waiting:
    """Something that waits, or is waited for.

    `since` is seconds of `time.monotonic`, when it was made. `passes` says that it only
    stands between two others.
    """

    __slots__ = (
        "awaited_by",
        "fired_by",
        "kind",
        "made",
        "name",
        "passes",
        "place",
        "since",
        "then",
        "thing",
        "waits_for",
    )

    def __init__(self, kind: str, name: str, thing: object) -> None:
        self.kind = kind
        self.name = name
        self.thing = thing
        self.place: tuple[str, int | None] | None = None
        self.since: float | None = None
        self.made: Made | None = None
        self.then: tuple[str, ...] = ()
        self.waits_for: list[Waiting] = []
        self.awaited_by: list[Waiting] = []
        self.passes = False
        self.fired_by: dict[str, Any] | None = None

    def wait_for(self, other: Waiting) -> None:
        """It waits for this one, too."""
        if other is not self and not any(known is other for known in self.waits_for):
            self.waits_for.append(other)
            other.awaited_by.append(self)


class Waits:
    """The graph of all that waits in a heap.

    `leaves` are those that wait for nothing of their kind: something must fire them.
    `of` has who is waiting by the `id` of its Deferred, its coroutine and all of its
    parts.
    """

    def __init__(
        self, heap: Heap, kinds: Kinds, selected: list[tuple[Any, Kind]]
    ) -> None:
        self.heap = heap
        self.kinds = kinds
        self.of: dict[int, Waiting] = {}
        self.all: list[Waiting] = []
        self.deferreds = self.unfired = self.coroutines = self.tasks = 0
        pending: list[tuple[Any, dict[str, Any], list[Any]]] = []
        futures = []
        for thing, kind in selected:
            if kind is Kind.DEFERRED:
                self.deferreds += 1
                fields = _of_deferred(thing)
                if _is_pending(kinds, fields):
                    self.unfired += not is_set(fields.get("called"))
                    pending.append((thing, fields, _callbacks(fields)))
            elif (kind is Kind.TASK or kind is Kind.FUTURE) and heap.attribute(
                thing, "_state"
            ) == "PENDING":
                futures.append((thing, kind))
        # First whoever stands for a Deferred, so that it is found by that.
        for thing, kind in futures:
            if kind is Kind.TASK:
                self._add_task(thing)
        last: dict[int, Waiting] = {}
        for _, _, callbacks in pending:
            for step in callbacks:
                found = _driven(step)
                if found is not None:
                    routine, status = found
                    last[id(routine)] = self._add_routine(routine, status)
        for deferred, fields, callbacks in pending:
            self._link(deferred, fields, callbacks, last)
        for thing, kind in futures:
            self._link_future(thing, kind)
        self.leaves = [
            one
            for one in self.all
            if not one.waits_for and (one.awaited_by or one.then)
        ]

    def _add_task(self, task: Any) -> None:
        self.tasks += 1
        routine = self.heap.attribute(task, "_coro")
        one, last = self._chain(routine, "task")
        self.of[id(task)] = one
        future = self.heap.attribute(task, "_fut_waiter")
        if future is not None:
            last.wait_for(self._future(future))

    def _add_routine(self, routine: Any, status: Any) -> Waiting:
        is_coroutine = type(routine) is CoroutineType
        one, last = self._chain(
            routine, "coroutine" if is_coroutine else "inlineCallbacks"
        )
        self.of[id(status)] = one
        deferred = self.heap.fields(status).get("deferred")
        if self.kinds.of(deferred) is Kind.DEFERRED:
            fields = _of_deferred(deferred)
            one.made = made(fields)
            one.since = None if one.made is None else one.made.at
            self.of[id(deferred)] = one
        return last

    def _chain(self, routine: Any, kind: str) -> tuple[Waiting, Waiting]:
        """A coroutine and those which it awaits; returns the first and the last."""
        known = self.of.get(id(routine))
        if known is not None:
            last = known
            while last.waits_for and last.waits_for[0].kind == "coroutine":
                last = last.waits_for[0]
            return known, last
        first = last = self._routine(routine, kind)
        inner = awaited(routine)
        for _ in range(_DEEPEST):
            if inner is None:
                break
            code = code_of(inner)
            if code is None or code is _ITERATES:
                # It is what iterates over the Deferred, or over the future.
                self.of[id(inner)] = last
                following = None if code is _ITERATES else within(inner)
            elif id(inner) in self.of:
                last.wait_for(self.of[id(inner)])
                break
            else:
                following = awaited(inner)
                one = self._routine(inner, "coroutine")
                last.wait_for(one)
                last = one
            inner = following
        return first, last

    def _routine(self, routine: Any, kind: str) -> Waiting:
        self.coroutines += 1
        frame = frame_of(routine)
        module = frame.f_globals.get("__name__") if frame is not None else None
        # Of these types, it is an attribute written in C.
        name = routine.__qualname__ if code_of(routine) is not None else None
        if type(name) is not str:
            name = class_name(type(routine))
        one = Waiting(
            kind, f"{module}.{name}" if type(module) is str else name, routine
        )
        if frame is not None:
            one.place = (frame.f_code.co_filename, frame.f_lineno)
            # Python 3.10 has frames between coroutines and their variables.
            self.of[id(frame)] = one
        self.of[id(routine)] = one
        self.all.append(one)
        return one

    def _deferred(self, deferred: Any) -> Waiting:
        one = self.of.get(id(deferred))
        if one is None:
            fields = _of_deferred(deferred)
            one = Waiting("deferred", _deferred_name(deferred, fields), deferred)
            one.made = made(fields)
            if one.made is not None:
                one.since = one.made.at
                one.place = (one.made.file, one.made.line)
            self.of[id(deferred)] = one
            self.all.append(one)
        return one

    def _future(self, future: Any) -> Waiting:
        one = self.of.get(id(future))
        if one is None:
            name = f"asyncio.{class_name(type(future))}"
            one = Waiting("deferred", name, future)
            self.of[id(future)] = one
            self.all.append(one)
        return one

    def _link(
        self,
        deferred: Any,
        fields: dict[str, Any],
        callbacks: list[Any],
        last: dict[int, Waiting],
    ) -> None:
        """Who waits for a Deferred, and what comes next."""
        one = self._deferred(deferred)
        chained = fields.get("_chainedTo")
        if self.kinds.of(chained) is Kind.DEFERRED:
            one.wait_for(self._deferred(chained))
        for step in callbacks:
            function, arguments = _parts(step)
            kind = type(function)
            if function is defer._CONTINUE:
                for other in arguments[:1]:
                    if self.kinds.of(other) is Kind.DEFERRED:
                        self._deferred(other).wait_for(one)
            elif function is defer._gotResultInlineCallbacks:
                for routine in arguments[1:2]:
                    if id(routine) in last:
                        last[id(routine)].wait_for(one)
            elif kind is MethodType and self._tells(function):
                self._deferred(function.__self__).wait_for(one)
            elif kind is FunctionType and qualname(function) in _PASSES:
                future = cell(function, "future")
                if self.kinds.of(future) is Kind.FUTURE:
                    other = self._future(future)
                    other.passes = True
                    other.wait_for(one)
            elif len(one.then) < _MOST_THEN and not _is_nobody(function):
                one.then = (*one.then, name_of(function))

    def _tells(self, method: MethodType) -> bool:
        return (
            self.kinds.of(method.__self__) is Kind.DEFERRED
            and type(method.__func__) is FunctionType
            and qualname(method.__func__).rpartition(".")[2] in _TELLS_ANOTHER
        )

    def _link_future(self, future: Any, kind: Kind) -> None:
        """Deferreds that wait for a task or a future, and gathered futures."""
        attribute = self.heap.attribute
        for child in _sequence(attribute(future, "_children")):
            if id(child) in self.of or self.kinds.of(child) in (Kind.TASK, Kind.FUTURE):
                self._future(future).wait_for(self._future(child))
        for entry in _sequence(attribute(future, "_callbacks")):
            function = entry[0] if type(entry) is tuple and entry else None
            if type(function) is not FunctionType:
                continue
            if qualname(function) == "Deferred.fromFuture.<locals>.adapt":
                actual = cell(function, "actual")
                if self.kinds.of(actual) is Kind.DEFERRED:
                    one = self._deferred(actual)
                    one.passes = one.kind == "deferred"
                    one.wait_for(self._future(future))


_ITERATES = Deferred.__iter__.__code__


def _is_pending(kinds: Kinds, fields: dict[str, Any]) -> bool:
    if not is_set(fields.get("called")):
        return True
    return is_set(fields.get("paused")) and (
        kinds.of(fields.get("_chainedTo")) is Kind.DEFERRED or bool(_callbacks(fields))
    )


def _callbacks(fields: dict[str, Any]) -> list[Any]:
    found = fields.get("_callbacks")
    if found is None:
        found = fields.get("callbacks")
    return found if type(found) is list else []


def _driven(step: Any) -> tuple[Any, Any] | None:
    """The coroutine or generator that goes on at this step, and its cancellation."""
    function, arguments = _parts(step)
    if function is not defer._gotResultInlineCallbacks or len(arguments) < 3:
        return None
    routine, status = arguments[1:3]
    if type(routine) is CoroutineType or type(routine) is GeneratorType:
        return routine, status
    return None


def _parts(step: Any) -> tuple[Any, tuple[Any, ...]]:
    """The function of one step, and its arguments: ((function, ...), (errback, ...)).

    It is the errback where the other hands on the result.
    """
    if type(step) is not tuple or len(step) != 2:
        return None, ()
    triple = step[0]
    if type(triple) is tuple and triple and triple[0] is defer.passthru:
        triple = step[1]
    if type(triple) is not tuple or len(triple) != 3 or type(triple[1]) is not tuple:
        return None, ()
    return triple[:2]


def _deferred_name(deferred: Any, fields: dict[str, Any]) -> str:
    """What a person calls it: what has made it, if that is known of its parts."""
    for step in _callbacks(fields)[:1]:
        function, _ = _parts(step)
        if type(function) is FunctionType and qualname(function) == _DEFER_LATER:
            called = cell(function, "callable")
            return (
                "deferLater" if called is None else f"deferLater -> {name_of(called)}"
            )
    canceller = fields.get("_canceller")
    if type(canceller) is MethodType and type(canceller.__func__) is FunctionType:
        verb = {"_cancelAcquire": "acquire", "_cancelGet": "get"}.get(
            qualname(canceller.__func__).rpartition(".")[2]
        )
        if verb is not None:
            return f"{class_name(type(canceller.__self__))}.{verb}"
    return class_name(type(deferred))


def _is_nobody(function: Any) -> bool:
    """Whether it is a function of Twisted's that only hands on the result."""
    if type(function) is FunctionType:
        name = qualname(function)
        return name in _PASSES or name == _DEFER_LATER or function is defer._failthru
    return function is None


def _sequence(value: Any) -> Iterator[Any]:
    return iter(value) if type(value) is list or type(value) is tuple else iter(())
