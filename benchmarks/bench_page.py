"""The sections of `benchmarks.bench`, their targets, and the page that shows both."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench_figures import COST, RATE, Figure, Section, Table, Target
from benchmarks.bench_proxy_page import (
    PROXY_NOTES,
    PROXY_REQUESTS,
    PROXY_SECTIONS,
    PROXY_TARGETS,
)
from benchmarks.bench_rules import NO_RULES, NONE_ACTS, ONE_ACTS

__all__ = [
    "ANEW",
    "CLOSED",
    "COMMAND",
    "GET_ON_ONE",
    "GET_ON_TWO",
    "KEPT",
    "LOAD_SECONDS",
    "MIXED",
    "ON_ONE",
    "ON_TWO",
    "OPEN",
    "OURS",
    "PARTS_MERGED",
    "page",
    "summary",
]

SPENT = Figure("us", "µs a response", "{:.0f}", less_is_better=True)

LOAD_SECONDS = 8
"""How long each load program runs: its start is a smaller part of it than of less."""

COMMAND = "nbtwisted get, JSON lines"
ON_ONE = "nbtwisted load, on one core"
ON_TWO = "nbtwisted load --cluster local:2, on two"
GET_ON_ONE = "nbtwisted get, on one core"
GET_ON_TWO = "nbtwisted get --cluster local:2, on two"
CORES_URLS = 200_000
"""How long a list is gotten on one core and on two."""
TO_WORKERS = "URLs, by simulated workers"
MIXED = "mixed as JSON lines"
PARTS_MERGED = 1000
CLOSED = f"{PARTS_MERGED:,} parts, closed loop"
OPEN = f"{PARTS_MERGED:,} parts, open loop"
KEPT = "kept alive"
ANEW = "a connection each"

BY_WRK = (
    "One core for the server, the other for wrk, over 50 connections. CPU time is user "
    "and system time of the server's processes."
)

SECTIONS = (
    Section(
        "Requests all different",
        f"No request comes twice. {BY_WRK}",
        ("delay", "get", "bytes", "stream", "anything"),
        (COST, RATE),
    ),
    Section(
        "Requests all different, under `twistd -n web`",
        "twisted.web's own HTTP/1.1 and access log, for both.",
        ("twistd",),
        (COST, RATE),
    ),
    Section(
        "Requests all the same",
        "Every request is the same, byte for byte.",
        ("same",),
        (COST, RATE),
    ),
    Section(
        "Rules",
        "`nbtwisted serve --rules FILE`, with requests all different. The rules have "
        "patterns such as `/service-7/orders/{id}`, `/{tenant}/orders/{id}` and "
        "`/**/invoices`, and conditions for methods, parameters and header fields. The "
        "one that acts is the last; it adds a header field.",
        ("rules",),
        (COST, RATE),
    ),
    Section(
        "10,000 held for 3 s, at once",
        "One connection each, by a client of sockets and epoll that shares no code "
        "with any of these. Wall time past the three seconds, how late the latest "
        "hundredth of the responses was, and the memory that the server took for each.",
        ("held",),
        (
            Figure("past", "seconds past 3", "{:.2f}", less_is_better=True),
            Figure("p99", "late, p99 (s)", "{:.3f}", less_is_better=True),
            Figure("kb", "KB each", "{:.1f}", less_is_better=True),
        ),
    ),
    Section(
        "20,000 URLs of one host",
        "All different, 50 at once over connections that are kept alive, to nginx. CPU "
        "time is all that the program took, its start included. `nbtwisted get -i FILE "
        "-c 50 --format jsonl -o FILE` writes a JSON object for each response, in the "
        "order asked: its head, body, and times by phases. aiohttp reads the same file "
        "and the bodies, in one session, and writes no JSON. `curl --parallel "
        "--parallel-max 50 --config FILE` writes the bodies to a file.",
        ("urls",),
        (Figure("us", "CPU µs a URL", "{:.1f}", less_is_better=True),),
    ),
    Section(
        "Load programs",
        f"50 connections to nginx, kept alive, for {LOAD_SECONDS} s. The figure says "
        "what a request costs the program that sends it: requests for each second that "
        "it computed, its start and its end included.",
        ("load",),
        (Figure("per_cpu", "requests a CPU-second", "{:,.0f}"),),
    ),
    Section(
        "A second core",
        "nginx and `nbtwisted load` together on one core, a process each; and on "
        "two, with two workers of nginx and `--cluster local:2`. 50 connections, kept "
        f"alive, for {LOAD_SECONDS} s. CPU time is that of nginx and of the processes "
        f"that send. `nbtwisted get` has a list of {CORES_URLS:,} URLs of 8 hosts, and "
        "its figures are less what starting it takes.",
        ("cores",),
        (COST, RATE),
    ),
    Section(
        "Merging the parts of a cluster's run",
        f"{PARTS_MERGED:,} parts of `nbtwisted load`, each with histograms of its "
        "latencies, of how late its timers were, and a series of 199 intervals with "
        "500 requests each: CPU time of the driver to read what they tell when their "
        "runs are over, and to merge it. In an open loop there are latencies of two "
        "kinds.",
        ("merging",),
        (
            Figure("read", "CPU seconds to read", "{:.2f}", less_is_better=True),
            Figure("merge", "CPU seconds to merge", "{:.2f}", less_is_better=True),
            Figure("kb", "KB a part", "{:.0f}", less_is_better=True),
        ),
    ),
    Section(
        "10,000 GETs at once from a program",
        "One connection each, to nginx. Microseconds of computing for each response, "
        "less what starting the program takes.",
        ("many",),
        (SPENT,),
    ),
    Section(
        "Cost of a request, by how many are in flight",
        "10,000 to nginx by `get_all`, so many at a time, less what starting the "
        f"program takes. *{KEPT.capitalize()}*: as many connections as requests in "
        f"flight, used again and again. *{ANEW.capitalize()}*: nginx closes each "
        "connection after its response. With 10,000 at once each request needs its own "
        f"connection, so compare that with *{ANEW}*, which is the same work.",
        ("growth",),
        (SPENT,),
    ),
    Section(
        "Memory, by the length of the list",
        "`nbtwisted get -i FILE -c 50 --format jsonl -o /dev/null`, to nginx: the most "
        "that was resident. `--long` adds a million URLs. *By simulated workers* is "
        "the driver of `--cluster` alone: each URL is read, written to a worker as a "
        "frame, and comes back with a record, in this process and without a network "
        "(`benchmarks/many_urls.py`); `--long` adds ten million.",
        ("memory",),
        (Figure("mb", "MB at most", "{:.1f}", less_is_better=True),),
    ),
    Section(
        "A long list, mixed",
        "`nbtwisted get -f -i FILE -c 50 --format jsonl -o /dev/null`, to nginx: a "
        "list of different URLs, and a list of the same as JSON lines, of which one in "
        "three is a HEAD and one in three a POST of some JSON. CPU time is all that "
        "the program took, its start included; memory is the most that was resident. "
        "`--long` adds lists of a million lines.",
        ("mixed",),
        (
            Figure("us", "CPU µs a line", "{:.1f}", less_is_better=True),
            Figure("mb", "MB at most", "{:.1f}", less_is_better=True),
        ),
    ),
    Section(
        "Starting",
        "One GET to nginx, which answers at once, from the start of the program to its "
        "end; and Python with no more than Twisted's reactor imported.",
        ("start",),
        (
            Figure("wall", "seconds", "{:.3f}", less_is_better=True),
            Figure("cpu", "CPU seconds", "{:.3f}", less_is_better=True),
        ),
    ),
    *PROXY_SECTIONS,
)

# How the server's requests are shown.
REQUESTS = {
    "delay": "`/?_delay=0`",
    "get": "`/get`",
    "bytes": "`/bytes/1024`",
    "stream": "`/stream/10`",
    "anything": "POST `/anything`",
    "twistd": "`/?_delay=0`, under twistd",
    "same": "`/?_delay=0`, all the same",
    "rules": "`/get`",
    "held": "`/?_delay=3`",
    **PROXY_REQUESTS,
}

_FIELDS = "header block → fields"
_ROUTE = "method and path → route"
_RULES = "path → rules"
_CONTROLS = "control texts → controls"
_HEAD = "whole head → request and its behaviour"

OURS = "nbtwisted"

# The results that our servers have in memory when such a request comes.
REMEMBERED = {
    "delay": {OURS: f"{_FIELDS}; {_ROUTE}; {_CONTROLS}"},
    "get": {OURS: f"{_FIELDS}; {_ROUTE}"},
    "bytes": {OURS: f"{_FIELDS}; {_ROUTE}"},
    "stream": {OURS: f"{_FIELDS}; {_ROUTE}"},
    "anything": {OURS: f"{_FIELDS}; {_ROUTE}"},
    "twistd": {OURS: f"{_ROUTE}; {_CONTROLS}"},
    "same": {OURS: _HEAD},
    "rules": {
        NO_RULES: f"{_FIELDS}; {_ROUTE}",
        **dict.fromkeys((NONE_ACTS, ONE_ACTS), f"{_FIELDS}; {_ROUTE}; {_RULES}"),
    },
    "held": {OURS: _HEAD, f"{OURS}, twistd": f"{_ROUTE}; {_CONTROLS}"},
}

TARGETS = (
    Target("delay", "us", OURS, "aiohttp + uvloop", 2.0, 3.0),
    Target("get", "us", OURS, "aiohttp + uvloop", 2.0, 3.0),
    Target("bytes", "us", OURS, "aiohttp + uvloop", 1.3, 2.0),
    Target("stream", "us", OURS, "aiohttp + uvloop", 1.3, 2.0),
    Target("anything", "us", OURS, "aiohttp + uvloop", 1.3, 2.0),
    Target("twistd", "us", OURS, "bare Klein", 0.9, 1.2),
    Target("same", "us", OURS, "nginx + echo", 0.7, 1.0),
    Target("same", "us", OURS, "granian + bare ASGI", 1.1, 1.5),
    Target("same", "us", OURS, "aiohttp + uvloop", 1.8, 2.5),
    Target("same", "us", OURS, "FastAPI + uvicorn", 5.0, 8.0),
    Target("rules", "us", NONE_ACTS, NO_RULES, 1 / 1.15, 1.0),
    Target("rules", "us", ONE_ACTS, NO_RULES, 1 / 1.15, 1.0),
    Target("held", "past", OURS, "", 0.5, "nginx + echo"),
    Target("held", "kb", OURS, "", 4.0, "nginx + echo"),
    Target("urls", "us", COMMAND, "aiohttp + uvloop, bodies only", 1 / 0.7, 1 / 0.5),
    Target("urls", "us", COMMAND, "curl -Z, bodies only", 1 / 2.0, 1 / 1.3),
    Target("load", "per_cpu", "nbtwisted load", "wrk", 0.8, 1.0),
    Target("load", "per_cpu", "nbtwisted load", "hey", 2.0, 2.7),
    Target("load", "per_cpu", "nbtwisted load", "aiohttp", 6.0, 8.0),
    Target("cores", "rps", ON_TWO, ON_ONE, 1.8, 2.0),
    Target("cores", "rps", GET_ON_TWO, GET_ON_ONE, 1.7, 1.9),
    Target("merging", "merge", CLOSED, "", 2.0, 1.0),
    Target("merging", "merge", OPEN, "", 2.0, 1.0),
    Target("many", "us", "nbtwisted get_all", "aiohttp", 1 / 0.6, 1 / 0.4),
    Target("many", "us", "nbtwisted get_all", "treq", 6.7, 12.5),
    Target(
        "growth",
        "us",
        f"10,000 at once, {ANEW}",
        f"10 at once, {ANEW}",
        1 / 2.0,
        1 / 1.3,
    ),
    Target(
        "growth",
        "us",
        f"10,000 at once, {ANEW}",
        f"10 at once, {KEPT}",
        1 / 2.0,
        1 / 1.3,
    ),
    Target("memory", "mb", "200,000 URLs", "1,000 URLs", 1 / 1.1, 1.0),
    Target("memory", "mb", "1,000,000 URLs", "1,000 URLs", 1 / 1.1, 1.0),
    Target(
        *("memory", "mb", f"10,000,000 {TO_WORKERS}", f"1,000,000 {TO_WORKERS}"),
        *(1 / 1.1, 1.0),
    ),
    Target("mixed", "us", f"100,000 {MIXED}", "100,000 URLs", 1 / 1.1, 1.0),
    Target("mixed", "us", f"1,000,000 {MIXED}", "1,000,000 URLs", 1 / 1.1, 1.0),
    Target("mixed", "mb", f"1,000,000 {MIXED}", f"100,000 {MIXED}", 1 / 1.1, 1.0),
    Target("start", "wall", "nbtwisted get -n 1", "", 0.25, 0.15),
    *PROXY_TARGETS,
)

NOTES = """\
- *nbtwisted* is `nbtwisted serve` with its defaults: journal, caps, deadlines and
  `Server-Timing` are on. Under `twistd -n web` it is
  `twistd -n web --class=nbtwisted.server.resource`.
