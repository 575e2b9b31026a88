"""What can happen in a program: timers, sockets, processes, jobs of its threads.

Each is a `fired_by` of the snapshot, found by the `id` of the object that stands for
it, and has its line in one of the snapshot's own lists.
"""

from __future__ import annotations

import gc
import socket
from contextlib import suppress
from functools import partial
from time import monotonic
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from twisted.internet import process, tcp, unix

from nbtwisted.printable import printable
from nbtwisted.reactor.naming import LONGEST, class_name, name_of, own
from nbtwisted.reactor.snapshot.heap import Heap, bases, is_just, is_set
from nbtwisted.reactor.snapshot.kinds import Kind, Kinds
from nbtwisted.reactor.snapshot.routines import cell, qualname

__all__ = ["Clocks", "Event", "Events"]

# Names of Twisted's that are not public, tried with 24.11.0 and 26.10.0:
# ReactorBase: _pendingTimedCalls, _newTimedCalls, _internalReaders
# EPollReactor, PollReactor: _selectables; others: _reads, _writes, _readers, _writers
# process: reapProcessHandlers; ThreadPool.callInThreadWithCallback: inContext

_MOST_WRAPPED = 8
"""Protocols within protocols, factories within factories."""

_WRAPPED = (
    *("wrappedProtocol", "_wrappedProtocol"),
    *("wrappedFactory", "_wrappedFactory"),
)

_TIMEOUT = "Deferred.addTimeout.<locals>.timeItOut"
_ASYNCIO_TIMEOUTS = {
    "asyncio.tasks._release_waiter",
    "asyncio.timeouts.Timeout._on_timeout",
}

_NUMBERS = (float, int)

Event = dict[str, Any]


class Clocks:
    """The times when a snapshot begins, since it takes a while.

    `loop` is by the clock of asyncio's loops, which is `time.monotonic`. `reactor` is
    by the reactor's, and None without one.
    """

    def __init__(self, reactor: Any) -> None:
        self.loop = monotonic()
        self.reactor: float | None = None
        with suppress(Exception):
            self.reactor = float(reactor.seconds())


