"""A snapshot as lines for people. Pure.

The snapshot was made by another program, so each part is taken as what it should be, or
left out, and what would act on a terminal is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nbtwisted.printable import escaped

__all__ = ["Style", "report"]

DEEPEST = 200
"""Nodes within nodes that are drawn."""


LARGEST = 1e15
"""What is more is no number of anything."""

FRAMES = 8
"""Of a stack, the innermost that are shown."""

_WAITS_FOR_EVENTS = {
    # Of Twisted's reactors, of selectors, and of asyncio's loops, uvloop's in C.
    *("doPoll", "doSelect", "doIteration", "doKEvent"),
    *("poll", "select", "_run_once", "run_forever", "run"),
}
"""The functions in which a thread is that polls."""


@dataclass(frozen=True)
class Style:
    """How a report is written.

    width  columns; None for lines as long as they get
    place  how a file is written
    tee, end, bar, gap  what stands before a node: one with others after it, the last;
        and before what is within these
    """

    width: int | None = None
    place: Callable[[str], str] = str
    tee: str = "├── "
    end: str = "└── "
    bar: str = "│   "
    gap: str = "    "

    @classmethod
    def ascii(cls, width: int | None, place: Callable[[str], str]) -> Style:
        """One without characters that not every terminal has."""
        return cls(width, place, "|-- ", "`-- ", "|   ", "    ")


def report(snapshot: dict[str, Any], style: Style) -> list[str]:
    """The lines of a report, without their ends."""
    return [line for part in _parts(snapshot, style) for line in part]


def _parts(snapshot: dict[str, Any], style: Style) -> Iterator[list[str]]:
    yield [line for text in _head(snapshot) for line in _wrapped(text, "", "  ", style)]
    waiting = _list(snapshot, "waiting")
    busy = _busy_at(snapshot, style)
    if busy:
        yield ["", "It handles no event meanwhile, but is at:"]
        for place in busy:
            yield _wrapped(place, "  ", "    ", style)
    yield ["", "What it waits for:" if waiting else "It waits for no Deferred."]
    for node in waiting:
        yield list(_node(node, "", "", style, DEEPEST))
    left_out = _number(snapshot.get("left_out"))
    if left_out:
        yield [f"(and {left_out:g} more)"]
    for title, texts in _sections(snapshot, style):
        if texts:
            yield ["", title]
            for text in texts:
                yield _wrapped(text, "  ", "    ", style)
    if not _is_told_where_made(waiting):
        yield ["", *_wrapped(HOW_TO_KNOW, "", "", style)]


HOW_TO_KNOW = (
    "Where a Deferred was made is known if the program imports "
    "nbtwisted.reactor.inspect first, or is started with `nbtwisted trace`."
)


def _head(snapshot: dict[str, Any]) -> Iterator[str]:
    command = " ".join(word for word in _list(snapshot, "argv", str))
    yield f"PID {_number(snapshot.get('pid')):g}: {escaped(command)}"
    reactor = _text(snapshot, "reactor")
    state = "running" if snapshot.get("running") is True else "not running"
    # The program could not tell if it had no file left.
    is_told = snapshot.get("stopped_for") is not None
    stopped = _number(snapshot.get("stopped_for"))
    yield ", ".join(
        [
            f"Python {_text(snapshot, 'python')}",
            *([f"Twisted {_text(snapshot, 'twisted')}"] if reactor else []),
            f"{reactor} {state}" if reactor else "no reactor",
            *([f"stood still for {seconds(stopped)} to tell this"] if is_told else []),
        ]
    )


def _busy_at(snapshot: dict[str, Any], style: Style) -> list[str]:
    """Where the main thread is, innermost first, unless it waits for events."""
    frames = [
        (file, line, name)
        for file, line, name in (
            each for each in _list(snapshot, "stack", list) if len(each) == 3
        )
        if isinstance(file, str)
        and isinstance(line, int)
        and isinstance(name, str)
        # An import has five frames for each module.
        and not file.startswith("<frozen importlib")
    ]
    if not frames or frames[0][2].rpartition(".")[2] in _WAITS_FOR_EVENTS:
        return []
    return [
        f"{escaped(name)} at {escaped(style.place(file))}:{line}"
        for file, line, name in frames[:FRAMES]
    ]


def _node(
    node: dict[str, Any], before: str, before_rest: str, style: Style, deep: int
) -> Iterator[str]:
    within = _list(node, "waits_for") if deep else []
    rest = before_rest + (style.bar if within else style.gap)
    yield from _wrapped(_described(node, style), before, rest, style)
    for child in within:
        is_last = child is within[-1]
        yield from _node(
            child,
            before_rest + (style.end if is_last else style.tee),
            before_rest + (style.gap if is_last else style.bar),
            style,
            deep - 1,
        )


_KINDS = {
    "coroutine": "coroutine",
    "inlineCallbacks": "inlineCallbacks",
    "task": "task",
    "deferred": "Deferred",
}


def _described(node: dict[str, Any], style: Style) -> str:
    kind = _KINDS.get(_text(node, "kind"), "something")
    name = _text(node, "name")
    made = _place(node.get("made"), style)
    place = _place(node, style)
    by = node.get("fired_by")
    is_deferred = kind == "Deferred"
    text = _times(node) + kind
    if name == "asyncio.Future":
        text = _times(node) + name
    elif name and name != kind:
        text += f" {name}"
    # One that is awaited is at its awaiter's line, which has been said.
    if place and not is_deferred:
        text += f" at {place}"
    parts = [text]
    if _is_number(node.get("since")):
        parts.append(f"for {seconds(_number(node['since']))}")
    if isinstance(by, dict) and _text(by, "kind") == "nobody":
        parts.append("never fired" + (f", made at {made}" if made else ""))
        parts[-1] += " (nobody is left who could fire it)"
    else:
        # What waits for another is fired by that.
        if isinstance(by, dict) or (is_deferred and not _list(node, "waits_for")):
            parts.append(_fired_by(by, style))
        if made:
            parts.append(f"{'made' if is_deferred else 'begun'} at {made}")
    then = _list(node, "then", str)
    if then:
        parts.append(f"then {', '.join(escaped(each) for each in then)}")
    if node.get("circle") is True:
        parts.append("in a circle with what is above")
    return ", ".join(parts)


def _fired_by(by: Any, style: Style) -> str:
    if not isinstance(by, dict):
        return "not fired yet"
    held_by, within = _text(by, "held_by"), _text(by, "within")
    held = " in ".join(filter(None, (held_by, within)))
    if by.get("timeout") is True and _is_number(by.get("in")):
        return f"given up by a timeout in {seconds(_number(by['in']))}"
    if _text(by, "kind") in _KNOWN:
        return f"fired by {_event(by, style)}" + (f", held by {held}" if held else "")
    if within:
        return f"fired by what can reach it: {held}"
    return "fired by what is not known" + (f", held by {held}" if held else "")


_KNOWN = {"delayed call", "socket", "thread", "process", "task"}


def _event(by: dict[str, Any], style: Style) -> str:
    name = _text(by, "name")
    named = f" {name}" if name else ""
    kind = _text(by, "kind")
    if kind == "delayed call":
        due = _number(by.get("in"))
        when = f" in {seconds(due)}" if _is_number(by.get("in")) else ""
        return f"a delayed call{when}{named and f' ({name})'}"
    if kind == "socket":
        peer = _text(by, "peer")
        return f"the connection{peer and f' with {peer}'}{named and f' ({name})'}"
    if kind == "thread":
        place = _place(by, style)
        return f"a thread's job{named}{place and f' at {place}'}"
    if kind == "process":
        pid = by.get("pid")
        return f"the process{named}" + (f" (PID {pid:g})" if _is_number(pid) else "")
    return f"the task{named}"


def _sections(
    snapshot: dict[str, Any], style: Style
) -> Iterator[tuple[str, list[str]]]:
    yield (
        "Delayed calls:",
        [
            f"in {seconds(_number(call.get('in')))}: "
            f"{_times(call)}{_text(call, 'name')}"
            for call in _list(snapshot, "delayed_calls")
        ],
    )
    yield (
        "Listening:",
        [
            f"{_text(port, 'address')}: {_text(port, 'factory')}"
            for port in _list(snapshot, "listening")
        ],
    )
    yield (
        "Connections:",
        [
            f"{_times(each)}{_text(each, 'protocol')}"
            + "".join(
                f" {word} {_text(each, end)}"
                for word, end in (("with", "peer"), ("at", "local"))
                if _text(each, end)
            )
            for each in _list(snapshot, "connections")
        ],
    )
    yield (
        "Processes:",
        [
            f"PID {_number(each.get('pid')):g}: {_text(each, 'name')}"
            for each in _list(snapshot, "processes")
        ],
    )
    pool = snapshot.get("pool")
    if isinstance(pool, dict):
        threads, working, queued = (
            _number(pool.get(name)) for name in ("threads", "working", "queued")
        )
        jobs = [
            _text(job, "name")
            + (f" at {place}" if (place := _place(job, style)) else "")
            for job in _list(pool, "jobs")
        ]
        if threads or queued:
            yield (
                "Thread pool:",
                [
                    f"{threads:g} thread{'s' * (threads != 1)}, {working:g} at work, "
                    + (f"{queued:g} jobs wait" if queued != 1 else "1 job waits"),
                    *jobs,
                ],
            )


def seconds(duration: float) -> str:
    """A time as people say it: `3.1 ms`, `12.3 s`, `5 min 10 s`, `2 h 3 min`."""
    if duration < 0:
        return f"-{seconds(-duration)}"
    if duration < 0.9995:
        return f"{duration * 1000:.3g} ms"
    if duration < 99.95:
        return f"{duration:.3g} s"
    whole = round(duration)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days"


def _is_told_where_made(nodes: list[Any]) -> bool:
    """Whether no Deferred that nobody fires lacks the place where it was made."""
    left = list(nodes)
    while left:
        node = left.pop()
        by = node.get("fired_by")
        if (
            isinstance(by, dict)
            and by.get("kind") in ("nobody", "unknown")
            and not isinstance(node.get("made"), dict)
            # Of asyncio's futures it is never known.
            and node.get("name") != "asyncio.Future"
        ):
            return False
        left += _list(node, "waits_for")
    return True


def _times(thing: dict[str, Any]) -> str:
    count = _number(thing.get("count"))
    return f"{count:g} x " if count > 1 else ""


def _place(thing: Any, style: Style) -> str:
    if not isinstance(thing, dict) or not isinstance(thing.get("file"), str):
        return ""
    line = thing.get("line")
    file = escaped(style.place(thing["file"]))
    return f"{file}:{line}" if isinstance(line, int) else file


def _list(thing: dict[str, Any], name: str, kind: type = dict) -> list[Any]:
    value = thing.get(name)
    return [e for e in value if isinstance(e, kind)] if isinstance(value, list) else []


def _number(value: Any) -> float:
    return value if _is_number(value) else 0


def _is_number(value: Any) -> bool:
    # Neither NaN nor one that Python does not print.
    return isinstance(value, (int, float)) and abs(value) < LARGEST


def _text(thing: dict[str, Any], name: str) -> str:
    value = thing.get(name)
    return escaped(value) if isinstance(value, str) else ""


def _wrapped(text: str, before: str, before_rest: str, style: Style) -> list[str]:
    """A text on lines no longer than the style has them, broken at spaces."""
    if style.width is None:
        return [before + text]
    lines = []
    # However deep: a few columns are always left.
    room = max(style.width - len(before), 20)
    while len(text) > room:
        cut = text.rfind(" ", 1, room + 1)
        line, text = (
            (text[:room], text[room:]) if cut < 1 else (text[:cut], text[cut + 1 :])
        )
        lines.append(before + line)
        before = before_rest
        room = max(style.width - len(before), 20)
    return [*lines, before + text]