- The server remembers results of pure steps only, in bounded caches: a header block's
  fields, the route of a method and path, the controls of their texts, and the request
  and the behaviour of a whole head. The column *remembered* names those that a row
  finds there. Draws, waits and random bytes are never remembered. Where all requests
  are different, each has a number of its own in its target, so that no whole head comes
  twice; a posted body has the number, too.
- aiohttp does the same work: it reads `_delay`, parses the query, describes the request
  as httpbin does by `json.dumps(..., indent=2, sort_keys=True)`, makes random bytes
  anew, and writes each line of a stream by itself, which is a system call each. Before
  it is measured, its response to a request is compared with ours: the bodies have to be
  equal, or of equal length if they are random.
- The bare Klein app reads `_delay`, waits by `deferLater` and gives the same body.
- FastAPI routes and serializes; granian runs a bare ASGI application that does neither;
  nginx's echo module sends a constant.
- wrk is C and has no deadlines; hey is Go and keeps each latency.
- `nbtwisted get` collects garbage seldom, as below, and has its limits and deadlines;
  aiohttp's deadlines are its defaults, curl has none.
- `get_all` keeps each raw response, its timing by phases and its deadlines; aiohttp and
  treq keep the body. *Collecting seldom* is after `gc.set_threshold(70_000, 20, 100)`,
  which is what `nbtwisted get` does: where ten thousand requests wait at once, Python's
  garbage collector walks all that is kept of them again and again.
