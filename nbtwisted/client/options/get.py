"""What `nbtwisted get` can be told."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from nbtwisted import __version__
from nbtwisted.client.connection.reader import Limits
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.many.gathering import DEFAULT_CONCURRENCY
from nbtwisted.client.options.connection import (
    add_connection_options,
    read_connection_options,
)
from nbtwisted.client.options.request import (
    add_request_options,
    read_request_options,
)
from nbtwisted.client.places.places import is_place
from nbtwisted.client.request.getting import DEFAULT_MAX_TIME, How
from nbtwisted.client.request.redirecting import DEFAULT_MAX_REDIRECTS
from nbtwisted.client.request.retrying import LONGEST_WAIT, Retries
from nbtwisted.client.target import shown
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
    whole_number,
)
from nbtwisted.rate import parse_rate
from nbtwisted.reactor.choosing import add_option

__all__ = ["Options", "read_options"]

DEFAULT_URL = "http://127.0.0.1:8000/"


@dataclass(frozen=True)
class Options:
    """What the client was told.

    `url_named_by` is empty, or the variable that names the URL, where no argument does.
    With `fail`, a status of 400 and above is a failure; with `fail_early`, the first
    failure ends the run.
    """

    urls: tuple[str, ...]
    template: JobTemplate
    url_named_by: str | None
    list: str | None
    times: int
    concurrency: int
    per_host: int | None
    in_input_order: bool
    format: str
    timeline: bool
    ascii_only: bool
    report: str | None
    har: str | None
    trace: str | None
    progress: bool | None
    fail: bool
    fail_early: bool
    resume: str | None
    output: str | None
    output_dir: str | None
    place: str | None
    """The URL of the folder that workers write to, in place of both of these."""
    is_file_each: bool
    """Whether each answer has a file of its own there."""
    cluster: Place | None
    reactor: str | None
    how: How

    @property
    def number(self) -> float:
        """How many requests that makes, as far as it is known."""
        return math.inf if self.list else len(self.urls) * self.times

    @property
    def may_need_tls(self) -> bool:
        """Whether any request may turn out to be one by https."""
        return (
            self.list is not None
            or self.how["tls"] is not None
            or self.how["max_redirects"] is not None
            or any("https:" in url.lower() for url in self.urls)
        )

    def each_job(self) -> Iterator[Job]:
        """Each URL as often as it is to be got, one request after another."""
        jobs = map(self.template.job, self.urls)
        return (job for job in jobs for _ in range(self.times))


def read_options(arguments: Sequence[str], program: str = "nbtwisted get") -> Options:
    """Read the command's arguments, and `NBTWISTED_URL` if they name no URL.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    parser = OneLineParser(
        prog=program,
        description="Send many requests at once, and print each raw answer.",
        epilog="Exits with 0 when every request was answered, whatever the status; "
        "else with curl's code for the first failure in the order asked.",
    )
    parser.add_argument(
        "urls",
        nargs="*",
        # An empty one is an error in its place, as others that cannot be read.
        type=str,
        metavar="URL",
        help="what to get (default: five times $NBTWISTED_URL, or else five times "
        f"{DEFAULT_URL})",
    )
    parser.add_argument(
        "-i",
        "--input",
        dest="list",
        action=Once,
        metavar="FILE",
        help="ask for what is in FILE, or in stdin if that is -: URLs or objects of "
        "JSON, one a line, or a HAR; they are read as they are needed",
    )
    parser.add_argument(
        "-n", dest="times", type=count, metavar="N", help="get each URL N times"
    )
    parser.add_argument(
        "-c",
        dest="concurrency",
        type=count,
        metavar="N",
        default=DEFAULT_CONCURRENCY,
        help="at most N requests in flight (default: %(default)s)",
    )
    parser.add_argument(
        "--per-host",
        type=count,
        metavar="N",
        help="at most N requests in flight to one host and port (default: as -c)",
    )
    add_cluster_option(
        parser,
        "send them from all cores (local, or local:N), or from the workers of a "
        "Dask scheduler (tcp://HOST:PORT or tls://HOST:PORT); each host is one "
        "worker's",
    )
    parser.add_argument(
        "--rate",
        type=reading(parse_rate),
        metavar="RATE",
        help="begin no more requests than that, retries and redirects included: 50/s, "
        "120/m, 3600/h, 2/d; evenly spaced",
    )
    parser.add_argument(
        "--rate-per-host",
        type=reading(parse_rate),
        metavar="RATE",
        help="the same for each host and port; requests to others go first meanwhile",
    )
    parser.add_argument(
        "-m",
        "--max-time",
        type=positive_duration,
        metavar="DURATION",
        default=DEFAULT_MAX_TIME,
        help="the longest that a request may take in all, redirects and retries "
        "included "
        f"(default: {DEFAULT_MAX_TIME:g})",
    )
    parser.add_argument(
        "--connect-timeout",
        type=positive_duration,
        metavar="DURATION",
        help="the longest that look-up and connecting may take (default: --max-time)",
    )
    parser.add_argument(
        "--first-byte-timeout",
        type=positive_duration,
        metavar="DURATION",
        help="the longest that the answer may take to begin (default: --max-time)",
    )
    parser.add_argument(
        "--retry",
        type=whole_number,
        metavar="N",
        default=0,
        help="try again, at most N times, when a connection fails or the status is "
        "408, 429, 500, 502, 503 or 504; waits as long as Retry-After says, but no "
        f"longer than {LONGEST_WAIT:g} s (default: %(default)s)",
    )
    parser.add_argument(
        "--retry-delay",
        type=duration,
        metavar="DURATION",
        default=Retries.delay,
        help="wait at random up to this before the first retry, and up to twice as "
        "long before each one after it (default: %(default)g)",
    )
    parser.add_argument(
        "--retry-max-time",
        type=positive_duration,
        metavar="DURATION",
        default=Retries.max_time,
        help="begin no retry later than this (default: --max-time)",
    )
    parser.add_argument(
        "--retry-all-methods",
        action="store_true",
        help="try again and resend whatever the method is (default: only what may be "
        "made twice: no POST, no PATCH)",
    )
    parser.add_argument(
        "-L", "--location", action="store_true", help="follow redirects"
    )
    parser.add_argument(
        "--max-redirs",
        type=whole_number,
        metavar="N",
        default=DEFAULT_MAX_REDIRECTS,
        help="with -L, follow at most N (default: %(default)s)",
    )
    parser.add_argument(
        "-f",
        "--fail",
        action="store_true",
        help="take a status of 400 and above for a failure: exit 22",
    )
    parser.add_argument(
        "--fail-early",
        action="store_true",
        help="end at the first failure, and do not ask for the rest",
    )
    parser.add_argument(
        "--max-filesize",
        type=count,
        metavar="BYTES",
        default=Limits.body,
        help="the largest body (default: %(default)s)",
    )
    parser.add_argument(
        "--max-header-size",
        type=count,
        metavar="BYTES",
        default=Limits.head,
        help="the largest head (default: %(default)s)",
    )
    parser.add_argument(
        "--compressed",
        action="store_true",
        help="ask for compressed bodies (gzip and deflate, and with "
        "nbtwisted[compressed] br and zstd), and unpack them; --format raw has them as "
        "they came",
    )
    add_request_options(parser)
    add_connection_options(parser)
    parser.add_argument(
        "--order",
        choices=("input", "completed"),
        default="input",
        help="print answers in the order asked, each as soon as those before it are "
        "done, or as they complete (default: input)",
    )
    parser.add_argument(
        "--format",
        choices=("raw", "jsonl", "csv", "body"),
        help="the answers as received, a JSON object or comma-separated values on a "
        "line for each, or the bodies alone (default: raw)",
    )
    parser.add_argument(
        "-o",
        "--output",
        action=Once,
        metavar="FILE",
        help="write the answers to FILE in place of stdout, which is -; with --cluster "
        "it may be a folder, at a URL that fsspec knows: s3://bucket/folder",
    )
    parser.add_argument(
        "--output-dir",
        action=Once,
        metavar="DIR",
        help="write each answer to a file of its own in DIR, which is made if need be: "
        "0.raw, 1.raw and so on, by their positions in the list",
    )
    parser.add_argument(
        "--resume",
        action=Once,
        metavar="FILE.jsonl",
        help="write the answers to FILE as JSON objects, and ask for nothing that is "
        "answered there; with -o, write all of them to that file instead",
    )
    parser.add_argument(
        "--timeline",
        action="store_true",
        help="draw the waterfall after the answers (on stderr, unless they are raw), "
        "and on a terminal while they come",
    )
    parser.add_argument(
        "--ascii",
        dest="ascii_only",
        action="store_true",
        help="draw it in ASCII (default: where nothing else can be shown)",
    )
    parser.add_argument(
        "--report",
        action=Once,
        metavar="FILE.html",
        help="write the waterfall, with all details, as a page to FILE; as a picture "
        "alone to FILE.svg",
    )
    parser.add_argument(
        "--har",
        action=Once,
        metavar="FILE",
        help="write an HTTP Archive (HAR 1.2) to FILE, for browsers and other programs",
    )
    parser.add_argument(
        "--trace",
        action=Once,
        metavar="FILE",
        help="write what happened when to FILE, as Trace Event JSON for Perfetto",
    )
    parser.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show on stderr how far it has come (default: if that is a terminal)",
    )
    add_option(parser)
    parser.add_argument(
        "--version", action="version", version=f"nbtwisted {__version__}"
    )
    told = parser.parse_intermixed_args(parser.with_values(arguments))
    urls, times = told.urls, told.times or 1
    if told.output is not None and told.output_dir is not None:
        parser.error("--output-dir: expected no -o beside it")
    pictures = [("--report", told.report), ("--har", told.har), ("--trace", told.trace)]
    for option, path in pictures:
        if path == "-":
            parser.error(f"{option} -: expected a file")
    read = None if told.list == "-" else told.list
    place, is_file_each = _take_place(parser, told)
    written = None if told.output == "-" else told.output
    if told.resume is not None:
        written = _written_when_resuming(parser, told)
    others = [("-i", read), ("--resume", told.resume), ("-o", written)]
    expect_different_files(parser, [*others, *pictures])
    if told.list is not None and urls:
        parser.error("-i: expected no URLs beside it")
    url_named_by = None
    if not urls and told.list is None:
        url_named_by = "NBTWISTED_URL" if os.environ.get("NBTWISTED_URL") else ""
        urls = [os.environ.get("NBTWISTED_URL") or DEFAULT_URL]
        times = told.times or 5
    if told.list == "-" and any(part.text == "@-" for part in told.data or ()):
        parser.error("-i -: expected no body from stdin beside it")
    if told.cluster is not None:
        _expect_one_for_a_cluster(parser, told)
    template, headers = read_request_options(parser, told)
    how: How = {
        **read_connection_options(parser, told),
        "max_time": told.max_time,
        "connect_timeout": told.connect_timeout,
        "first_byte_timeout": told.first_byte_timeout,
        "limits": Limits(head=told.max_header_size, body=told.max_filesize),
        "headers": headers,
        "max_redirects": told.max_redirs if told.location else None,
        "retries": Retries(
            told.retry,
            told.retry_delay,
            told.retry_max_time,
            all_methods=told.retry_all_methods,
        ),
        "compressed": told.compressed,
        "rate": told.rate,
        "rate_per_host": told.rate_per_host,
    }
    # Most are as they were told.
    names = {field.name for field in fields(Options)}
    values = {name: value for name, value in vars(told).items() if name in names}
    values |= {
        "urls": tuple(urls),
        "template": template,
        "url_named_by": url_named_by,
        "times": times,
        # What is resumed is put in order in the end, and what workers write is sorted.
        "in_input_order": told.order == "input" and not (told.resume or place),
        "format": told.format or ("jsonl" if told.resume else "raw"),
        "output": written,
        "place": place,
        "is_file_each": is_file_each,
        "how": how,
    }
    return Options(**values)


