"""HTTP mode as the options have it: ports, what is recorded, and the upstream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from nbtwisted.client.target import Origin
from nbtwisted.proxy.http.app import ControlsFrom
from nbtwisted.proxy.http.failing import UpstreamErrors
from nbtwisted.proxy.http.site import ProxySite
from nbtwisted.proxy.options import ProxyOptions
from nbtwisted.proxy.recording.recorder import HARRecorder
from nbtwisted.proxy.serving import Proxying, usable_files
from nbtwisted.server.service.errors import CannotServe
from nbtwisted.server.service.opening import listen_at

__all__ = ["ProxyingHTTP"]


class ProxyingHTTP(Proxying):
    """A proxy in front of the HTTP server that the options name."""

    def __init__(
        self, options: ProxyOptions, reactor: Any, say: Callable[[str], None]
    ) -> None:
        super().__init__(options, reactor, say)
        assert isinstance(options.upstream, Origin)
        recorder = self._open_recorder()
        with usable_files():
            self._site = ProxySite(
                *(self.server, reactor, options.upstream),
                controls=cast(ControlsFrom, options.controls),
                errors=cast(UpstreamErrors, options.upstream_errors),
                timeout=options.upstream_timeout,
                forwarded=options.forwarded,
                keep_host=options.keep_host,
                tls=self._tls,
                recorder=recorder,
            )
            self._factory = self._over_tls(self._site)
        reactor.addSystemEventTrigger("during", "shutdown", self._site.upstream.close)

    async def _open_ports(self) -> list[str]:
        said = []
        for description in self.options.listen:
            named = self.options.named_by["listen"]
            port = await listen_at(self._reactor, description, self._factory, named)
            said.append(self._sentence("http", "https", description, port))
            where = self._place("http", "https", description, port)
            if self.server.url is None and where.startswith("http"):
                self.server.url = where
        return said

    def _open_recorder(self) -> HARRecorder | None:
        options, reactor = self.options, self._reactor
        if options.record is None:
            return None
        try:
            recorder = HARRecorder(
                options.record,
                most=options.record_bodies,
                with_secrets=options.record_secrets,
                tell=lambda text: reactor.callFromThread(self._say, text),
            )
        except OSError as error:
            raise CannotServe(
                f"{options.named_by['record']}: cannot write {options.record}: "
                f"{error.strerror}"
            ) from None

        def close() -> None:
            lost = recorder.close()
            if lost:
                self._say(lost)

        reactor.addSystemEventTrigger("after", "shutdown", close)
        return recorder
