"""Options as fields of a dataclass: by arguments, or by `NBTWISTED_…` variables."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from nbtwisted import __version__
from nbtwisted.command_line import OneLineParser
from nbtwisted.reactor.choosing import add_option

__all__ = ["WithOptions", "option", "parse_switch", "read_fields"]

SWITCHES = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def parse_switch(text: str) -> bool:
    """Read an option without a value; raises `argparse.ArgumentTypeError`."""
    if text.lower() not in SWITCHES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(SWITCHES)}")
    return SWITCHES[text.lower()]


def option(
    default: Any,
    parse: Callable[[str], Any],
    help: str,
    *,
    outdone_by: Sequence[str] = (),
    is_positional: bool = False,
    short: str | None = None,
    **argument: Any,
) -> Any:
    """A field of a dataclass that `read_fields` reads.

    parse          reads a text; raises `argparse.ArgumentTypeError`
    outdone_by     other options: when one is given, the variable does not count
    is_positional  whether it is an argument without a name, which may be left out
    short          such as `-k`, besides its name
    argument       what argparse is told besides
    """
    if "action" not in argument:
        argument["type"] = parse
    if default not in (None, (), False, math.inf):
        help += f" (default: {str(default).removesuffix('.0')})"
    argument["help"] = help
    metadata = {
        "parse": parse,
        "argument": argument,
        "outdone_by": outdone_by,
        "is_positional": is_positional,
        "short": [] if short is None else [short],
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class WithOptions:
    """Options: `--max-delay`, or `NBTWISTED_MAX_DELAY`, is `max_delay`.

    named_by  the argument or the variable that named each option that was given
    """

    named_by: Mapping[str, str]


T = TypeVar("T", bound=WithOptions)


def read_fields(
    kind: type[T], parser: OneLineParser, arguments: Sequence[str]
) -> tuple[T, frozenset[str]]:
    """Read a command's arguments, and the environment for those not given.

    Returns the options, and the names of those that are among the arguments. Raises
    `SystemExit` after one line on stderr when something cannot be read.
    """
    options = [option for option in fields(kind) if option.metadata]
    named_by: dict[str, str] = {}
    for option in options:
        argument = dict(option.metadata["argument"])
        if option.metadata["is_positional"]:
            named_by[option.name] = argument["metavar"]
            parser.add_argument(option.name, nargs="?", **argument)
        else:
            named_by[option.name] = "--" + option.name.replace("_", "-")
            names = (*option.metadata["short"], named_by[option.name])
            parser.add_argument(*names, dest=option.name, **argument)
    add_option(parser)
    parser.add_argument(
        "--version", action="version", version=f"nbtwisted {__version__}"
    )
    args = vars(parser.parse_args(parser.with_values(arguments)))
    typed = frozenset(name for name in named_by if args[name] is not None)
    values: dict[str, Any] = {}
    given = set(typed)
    for option in options:
        name, variable = option.name, f"NBTWISTED_{option.name.upper()}"
        values[name] = args[name] if name in typed else option.default
        text = os.environ.get(variable)
        if name in typed or not text or given & set(option.metadata["outdone_by"]):
            continue
        given.add(name)
        named_by[name] = variable
        try:
            values[name] = option.metadata["parse"](text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{variable}: {error}")
    repeated = {n: tuple(v) for n, v in values.items() if isinstance(v, list)}
    return kind(named_by, **{**values, **repeated}), typed