class Events:
    """The events that a program waits for, as of now.

    `of` has each by the `id` of its object, `timeouts` those of them that only give up,
    and `cancels` what these give up: a Deferred or a task, and the event.
    """

    def __init__(
        self,
        heap: Heap,
        kinds: Kinds,
        selected: list[tuple[Any, Kind]],
        clocks: Clocks,
        *,
        reactor: Any,
    ) -> None:
        self.of: dict[int, Event] = {}
        self.timeouts: set[int] = set()
        self.cancels: list[tuple[Any, Event]] = []
        self.delayed_calls: list[Event] = []
        self.listening: list[Event] = []
        self.connections: list[Event] = []
        self.processes: list[Event] = []
        self._heap = heap
        self._kinds = kinds
        self._reactor = reactor
        self._clocks = clocks
        fields = {} if reactor is None else heap.fields(reactor)
        self._add_timers(fields)
        self._add_calls_from_threads(fields)
        registered = _registered(fields)
        for thing, kind in selected:
            if kind is Kind.DESCRIPTOR:
                self._add_descriptor(thing, id(thing) in registered)
            elif kind is Kind.DELAYED_CALL and id(thing) not in self.of:
                # Of another reactor, or of a `Clock`.
                self._add_delayed_call(thing, None)
            elif kind is Kind.HANDLE:
                self._add_handle(thing)
            elif kind is Kind.TRANSPORT:
                self._add_transport(thing)
            elif kind is Kind.JOB:
                # It is run by a pool's thread, or waits for one.
                self.of[id(thing)] = {"kind": "thread", "name": job_name(thing)}
        for pid, thing in list(process.reapProcessHandlers.items()):
            self._add_process(pid, thing)

    def _add_timers(self, fields: dict[str, Any]) -> None:
        now = self._clocks.reactor
        if now is None:
            return
        for name in ("_pendingTimedCalls", "_newTimedCalls"):
            for call in _items(fields.get(name)):
                if self._kinds.of(call) is Kind.DELAYED_CALL:
                    self._add_delayed_call(call, now)

    def _add_delayed_call(self, call: Any, now: float | None) -> None:
        fields = self._heap.fields(call)
        if (
            is_set(fields.get("cancelled"))
            or is_set(fields.get("called"))
            or "func" not in fields
        ):
            return
        function = fields["func"]
        due: Any = fields.get("time")
        later: Any = fields.get("delayed_time")
        left = None
        if now is not None and is_just(due, *_NUMBERS) and is_just(later, *_NUMBERS):
            left = round(due + later - now, 3)
        name = name_of(function)
        self.of[id(call)] = {"kind": "delayed call", "name": name, "in": left}
        given_up = self._gives_up(function)
        if given_up is not None:
            self.timeouts.add(id(call))
            self.cancels.append((given_up, self.of[id(call)]))
        if now is not None:
            self.delayed_calls.append({"name": name, "in": left, "count": 1})

    def _gives_up(self, function: Any) -> Any:
        """The Deferred that such a function cancels; None of another function."""
        if type(function) is FunctionType and qualname(function) == _TIMEOUT:
            return cell(function, "self")
        if (
            type(function) is MethodType
            and self._kinds.of(function.__self__) is Kind.DEFERRED
            and type(function.__func__) is FunctionType
            and qualname(function.__func__) == "Deferred.cancel"
        ):
            return function.__self__
        return None

    def _add_handle(self, handle: Any) -> None:
        """One of asyncio's: a timer, a call that is due, or the reader of a socket."""
        attribute = self._heap.attribute
        function = attribute(handle, "_callback")
        when = attribute(handle, "_when")
        if function is None:
            function, when = _of_uvloop(handle)
        if is_set(attribute(handle, "_cancelled")) or function is None:
            return
        owner = function.__self__ if type(function) is MethodType else None
        if owner is not None and owner is self._reactor:
            return
        if self._kinds.of(owner) is Kind.TRANSPORT:
            # The transport itself is the event.
            return
        name = name_of(function)
        if name == "asyncio.futures._set_result_unless_cancelled":
            name = "asyncio.sleep"
        left = round(when - self._clocks.loop, 3) if is_just(when, *_NUMBERS) else 0.0
        self.of[id(handle)] = {"kind": "delayed call", "name": name, "in": left}
        if name in _ASYNCIO_TIMEOUTS:
            self.timeouts.add(id(handle))
            task = None if owner is None else attribute(owner, "_task")
            if task is not None:
                self.cancels.append((task, self.of[id(handle)]))
        if when is not None:
            self.delayed_calls.append({"name": name, "in": left, "count": 1})

    def _add_transport(self, transport: Any) -> None:
        """A connection of asyncio's, without Twisted."""
        attribute = self._heap.attribute
        if is_set(attribute(transport, "_closing")):
            return
        extra = attribute(transport, "_extra")
        if type(extra) is not dict:
            extra = {}
        protocol = attribute(transport, "_protocol")
        name = _name(transport if protocol is None else protocol)
        peer, local = address(extra.get("peername")), address(extra.get("sockname"))
        self.of[id(transport)] = {"kind": "socket", "name": name, "peer": peer}
        if peer is not None:
            self.connections.append(
                {"protocol": name, "peer": peer, "local": local, "count": 1}
            )

    def _add_descriptor(self, thing: Any, is_registered: bool) -> None:
        fields = self._heap.fields(thing)
        if not is_registered and not is_set(fields.get("connected")):
            return
        local, peer = _ends(fields, thing)
        if _is_one(thing, tcp.Port, unix.Port):
            factory = self._innermost(fields.get("factory"))
            name = _name(factory)
            event = {"kind": "socket", "name": f"{name} at {local}", "peer": None}
            self.listening.append({"address": local, "factory": name})
        else:
            protocol = self._innermost(fields.get("protocol"))
            if protocol is None and not _is_one(thing, tcp.Connection):
                return
            name = _name(thing if protocol is None else protocol)
            event = {"kind": "socket", "name": name, "peer": peer}
            self.connections.append(
                {"protocol": name, "peer": peer, "local": local, "count": 1}
            )
        self.of[id(thing)] = event

    def _innermost(self, thing: Any) -> Any:
        """The protocol or factory that TLS, endpoints and others are wrapped around."""
        for _ in range(_MOST_WRAPPED):
            fields = {} if thing is None else self._heap.fields(thing)
            within = [fields[name] for name in _WRAPPED if fields.get(name) is not None]
            if not within:
                break
            thing = within[0]
        return thing

    def _add_process(self, pid: Any, thing: Any) -> None:
        protocol = self._heap.fields(thing).get("proto")
        name = _command(pid) or _name(protocol)
        self.of[id(thing)] = {"kind": "process", "name": name, "pid": pid}
        self.processes.append({"name": name, "pid": pid})

    def _add_calls_from_threads(self, fields: dict[str, Any]) -> None:
        for call in _items(fields.get("threadCallQueue")):
            if type(call) is tuple and call:
                self.of[id(call)] = {"kind": "thread", "name": name_of(call[0])}