"""
NOTES += PROXY_NOTES


def _figure(group: str, key: str) -> Figure:
    """Find a figure of a group."""
    return next(
        figure
        for section in SECTIONS
        if group in section.groups
        for figure in section.figures
        if figure.key == key
    )


def _target(table: Table, target: Target) -> str | None:
    """Give a target's row; None if nothing was measured for it."""
    group, key, ours, peer = target.group, target.figure, target.ours, target.peer
    figure = _figure(group, key)
    aim = f"{target.aim:.3g}" if isinstance(target.aim, float) else "-"
    if not peer:
        found = table.median(group, ours, key)
        is_met = found is not None and found <= target.least
        if isinstance(target.aim, str):
            theirs = table.median(group, target.aim, key)
            aim = f"{target.aim}: {theirs:.2f}" if theirs is not None else target.aim
    else:
        pair = (peer, ours) if figure.less_is_better else (ours, peer)
        found = table.ratio(group, *pair, key)
        is_met = found is not None and found >= target.least
    if found is None:
        return None
    name = f"{ours}, {REQUESTS[group]}" if group in REQUESTS else ours
    shown = f"{found:.2f}" + ("" if is_met else " (missed)")
    limit = f"at most {target.least:g}" if not peer else f"{target.least:.3g}"
    return f"| {name}: {figure.label} | {peer or '-'} | {shown} | {limit} | {aim} |"


