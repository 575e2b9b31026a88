"""Endpoint descriptions: what ours add to Twisted's."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.listening import completed

BACKLOG = ":backlog=8192"


class CompletedTests(SynchronousTestCase):
    def test_what_is_left_open(self) -> None:
        for description, added in [
            ("tcp:8000", BACKLOG),
            ("tcp:port=8000:interface=127.0.0.1", BACKLOG),
            ("tcp6:8000", BACKLOG),
            ("ssl:8443:key.pem:cert.pem", BACKLOG),
            ("unix:/tmp/x.sock", BACKLOG + ":mode=600"),
            ("unix:address=/tmp/x.sock", BACKLOG + ":mode=600"),
            (r"unix:/tmp/a\:mode\=666", BACKLOG + ":mode=600"),
            (r"unix:/tmp/a\\", BACKLOG + ":mode=600"),
            ("haproxy:tcp:8000", BACKLOG),
            ("haproxy:unix:/tmp/x.sock", BACKLOG + ":mode=600"),
        ]:
            self.assertEqual(completed(description), description + added)

    def test_what_is_given_stays(self) -> None:
        for description in [
            "tcp:8000:127.0.0.1:5",
            "tcp6:8000:5",
            "tcp:8000:backlog=5",
            "unix:/tmp/x.sock:mode=666:backlog=5",
            r"unix:/tmp/a\\:666:5",
            "haproxy:unix:/tmp/x.sock:660:backlog=5",
            "systemd:domain=INET:index=0",
            "bogus",
            "",
        ]:
            self.assertEqual(completed(description), description)
