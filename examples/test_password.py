import hashlib
from typing import Any

import treq
from klein import Klein
from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

app = Klein()


@app.route("/login", methods=["POST"])
def login(request: Any) -> str:
    password = request.content.read()
    return hashlib.pbkdf2_hmac("sha256", password, b"salt", 600_000).hex()


class LoginTests(TestCase):
    async def test_login(self) -> None:
        site: Any = Site(app.resource())
        port: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"http://127.0.0.1:{port.getHost().port}/login"
        response = await treq.post(url, b"secret", persistent=False)
        assert len(await response.text()) == 64