def job_name(job: Any) -> str:
    """The function that was given to `deferToThread`, or to an executor."""
    if type(job) is FunctionType:
        work = job.__dict__.get("theWork")
        function = cell(work, "func") if type(work) is FunctionType else None
    else:
        function, task = own(job, "fn"), own(job, "task")
        if type(task) is tuple and task:
            # Since Python 3.14.
            function = task[0]
    return "(ending)" if function is None else name_of(function)


def _of_uvloop(handle: Any) -> tuple[Any, Any]:
    """The function of its handle, and when it is due; they are no attributes."""
    function = when = None
    for held in gc.get_referents(handle):
        if is_just(held, FunctionType, MethodType, BuiltinFunctionType, partial):
            function = held if function is None else function
        elif type(held) is float:
            when = held
    return function, when


def address(value: Any) -> str | None:
    """A socket's address: `127.0.0.1:80`, `[::1]:80`, a path, or None."""
    if type(value) is tuple and len(value) >= 2:
        host, port = value[:2]
        if type(host) is str and type(port) is int:
            host = printable(host, longest=LONGEST)
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if type(value) is bytes:
        value = value.decode("utf-8", "replace")
    if type(value) is str and value:
        return printable(value, longest=LONGEST)
    return None


def _ends(fields: dict[str, Any], thing: Any) -> tuple[str | None, str | None]:
    found: Any = fields.get("socket")
    if not _is_one(found, socket.socket):
        return None, None
    ends = []
    for ask in (socket.socket.getsockname, socket.socket.getpeername):
        try:
            ends.append(address(ask(found)))
        except (OSError, TypeError):
            ends.append(None)
    return ends[0], ends[1]


def _registered(fields: dict[str, Any]) -> set[int]:
    """The `id`s of what a reactor of Twisted's polls."""
    found: set[int] = set()
    for name in ("_selectables", "_reads", "_writes", "_readers", "_writers"):
        value = fields.get(name)
        if type(value) is dict:
            found.update(map(id, value.values()))
            found.update(map(id, value))
        else:
            found.update(map(id, _items(value)))
    return found - set(map(id, _items(fields.get("_internalReaders"))))


def _items(value: Any) -> list[Any]:
    return list(value) if is_just(value, list, set, tuple) else []


def _is_one(thing: Any, *kinds: type) -> bool:
    """As isinstance(), whatever the object says of its class."""
    return any(base is kind for base in bases(type(thing)) for kind in kinds)


def _name(thing: Any) -> str:
    return "nothing" if thing is None else class_name(type(thing))


def _command(pid: Any) -> str | None:
    try:
        with open(f"/proc/{pid:d}/comm", encoding="utf-8", errors="replace") as file:
            return printable(file.read().strip(), longest=LONGEST) or None
    except (OSError, TypeError, ValueError):
        return None
