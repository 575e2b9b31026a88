"""Clients that people use, against the paths that need more than one request."""

from __future__ import annotations

from itertools import product

import httpx
import requests
from requests.auth import HTTPDigestAuth
from twisted.trial.unittest import SynchronousTestCase

from tests.server.running import BY_MODULE, RunningServer

NAMES = ("MD5", "MD5-sess", "SHA-256", "SHA-512")
QOPS = ("auth", "auth,auth-int", "none")


class ClientsTests(SynchronousTestCase):
    def test_digest_and_cookies(self) -> None:
        with RunningServer(BY_MODULE) as server, httpx.Client(verify=False) as client:
            url = f"http://127.0.0.1:{server.port}"
            for qop, name in product(QOPS, NAMES):
                if (qop, name) != ("none", "MD5-sess"):
                    path = f"{url}/digest-auth/{qop}/user/passwd/{name}?a=b%20c"
                    self.assertEqual(self.by_requests(path), [200, 200], path)
                    auth = httpx.DigestAuth("user", "passwd")
                    by_httpx = [client.get(path, auth=auth) for _ in range(2)]
                    statuses = [response.status_code for response in by_httpx]
                    self.assertEqual(statuses, [200, 200], path)
            # The nonce is stale after two requests, and the client asks for another.
            path = f"{url}/digest-auth/auth/user/passwd/MD5/2"
            with requests.Session() as session:
                session.auth = HTTPDigestAuth("user", "passwd")
                statuses = [session.get(path).status_code for _ in range(4)]
            self.assertEqual(statuses, [200, 200, 401, 200])
            with requests.Session() as session:
                target = f"{url}/cookies/set?a=1&b=x%20%C3%A9%3B"
                shown = session.get(target).json()["cookies"]
                self.assertEqual(shown, {"a": "1", "b": "x é;"})
                shown = session.get(f"{url}/cookies/delete?a").json()["cookies"]
                self.assertEqual(shown, {"b": "x é;"})

    def by_requests(self, url: str) -> list[int]:
        with requests.Session() as session:
            session.auth = HTTPDigestAuth("user", "passwd")
            return [session.get(url).status_code for _ in range(2)]
