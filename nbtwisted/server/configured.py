"""The app as the environment sets it, for `twistd web --class`."""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.logger import Logger

from nbtwisted.server.options import read_options
from nbtwisted.server.serving import Serving

__all__ = ["app", "resource"]

_logger = Logger(namespace="nbtwisted")


def _say(text: str) -> None:
    _logger.warn("{text}", text=text)


_options = read_options([])
try:
    _serving = Serving(_options, reactor, _say)
except OSError as error:
    sys.exit(
        f"nbtwisted: error: {_options.named_by['access_log']}: cannot write "
        f"{_options.access_log}: {error.strerror}"
    )
app = _serving.server.app
resource = _serving.server.resource
