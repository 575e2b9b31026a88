"""What `nbtwisted load` can be told."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import cast

from nbtwisted import __version__
from nbtwisted.client.errors import BadJob, BadURL
from nbtwisted.client.many.job_list import UnreadableList, read_jobs
from nbtwisted.client.options.request import (
    CANNOT_READ,
    add_request_options,
    read_request_options,
)
from nbtwisted.client.target import Target, shown
from nbtwisted.cluster.option import add_cluster_option
from nbtwisted.cluster.place import Place
from nbtwisted.command_line import (
    Once,
    OneLineParser,
    count,
    duration,
    expect_different_files,
    positive_duration,
    reading,
    say,
    whole_number,
)
from nbtwisted.load.comparing.earlier import Earlier
from nbtwisted.load.comparing.worsening import Worsening, parse_failure
from nbtwisted.load.conditions import Condition
from nbtwisted.load.plan import Plan
from nbtwisted.load.requests.asked import Asked
from nbtwisted.load.requests.prepared import Preparing
from nbtwisted.load.schedule.arrivals import CONSTANT, KINDS, POISSON
from nbtwisted.load.schedule.profile import Profile
from nbtwisted.load.search.find_rate import DEFAULT_RATE
from nbtwisted.load.search.trial import parse_goal
from nbtwisted.printable import printable
from nbtwisted.rate import parse_rate
from nbtwisted.reactor.choosing import add_option

__all__ = ["Options", "read_options"]

DEFAULT_NUMBER = 200
DEFAULT_CONNECTIONS = 50
DEFAULT_TIMEOUT = 20.0
"""All three are hey's; the last is in seconds."""

SEEDS = 10**9
"""So many are there to choose from, which people can still type."""

LONGEST_REPORT = 64 * 1024 * 1024
"""Characters of a report that are read: the longest has some millions."""

DEFAULT_TRIAL = 5.0
DEFAULT_WARM_UP = 1.0
"""Seconds, of each trial of --find-rate."""

LONGEST_LABELS = 500
"""Characters of all of them in an error."""

_BODY = ("{", "[", '"', "@")
"""How a value of --json begins that is to be sent, or names a file that is. Of JSON,
numbers and such begin otherwise, and few bodies are no more than that."""


@dataclass(frozen=True)
class Options:
    """What the load program was told; paths but that of `plot` may be `-`, stdout."""

    plan: Plan
    urls: Sequence[str]
    """The first of those that are asked for."""
    urls_left_out: int
    """How many others there are."""
    weights: Mapping[str, int]
    """Those of the labels; none if no request has one."""
    timeout: float
    """Seconds that a request may take which has no time of its own."""
    json: str | None
    hdr: str | None
    plot: str | None
    fail_if: tuple[Condition, ...]
    worsenings: tuple[Worsening, ...]
    """What must not be worse than in the `earlier` run."""
    earlier: Earlier | None
    goals: tuple[Condition, ...]
    """What is to hold at the rate that is looked for; none if nobody looks for one."""
    settle: float
    """Seconds between two trials of a rate."""
    progress: bool | None
    cluster: Place | None
    """Where there are workers; None to do all of it in this process."""
    reactor: str | None


