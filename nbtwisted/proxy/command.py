"""`nbtwisted proxy`: stands in front of a server until a signal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from twisted.internet import reactor

from nbtwisted.client.target import Origin
from nbtwisted.proxy.options import ProxyOptions, read_options
from nbtwisted.proxy.serving import Proxying
from nbtwisted.proxy.serving_http import ProxyingHTTP
from nbtwisted.proxy.serving_streams import ProxyingStreams
from nbtwisted.server.service.running import run_until_told

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM, or SIGHUP where there is no file of rules.

    Returns the exit code: 0 after a signal, 1 when listening failed. Raises
    `SystemExit` for arguments that cannot be read.
    """
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    return run_until_told(lambda say: _proxying(options, say), reactor)


def _proxying(options: ProxyOptions, say: Callable[[str], None]) -> Proxying:
    kind = ProxyingHTTP if isinstance(options.upstream, Origin) else ProxyingStreams
    return kind(options, reactor, say)