def _expect_one_for_a_cluster(parser: OneLineParser, told: argparse.Namespace) -> None:
    """Refuse what workers cannot do."""
    pictures = ("timeline", "report", "har", "trace")
    for name in (name for name in pictures if getattr(told, name)):
        parser.error(
            f"--{name}: expected no --cluster beside it: no worker has all the times"
        )
    if told.unix_socket:
        parser.error(
            "--unix-socket: expected no --cluster beside it: the socket is here"
        )
    address = told.cluster.address or "tls:"
    if told.cert and not address.startswith("tls:"):
        parser.error(
            "--cert: expected --cluster local or tls://...: by tcp://, others may read "
            "its key on the way"
        )


def _take_place(
    parser: OneLineParser, told: argparse.Namespace
) -> tuple[str | None, bool]:
    """The place that workers are to write to, and whether each answer has a file there.

    It is no path, and nothing is told then that would be one.
    """
    url = told.output or told.output_dir
    if url is None or not is_place(url):
        return None, False
    option = f"{'-o' if told.output else '--output-dir'} {shown(url)}"
    if told.cluster is None:
        parser.error(
            f"{option}: expected a path, or --cluster local beside it: such a place is "
            "for the workers of a cluster"
        )
    if told.resume is not None:
        parser.error(f"{option}: expected no --resume beside it")
    is_file_each = told.output is None
    told.output = told.output_dir = None
    return url, is_file_each


def _written_when_resuming(
    parser: OneLineParser, told: argparse.Namespace
) -> str | None:
    """The file that is to be written in place of the one that is resumed, if any."""
    if told.resume == "-":
        parser.error("--resume -: expected a file")
    if is_place(told.resume):
        parser.error(f"--resume {shown(told.resume)}: expected a file on this machine")
    if told.format not in (None, "jsonl"):
        parser.error("--resume: expected no --format but jsonl beside it")
    if told.output_dir is not None:
        parser.error("--resume: expected no --output-dir beside it")
    if told.output == "-":
        parser.error("-o -: expected a file, or nothing, beside --resume")
    if told.output is None or _same_path(told.output, told.resume):
        return None
    return str(told.output)


def _same_path(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
