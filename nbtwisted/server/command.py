"""`nbtwisted serve`: listens, says where on stderr, and stops at a signal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from twisted.internet import reactor

from nbtwisted.server.options import read_options
from nbtwisted.server.service.running import run_until_told
from nbtwisted.server.serving import Serving

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, or SIGHUP where there is no file of rules.

    Returns the exit code: 0 after a signal, 1 when listening failed. Raises
    `SystemExit` for arguments that cannot be read.
    """
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    return run_until_told(lambda say: Serving(options, reactor, say), reactor)
