"""The `nbtwisted` command, and the commands that it has."""

from __future__ import annotations

import sys
from typing import NoReturn

from nbtwisted import __version__
from nbtwisted.command_line import end_quietly_when_interrupted, say, show
from nbtwisted.reactor.choosing import choose

__all__ = ["main"]

USAGE = """\
usage: nbtwisted serve [OPTIONS]        serve HTTP answers that wait as asked
       nbtwisted proxy [UPSTREAM]       make a real server slow, or break what it says
       nbtwisted get [OPTIONS] [URL …]  send many requests at once, print raw answers
       nbtwisted load [OPTIONS] URL …   keep a server busy, say how long it took
       nbtwisted trace [OPTIONS] SCRIPT say what a Twisted program's time goes into
       nbtwisted ps [OPTIONS] PID       say what a running Twisted program waits for
       nbtwisted study [LESSON]         learn how waits overlap, by running it
       nbtwisted --version

Each command tells more with --help.
"""


def main() -> NoReturn:
    """Run the command that the first argument names; raises `SystemExit`."""
    end_quietly_when_interrupted()
    command, *arguments = sys.argv[1:] or ["--help"]
    # Each command's imports are its own: a client starts without a server's.
    if command in ("serve", "proxy", "get", "load"):
        choose(arguments)
    if command == "serve":
        from nbtwisted.server.command import main as serve

        sys.exit(serve(arguments))
    elif command == "proxy":
        from nbtwisted.proxy.command import main as proxy

        sys.exit(proxy(arguments))
    elif command == "get":
        from nbtwisted.client.command import main as get

        get(arguments)
    elif command == "load":
        from nbtwisted.load.command import main as load

        load(arguments)
    elif command == "trace":
        from nbtwisted.reactor.trace.command import main as trace

        trace(arguments)
    elif command == "ps":
        from nbtwisted.reactor.ps.command import main as ps

        ps(arguments)
    elif command == "study":
        from nbtwisted.study.command import main as study

        study(arguments)
    elif command in ("-h", "--help"):
        show(USAGE, program="nbtwisted")
        sys.exit()
    elif command == "--version":
        show(f"nbtwisted {__version__}\n", program="nbtwisted")
        sys.exit()
    expected = "serve, proxy, get, load, trace, ps or study"
    say(f"nbtwisted: error: {command!r}: expected {expected}")
    sys.exit(2)


if __name__ == "__main__":
    main()
