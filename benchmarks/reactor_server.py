"""`reactor_server.py REACTOR KIND`: what `benchmarks.reactors` measures.

Prints the port that it listens on. A process of its own, and not a module of the
package: it must choose its reactor before anything else is imported.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

BODY = b'["wait time: 0sec"]'
PIECE = b"x" * 65536
STREAMED = 2**30


def main(reactor_name: str, kind: str) -> None:
    """Serve until it is ended."""
    from twisted.application.reactors import installReactor

    from nbtwisted.command_line import raise_open_files

    raise_open_files()
    if reactor_name == "uvloop":
        from twisted.internet import asyncioreactor

        asyncioreactor.install(import_module("uvloop").new_event_loop())
    else:
        eager_loop = {"eager-uvloop": "uvloop", "eager-asyncio": "asyncio"}
        if reactor_name in eager_loop:
            os.environ["NBTWISTED_LOOP"] = eager_loop[reactor_name]
        installReactor(reactor_name.replace("uvloop", "asyncio"))
    from twisted.internet import protocol, reactor  # noqa: TID251 - as a program may

    net: Any = reactor
    if kind == "udp":
        port = net.listenUDP(0, _echo(protocol), interface="127.0.0.1")
    elif kind == "tls":
        port = net.listenSSL(0, _stream(protocol), _context(), interface="127.0.0.1")
    else:
        factory = {"raw": _raw, "stream": _stream}.get(kind)
        made = factory(protocol) if factory else _site(kind)
        port = net.listenTCP(0, made, backlog=4096, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    net.run()


def _raw(protocol: Any) -> Any:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\nContent-Type: application/json"
    answer = head + b"\r\n\r\n" + BODY

    class Raw(protocol.Protocol):  # type: ignore[misc]
        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)

        def dataReceived(self, data: bytes) -> None:
            self.transport.write(answer * data.count(b"\r\n\r\n"))

    return protocol.Factory.forProtocol(Raw)


def _site(kind: str) -> Any:
    from twisted.web.resource import Resource
    from twisted.web.server import Site

    def answer(request: Any) -> bytes:
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"content-length", b"19")
        return BODY

    if kind == "klein":
        from klein import Klein

        app = Klein()
        app.route("/")(answer)
        resource: Any = app.resource()
    else:
        resource = Resource()
        resource.isLeaf = True
        resource.render_GET = answer
    site: Any = Site(resource)
    # No access log: it would be a tenth of the time.
    site.log = lambda request: None
    return site


def _stream(protocol: Any) -> Any:
    from twisted.internet.interfaces import IPushProducer
    from zope.interface import implementer

    @implementer(IPushProducer)
    class Stream(protocol.Protocol):  # type: ignore[misc]
        left = STREAMED

        def connectionMade(self) -> None:
            self.is_paused = False
            self.transport.registerProducer(self, True)
            self.resumeProducing()

        def pauseProducing(self) -> None:
            self.is_paused = True

        def resumeProducing(self) -> None:
            self.is_paused = False
            while self.left and not self.is_paused:
                self.left -= len(PIECE)
                self.transport.write(PIECE)
            if not self.left:
                self.transport.unregisterProducer()
                self.transport.loseConnection()

        def stopProducing(self) -> None:
            self.left = 0

    return protocol.Factory.forProtocol(Stream)


def _echo(protocol: Any) -> Any:
    class Echo(protocol.DatagramProtocol):  # type: ignore[misc]
        def datagramReceived(self, datagram: bytes, address: Any) -> None:
            self.transport.write(datagram, address)

    return Echo()


def _context() -> Any:
    import tempfile

    import trustme
    from twisted.internet.ssl import DefaultOpenSSLContextFactory

    issued = trustme.CA().issue_cert("localhost")
    with tempfile.NamedTemporaryFile() as both:
        both.write(issued.private_key_and_cert_chain_pem.bytes())
        both.flush()
        return DefaultOpenSSLContextFactory(both.name, both.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
