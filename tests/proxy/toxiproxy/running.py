"""The command with Toxiproxy's API, in a process of its own."""

from __future__ import annotations

import re

from tests.proxy.running import BY_MODULE
from tests.server.running import RunningServer

__all__ = ["RunningAPI"]


class RunningAPI(RunningServer):
    """`nbtwisted proxy --toxiproxy-api` on a free port; as a context, it is ended.

    port   of the API
    """

    ready = re.compile(r"Toxiproxy's API at http://127\.0\.0\.1:(\d+)/")

    def __init__(self, *arguments: str) -> None:
        asked = ("--toxiproxy-api", "tcp:0", "--admin-port", "none")
        super().__init__([*BY_MODULE, *asked, *arguments])
