"""Stand-ins for modules: not there for long, and as good as the modules."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

WITHIN = """
import sys
from nbtwisted.reactor.stand_ins import stand_ins
with stand_ins():
    import twisted.internet.epollreactor
from twisted.internet import defer, posixbase, tcp
kinds = {name: type(module).__name__ for name, module in sys.modules.items()}
standing = [name for name, kind in kinds.items() if kind == "_StandIn"]
"""


class StandInTests(SynchronousTestCase):
    def check(self, lines: str) -> None:
        """Run some lines of Python, which assert."""
        ran = subprocess.run(
            [sys.executable, "-c", WITHIN + lines],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))

    def test_none_stays(self) -> None:
        self.check(
            "assert standing == [], standing\n"
            "assert 'OpenSSL' not in sys.modules\n"
            "import asyncio, twisted.internet.ssl\n"
            "assert asyncio.Future.__module__ == '_asyncio', asyncio.Future\n"
        )

    def test_what_is_asked_of_one_is_the_modules(self) -> None:
        self.check(
            "from twisted.protocols import tls\n"
            "assert posixbase.tls is not tls\n"
            "assert posixbase.tls.TLSMemoryBIOProtocol is tls.TLSMemoryBIOProtocol\n"
            "assert not hasattr(posixbase.tls, 'nonsense')\n"
        )

    def test_what_is_called_is_the_modules(self) -> None:
        self.check(
            "from twisted.internet.protocol import Factory\n"
            "from twisted.internet.ssl import CertificateOptions\n"
            "from twisted.protocols.tls import TLSMemoryBIOFactory\n"
            "made = posixbase.tls.TLSMemoryBIOFactory(\n"
            "    CertificateOptions(), isClient=False, wrappedFactory=Factory()\n"
            ")\n"
            "assert type(made) is TLSMemoryBIOFactory\n"
        )

    def test_what_is_taken_within_is_the_modules(self) -> None:
        self.check(
            "with stand_ins():\n"
            "    from twisted.protocols.tls import TLSMemoryBIOProtocol\n"
            "    import asyncio\n"
            "from twisted.protocols import tls\n"
            "assert tls.TLSMemoryBIOProtocol is TLSMemoryBIOProtocol\n"
            "assert tls is sys.modules['twisted.protocols.tls']\n"
        )

    def test_one_that_is_loaded_stays(self) -> None:
        self.check(
            "import asyncio\n"
            "with stand_ins():\n"
            "    assert sys.modules['asyncio'] is asyncio\n"
            "assert sys.modules['asyncio'] is asyncio\n"
        )

    def test_coroutines_and_generators(self) -> None:
        self.check(
            "async def coroutine(): return 1\n"
            "def generator(): return (yield 1)\n"
            "for make in coroutine, generator:\n"
            "    made = make()\n"
            "    assert defer.iscoroutine(made) is (make is coroutine)\n"
            "    got = []\n"
            "    defer.Deferred.fromCoroutine(made).addCallback(got.append)\n"
            "    assert got == [1], got\n"
            "assert not defer.iscoroutine(1)\n"
            "try:\n"
            "    defer.Deferred.fromCoroutine(1)\n"
            "except defer.NotACoroutineError:\n"
            "    pass\n"
            "else:\n"
            "    raise AssertionError('taken for a coroutine')\n"
            "assert 'asyncio' not in sys.modules\n"
        )

    def test_transports_can_begin_tls(self) -> None:
        self.check(
            "from twisted.internet.interfaces import IReactorSSL, ITLSTransport\n"
            "assert ITLSTransport.implementedBy(tcp.Client)\n"
            "assert IReactorSSL.implementedBy(posixbase.PosixReactorBase)\n"
        )