def read_options(arguments: Sequence[str], program: str = "nbtwisted load") -> Options:
    """Read the command's arguments.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    parser = OneLineParser(
        prog=program,
        description="Send requests as fast as they are answered, or at a rate, and say "
        "how long each took.",
        epilog="Exits with 0 when requests were answered, 1 when none was or a worker "
        "was lost, 26 when a body or a list cannot be read, 99 when a --fail-if holds, "
        "130 when interrupted.",
    )
    parser.add_argument(
        "urls",
        nargs="*",
        metavar="URL",
        type=_url,
        help="what to ask for; several take turns",
    )
    parser.add_argument(
        "-i",
        "--input",
        dest="list",
        action=Once,
        metavar="FILE",
        help="ask for what is in FILE, or in stdin if that is -: URLs or objects of "
        "JSON, one a line, or a HAR; they are read before anything is sent, and take "
        "turns",
    )
    parser.add_argument(
        "-n",
        dest="number",
        type=count,
        metavar="N",
        help=f"requests in all (default: {DEFAULT_NUMBER}, or as many as a longer list "
        "has, unless there is a -z or --stages)",
    )
    parser.add_argument(
        "-z",
        dest="seconds",
        type=positive_duration,
        metavar="DURATION",
        help="send for so long; what is under way then is waited for",
    )
    parser.add_argument(
        "-c",
        dest="connections",
        type=count,
        metavar="N",
        help=f"connections (default: {DEFAULT_CONNECTIONS})",
    )
    parser.add_argument(
        "-q",
        dest="rate",
        type=reading(parse_rate),
        metavar="RATE",
        help="requests a second in all, such as 1000/s or 120/m, each at its time, "
        "whether others are answered or not; latencies count from when they were due",
    )
    parser.add_argument(
        "--stages",
        type=reading(Profile.parse),
        metavar="STAGES",
        help="the same at a rate that varies, such as 100..1000/1m,1000/5m,0: "
        "A..B/DURATION goes evenly from A to B a second, RATE/DURATION stays there, "
        "and a RATE alone, as the last, goes on until -n are sent (0 is the end)",
    )
    parser.add_argument(
        "--arrivals",
        choices=KINDS,
        help="how requests come at a rate: constant, or poisson, as from people who do "
        f"not know of each other (default: {CONSTANT})",
    )
    parser.add_argument(
        "--seed",
        type=whole_number,
        metavar="N",
        help="draw the same arrivals each time (default: others each time)",
    )
    parser.add_argument(
        "-t",
        dest="timeout",
        type=positive_duration,
        metavar="DURATION",
        default=DEFAULT_TIMEOUT,
        help="the longest that a request may take, which counts in the latencies as "
        "that long (default: %(default)g)",
    )
    parser.add_argument(
        "-k", "--insecure", action="store_true", help="take any certificate"
    )
    parser.add_argument(
        "--disable-keepalive", action="store_true", help="a connection for each request"
    )
    parser.add_argument(
        "--warmup",
        type=positive_duration,
        metavar="DURATION",
        help="send for so long before anything is counted (default: 0, or 1 with "
        "--find-rate)",
    )
    parser.add_argument(
        "--hdr",
        action=Once,
        metavar="FILE",
        help="write the percentiles to FILE, as HdrHistogram's plotters read them",
    )
    parser.add_argument(
        "--plot",
        action=Once,
        metavar="FILE",
        help="draw how it went over time, and the percentiles, on a page for browsers",
    )
    parser.add_argument(
        "--fail-if",
        type=reading(parse_failure),
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit with 99 when it holds: p99>500ms, mean>1s, errors>1%%, 5xx>0, "
        "non2xx>1%%, resent>0, rps<1000; with --compare, 'p99 worse than 10%%'; as "
        "often as you like",
    )
    parser.add_argument(
        "--compare",
        action=Once,
        metavar="FILE",
        help="say what has changed since the run whose figures --json wrote to FILE, "
        "and whether that is noise",
    )
    parser.add_argument(
        "--find-rate",
        dest="goals",
        type=reading(parse_goal),
        action="append",
        default=[],
        metavar="CONDITION",
        help="look for the highest rate at which it holds: p99<200ms, errors<1%%, "
        "non2xx<1%%; several must all hold. -q is the first rate that is tried "
        f"(default: {DEFAULT_RATE:g}), and -z how long each is (default: "
        f"{DEFAULT_TRIAL:g})",
    )
    parser.add_argument(
        "--settle",
        type=duration,
        metavar="DURATION",
        help="with --find-rate, wait for so long between two trials (default: 0)",
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show on stderr how far it has come (default: if that is a terminal)",
    )
    add_cluster_option(
        parser,
        "send from all cores of this machine (local), from N processes on it "
        "(local:N), or from the workers of a Dask cluster (tcp://HOST:PORT or "
        "tls://HOST:PORT, its scheduler's address)",
    )
    add_request_options(
        parser,
        besides_json='; what begins with none of { [ " @ is a FILE to write the '
        "figures to, as JSON, and - is stdout, in place of the summary",
    )
    add_option(parser)
    parser.add_argument(
        "--version", action="version", version=f"nbtwisted {__version__}"
    )
    told = parser.parse_intermixed_args(parser.with_values(arguments))
    if told.plot == "-":
        parser.error("--plot -: expected a file, for a browser to open")
    figures = _take_figures_file(parser, told)
    named = [("--json", figures), ("--hdr", told.hdr), ("--plot", told.plot)]
    named.append(("--compare", told.compare))
    read = None if told.list == "-" else told.list
    expect_different_files(parser, [("-i", read), *named])
    _take_trials(parser, told)
    _check_rate(parser, told)
    seconds = told.seconds or math.inf
    if told.stages is not None:
        seconds = told.stages.seconds
    worsenings = tuple(each for each in told.fail_if if isinstance(each, Worsening))
    if worsenings and told.compare is None:
        parser.error(f"--fail-if {worsenings[0].text}: expected --compare beside it")
    asked = _asked(parser, told)
    failures = tuple(each for each in told.fail_if if isinstance(each, Condition))
    _check_labels(parser, failures, asked.weights)
    number = told.number
    if number is None:
        is_timed = seconds != math.inf
        number = math.inf if is_timed else max(DEFAULT_NUMBER, len(asked.requests))
    connections = told.connections
    if connections is None:
        connections = int(min(DEFAULT_CONNECTIONS, number))
    if number < connections:
        parser.error(f"-n {number}: expected at least as many as -c {connections}")
    return Options(
        plan=Plan(
            requests=asked.requests,
            connections=connections,
            number=number,
            seconds=seconds,
            rate=told.rate,
            warm_up=told.warmup or 0.0,
            keeps_alive=not told.disable_keepalive,
            verify=not told.insecure,
            profile=told.stages,
            arrivals=told.arrivals or CONSTANT,
            seed=_seed(told),
        ),
        urls=asked.urls,
        urls_left_out=asked.urls_left_out,
        weights=asked.weights,
        timeout=told.timeout,
        json=figures,
        hdr=told.hdr,
        plot=told.plot,
        fail_if=failures,
        worsenings=worsenings,
        earlier=_earlier(parser, told.compare),
        goals=tuple(told.goals),
        settle=told.settle or 0.0,
        progress=told.progress,
        cluster=told.cluster,
        reactor=told.reactor,
    )


def _check_rate(parser: OneLineParser, told: argparse.Namespace) -> None:
    """See that what says when requests are due goes together."""
    stages = told.stages
    if stages is not None:
        for option, value in (("-q", told.rate), ("-z", told.seconds)):
            if value is not None:
                parser.error(f"--stages: expected no {option} beside it")
        if stages.seconds == math.inf and told.number is None:
            parser.error("--stages: the last has no end: expected -n, or a duration")
        if told.warmup and not stages.rate(0.0):
            parser.error("--warmup: expected --stages that begin above 0")
    elif told.arrivals is not None and told.rate is None:
        parser.error("--arrivals: expected -q, --stages or --find-rate beside it")
    if told.seed is not None and told.arrivals != POISSON:
        parser.error("--seed: expected --arrivals poisson beside it")


def _seed(told: argparse.Namespace) -> int | None:
    """What arrivals are drawn from, if they are drawn."""
    if told.arrivals != POISSON or told.seed is not None:
        return cast("int | None", told.seed)
    return SystemRandom().randrange(SEEDS)


def _check_labels(
    parser: OneLineParser, conditions: Sequence[Condition], labels: Collection[str]
) -> None:
    """Refuse a condition on a label that no request has: it would never hold."""
    for condition in conditions:
        if condition.label is not None and condition.label not in labels:
            there_are = ", ".join(sorted(filter(None, labels)))
            expected = (
                f"one of the list: {printable(there_are, longest=LONGEST_LABELS)}"
                if there_are
                else "a list (-i) with labels"
            )
            parser.error(
                f"--fail-if {condition.text}: no request has the label "
                f"{condition.label!r}: expected {expected}"
            )


def _asked(parser: OneLineParser, told: argparse.Namespace) -> Asked:
    """The requests of the arguments, or of the list that they name."""
    path, urls = told.list, told.urls
    if not urls and path is None:
        parser.error("URL: expected one or more, or a list (-i)")
    if urls and path is not None:
        parser.error("-i: expected no URLs beside it")
    if path == "-" and any(part.text == "@-" for part in told.data):
        parser.error("-i -: expected no body from stdin beside it")
    template, headers = read_request_options(parser, told)
    preparing = Preparing(
        headers=headers,
        keeps_alive=not told.disable_keepalive,
        timeout=told.timeout,
    )
    if path is None:
        return Asked.read((("URL", template.job(url)) for url in urls), preparing)
    name = "stdin" if path == "-" else path
    try:
        if path == "-" and sys.stdin is None:
            raise UnreadableList("standard input is closed")
        asked = Asked.read(read_jobs(path, template), preparing)
    except UnreadableList as error:
        why = f"cannot read {name}: {error}"
    except BadJob as error:
        why = f"{name}: {error}"
    else:
        if asked.requests:
            return asked
        why = f"{name}: nothing to ask for: expected a URL or an object of JSON a line"
    say(f"{parser.prog}: error: {why}")
    raise SystemExit(CANNOT_READ)


def _earlier(parser: OneLineParser, path: str | None) -> Earlier | None:
    """The earlier run that is in a file, if one is named."""
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(LONGEST_REPORT)
        return Earlier.read(path, text)
    except OSError as error:
        why: object = error.strerror
    except ValueError as error:
        # Also of what is no UTF-8.
        is_text = not isinstance(error, UnicodeDecodeError)
        why = error if is_text else "it is no text"
    say(f"{parser.prog}: error: --compare: cannot read {path}: {why}")
    raise SystemExit(CANNOT_READ)


def _take_trials(parser: OneLineParser, told: argparse.Namespace) -> None:
    """Check what goes with --find-rate, and have its own defaults."""
    if not told.goals:
        if told.settle is not None:
            parser.error("--settle: expected --find-rate beside it")
        return
    if told.number is not None:
        parser.error("--find-rate: expected no -n beside it; -z is how long a trial is")
    for option, value in (("--stages", told.stages), ("--compare", told.compare)):
        if value is not None:
            parser.error(f"--find-rate: expected no {option} beside it")
    if told.rate is None:
        told.rate = DEFAULT_RATE
    if told.seconds is None:
        told.seconds = DEFAULT_TRIAL
    if told.warmup is None:
        told.warmup = DEFAULT_WARM_UP


def _take_figures_file(parser: OneLineParser, told: argparse.Namespace) -> str | None:
    """The file for the figures, which --json names beside, or in place of, a body."""
    parts = told.data or ()
    files = [
        part.text
        for part in parts
        if part.option == "--json" and not part.text.startswith(_BODY)
    ]
    if "" in files:
        parser.error("--json: '': expected JSON to send, or a file to write")
    if len(files) > 1:
        parser.error("--json: expected only one file")
    told.data = [
        part for part in parts if part.option != "--json" or part.text not in files
    ]
    return files[0] if files else None


def _url(text: str) -> str:
    try:
        Target.parse(text)
    except BadURL as error:
        # Without the password that may be in it.
        raise argparse.ArgumentTypeError(f"'{shown(text)}': {error}") from None
    return text