def _targets(table: Table) -> Iterator[str]:
    """Give the table of targets, of those that were measured."""
    rows = [row for target in TARGETS if (row := _target(table, target))]
    if rows:
        yield "| figure | against | times better | at least | aim for |"
        yield "|---|---|---|---|---|"
        yield from rows


def _rows(
    table: Table, section: Section, remembered: dict[str, dict[str, str]]
) -> Iterator[str]:
    """Give a section's table; nothing if nothing of it was tried.

    `remembered` has a text for each row of ours, by group and name; without any, the
    column is left out.
    """
    tried = [
        group
        for group in section.groups
        if group in table.rounds or group in table.failures
    ]
    if not tried:
        return
    shows_requests = tried[0] in REQUESTS
    heads = ["request", ""] if shows_requests else [""]
    heads += [figure.label for figure in section.figures]
    shows_remembered = tried[0] in remembered
    heads += ["remembered"] if shows_remembered else []
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for group in tried:
        measured = table.rounds.get(group, {})
        failures = table.failures.get(group, {})
        for name in [*measured, *(each for each in failures if each not in measured)]:
            cells = [REQUESTS[group], name] if shows_requests else [name]
            if name in failures:
                cells += [failures[name], *[""] * (len(section.figures) - 1)]
            else:
                cells += [
                    figure.shape.format(table.median(group, name, figure.key))
                    for figure in section.figures
                ]
            if shows_remembered:
                cells.append(remembered[group].get(name, ""))
            yield "| " + " | ".join(cells) + " |"


def summary(table: Table) -> str:
    """Give the tables of what was measured, without the page around them."""
    lines: list[str] = []
    for section in SECTIONS:
        rows = list(_rows(table, section, {}))
        lines += [*rows, ""] if rows else []
    return "\n".join([*lines, *_targets(table)])


def page(table: Table, about: str) -> str:
    """Give the page; `about` says what was measured, when and where."""
    lines = ["# Benchmarks", "", about]
    for number, section in enumerate(SECTIONS):
        rows = list(_rows(table, section, REMEMBERED))
        if number and not rows:
            continue
        lines += ["", f"## {section.title}", "", section.about, "", *rows]
        if number == 0:
            # The first table is what the page is about; the targets are of all.
            lines += ["", "## Targets", ""]
            lines += ["How many times better each figure is than the peer's of the"]
            lines += ["same round, or the figure itself where there is no peer.", ""]
            lines += _targets(table)
    lines += ["", "## What is compared", "", NOTES]
    return "\n".join(lines)
