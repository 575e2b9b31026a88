"""What `nbtwisted get` can be told."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbtwisted import __version__
from nbtwisted.client.gathering import DEFAULT_CONCURRENCY
from nbtwisted.client.getting import DEFAULT_MAX_TIME
from nbtwisted.command_line import OneLineParser, count, positive_duration

__all__ = ["Options", "read_options"]

DEFAULT_URL = "http://127.0.0.1:8000/"


@dataclass(frozen=True)
class Options:
    """What the client was told; the times are in seconds."""

    urls: tuple[str, ...]
    times: int
    concurrency: int
    max_time: float
    connect_timeout: float | None
    in_input_order: bool
    format: str
    timeline: bool

    @property
    def number(self) -> int:
        """How many requests that makes."""
        return len(self.urls) * self.times

    def each_url(self) -> Iterator[str]:
        """Each URL as often as it is to be got, one request after another."""
        return (url for url in self.urls for _ in range(self.times))


def read_options(arguments: Sequence[str], program: str = "nbtwisted get") -> Options:
    """Read the command's arguments, and `NBTWISTED_URL` if they name no URL.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    parser = OneLineParser(
        prog=program,
        description="Send many GETs at once, and print each raw answer.",
        epilog="Exits with 0 when every request was answered, whatever the status; "
        "else with curl's code for the first failure in the order asked.",
    )
    parser.add_argument(
        "urls",
        nargs="*",
        metavar="URL",
        help="what to get (default: five times $NBTWISTED_URL, or else five times "
        f"{DEFAULT_URL})",
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
        "--max-time",
        type=positive_duration,
        metavar="DURATION",
        default=DEFAULT_MAX_TIME,
        help="the longest that a request may take in all "
        f"(default: {DEFAULT_MAX_TIME:g})",
    )
    parser.add_argument(
        "--connect-timeout",
        type=positive_duration,
        metavar="DURATION",
        help="the longest that look-up and connecting may take (default: --max-time)",
    )
    parser.add_argument(
        "--order",
        choices=("input", "completed"),
        default="input",
        help="print answers in the order asked, each as soon as those before it are "
        "done, or as they complete (default: input)",
    )
    parser.add_argument(
        "--format",
        choices=("raw", "jsonl"),
        default="raw",
        help="the answers as received, or one JSON object on a line for each "
        "(default: raw)",
    )
    parser.add_argument(
        "--timeline",
        action="store_true",
        help="draw the waterfall after the answers (on stderr if they are JSON)",
    )
    parser.add_argument(
        "--version", action="version", version=f"nbtwisted {__version__}"
    )
    told = parser.parse_intermixed_args(arguments)
    urls, times = told.urls, told.times or 1
    if not urls:
        urls = [os.environ.get("NBTWISTED_URL") or DEFAULT_URL]
        times = told.times or 5
    return Options(
        urls=tuple(urls),
        times=times,
        concurrency=told.concurrency,
        max_time=told.max_time,
        connect_timeout=told.connect_timeout,
        in_input_order=told.order == "input",
        format=told.format,
        timeline=told.timeline,
    )
