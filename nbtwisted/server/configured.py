"""The app as the environment sets it, for `twistd web --class`."""

from __future__ import annotations

import sys

from twisted.internet import reactor

from nbtwisted.server.options import read_options
from nbtwisted.server.serving import Serving

__all__ = ["app", "resource"]

try:
    _serving = Serving(read_options([]), reactor)
except OSError as error:
    sys.exit(f"nbtwisted: error: {error}")
app = _serving.server.app
resource = _serving.server.resource
