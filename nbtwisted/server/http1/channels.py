"""The channels that the server has, by the names that `--channel` knows them by."""

from __future__ import annotations

from nbtwisted.server.http1.channel import TwistedSite
from nbtwisted.server.http1.site import CappedSite
from nbtwisted.server.http1.wire import WireSite

__all__ = ["CHANNELS"]

CHANNELS: dict[str, type[CappedSite]] = {"wire": WireSite, "twisted": TwistedSite}
