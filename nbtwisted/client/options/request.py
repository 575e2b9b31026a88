"""What commands can be told of the requests that they send, as curl is told it."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from nbtwisted.client.header import Headers, parse_header
from nbtwisted.client.job import JobTemplate
from nbtwisted.command_line import OneLineParser, reading, say
from nbtwisted.http1.syntax import is_token, is_value

__all__ = ["CANNOT_READ", "add_request_options", "read_request_options"]

CANNOT_READ = 26
"""curl's exit code for a file that cannot be read."""

LARGEST_BODY = 1024**3
"""Bytes of a body that is read from a file: it is in memory as long as requests are."""

_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
_JSON = (("Content-Type", "application/json"), ("Accept", "application/json"))


class _Data(NamedTuple):
    """A part of the body, and the option that it was given by."""

    option: str
    text: str


class _Append(argparse.Action):
    """Keeps in one list what several options are given, in their order."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        """Take what the option was given."""
        parts = [*(getattr(namespace, self.dest) or ())]
        # Of its names, the one that says what it does.
        parts.append(_Data(self.option_strings[-1], str(values)))
        setattr(namespace, self.dest, parts)


def add_request_options(parser: OneLineParser, *, besides_json: str = "") -> None:
    """Have the parser read them, for `read_request_options`.

    `besides_json` is said in the help of --json, by who takes more by that.
    """
    request = parser.add_argument_group("the request")
    request.add_argument(
        "-X",
        "--request",
        dest="method",
        type=reading(_method),
        metavar="METHOD",
        help="the method (default: GET, and POST with -d)",
    )
    request.add_argument(
        "-I", "--head", action="store_true", help="ask for the head alone, by HEAD"
    )
    for names, explanation in (
        (
            ("-d", "--data"),
            "send this body, as a form; @FILE is what FILE holds, without its line "
            "ends, and @- what stdin does; several are joined by &",
        ),
        (("--data-binary",), "the same, but of FILE everything"),
        (("--json",), f"send this body, as JSON, and ask for JSON{besides_json}"),
    ):
        request.add_argument(
            *names,
            dest="data",
            action=_Append,
            type=str,
            metavar="DATA",
            help=explanation,
        )
    request.add_argument(
        "-H",
        "--header",
        dest="headers",
        type=reading(parse_header),
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="send this header, in place of ours of the same name; 'NAME:' sends none",
    )
    request.add_argument(
        "-u",
        "--user",
        type=_user,
        metavar="USER:PASSWORD",
        help="who asks, in place of what the URL says (Basic)",
    )
    request.add_argument(
        "-A",
        "--user-agent",
        type=_user_agent,
        metavar="NAME",
        help="the User-Agent; '' sends none",
    )


def read_request_options(
    parser: OneLineParser, told: argparse.Namespace
) -> tuple[JobTemplate, Headers]:
    """Read what becomes of a URL, and the headers that all requests have.

    Raises `SystemExit` after one line on stderr when something cannot be read.
    """
    data: Sequence[_Data] = told.data or ()
    options = [part.option for part in data]
    if told.head and (data or told.method):
        parser.error(f"-I: expected no {options[0] if data else '-X'} beside it")
    is_json = "--json" in options
    if is_json and set(options) != {"--json"}:
        parser.error("--json: expected no other body beside it")
    body = None
    if data:
        parts = [_read(parser, part) for part in data]
        body = (b"" if is_json else b"&").join(parts)
    headers = tuple(told.headers)
    given = {name.lower() for name, _ in headers}
    ours = [("Authorization", told.user), ("User-Agent", told.user_agent)]
    for name, value in ours:
        if value is not None and name.lower() not in given:
            headers = (*headers, (name, value))
    body_headers = _JSON if is_json else _FORM
    not_given = tuple(field for field in body_headers if field[0].lower() not in given)
    try:
        template = JobTemplate(
            "HEAD" if told.head else told.method,
            body,
            not_given if data else (),
        )
    except ValueError as error:
        parser.error(f"{options[0] if data else '-X'}: {error}")
    return template, headers


def _read(parser: OneLineParser, part: _Data) -> bytes:
    option, text = part
    if not text.startswith("@"):
        return os.fsencode(text)
    path = text[1:]
    try:
        content = _content(path)
    except OSError as error:
        say(f"{parser.prog}: error: {option}: cannot read {path}: {error.strerror}")
        raise SystemExit(CANNOT_READ) from None
    if len(content) > LARGEST_BODY:
        say(
            f"{parser.prog}: error: {option}: {path} is too long: expected "
            f"{LARGEST_BODY} bytes at most"
        )
        raise SystemExit(CANNOT_READ)
    # As curl reads forms.
    return content.translate(None, b"\r\n\0") if option == "--data" else content


def _content(path: str) -> bytes:
    if path == "-" and sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    with open(os.dup(0) if path == "-" else path, "rb") as file:
        return file.read(LARGEST_BODY + 1)


def _method(text: str) -> str:
    if not is_token(text):
        raise ValueError("expected a method such as POST")
    return text


def _user(text: str) -> str:
    pair = os.fsencode(text)
    if b":" not in pair:
        # What was typed may be a password.
        raise argparse.ArgumentTypeError("expected USER:PASSWORD")
    return f"Basic {b64encode(pair).decode()}"


def _user_agent(text: str) -> str:
    value = os.fsencode(text).decode("latin-1")
    if not is_value(value):
        raise argparse.ArgumentTypeError("expected a name without control characters")
    return value
