"""What a part is told is what the driver was told, but for its share."""

from __future__ import annotations

import json
import os
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO

import trustme
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.client.errors import BadJob
from nbtwisted.client.job import Job, JobTemplate
from nbtwisted.client.options.get import read_options
from nbtwisted.client.options.sent import JobsInShort, PartOptions, tls_files

EVERYTHING = [
    *("-c", "7", "--per-host", "3", "--rate", "10", "--rate-per-host", "2"),
    *("-m", "5", "--connect-timeout", "1", "--first-byte-timeout", "2"),
    *("--retry", "4", "--retry-delay", "0.5", "--retry-max-time", "9"),
    *("--retry-all-methods", "-L", "--max-redirs", "6", "-f", "--compressed"),
    *("--max-filesize", "1000", "--max-header-size", "2000", "-4"),
    *("-d", "\udcff", "-H", "X: \udce4", "-u", "a:b", "-A", "me"),
    *("--resolve", "*:80:127.0.0.1,127.0.0.2", "--noproxy", "c,d"),
    *("-x", "socks5://u%ff:p@h:1", "--format", "csv", "--cluster", "local:2"),
]


def sent(*arguments: str, concurrency: int = 3, number: int = 2) -> PartOptions:
    """What a part reads of these arguments."""
    options = PartOptions.of(read_options(arguments), concurrency, number)
    written = json.dumps(options.as_json(), allow_nan=False)
    read = PartOptions.read(json.loads(written), options.template.body or b"")
    assert read == options
    return read


class OptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {})

    def test_everything(self) -> None:
        told, part = read_options([*EVERYTHING, "x"]), sent(*EVERYTHING, "x")
        self.assertEqual(part.how, {**told.how, "rate": 5.0})
        self.assertEqual(part.template, told.template)
        self.assertEqual((part.concurrency, part.per_host), (3, 3))
        self.assertEqual((part.format, part.fail), ("csv", True))
        assert part.how["proxies"] is not None
        assert part.how["proxies"].http is not None
        self.assertEqual(part.how["proxies"].http.user, b"u\xff")

    def test_what_is_usual(self) -> None:
        told, part = read_options(["x"]), sent("x")
        self.assertEqual(part.how, told.how)
        self.assertFalse(part.keeps_alive)
        self.assertFalse(part.may_need_tls)
        self.assertTrue(sent("-n", "51", "x").keeps_alive)
        self.assertTrue(sent("-n", "2", "--per-host", "1", "x").keeps_alive)
        self.assertTrue(sent("https://x").may_need_tls)

    def test_proxies_of_the_environment(self) -> None:
        os.environ["https_proxy"] = "http://p:1"
        proxies = sent("x").how["proxies"]
        assert proxies is not None
        self.assertEqual((proxies.http, str(proxies.https)), (None, "http://p:1"))

    def test_files_are_read_here(self) -> None:
        """And are files there, which nobody else can read, as long as they are used."""
        authority = trustme.CA()
        chain = authority.issue_cert("h").private_key_and_cert_chain_pem
        with chain.tempfile() as own, authority.cert_pem.tempfile() as trusted:
            part = sent("--cacert", trusted, "--cert", own, "--key", own, "x")
            with open(own, "rb") as file:
                expected = file.read()
        with tls_files(part.how["tls"]) as tls:
            assert tls is not None
            folder = os.path.dirname(str(tls["key"]))
            for name in ("certificate", "key"):
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertEqual(file.read(), expected)
            self.assertTrue(tls["verify"])
            self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
            self.assertEqual(
                sorted(os.listdir(folder)), ["authorities", "certificate", "key"]
            )
        self.assertFalse(os.path.exists(folder))
        with tls_files(None) as none:
            self.assertIsNone(none)
        with tls_files(sent("-k", "x").how["tls"]) as tls:
            assert tls is not None
            self.assertEqual(
                (tls["verify"], tls["authorities"], tls["key"]), (False, None, None)
            )

    def test_what_workers_cannot_do_is_refused(self) -> None:
        for arguments, said in [
            (["--har", "x"], "--har: expected no --cluster beside it"),
            (["--trace", "x"], "--trace: expected no --cluster beside it"),
            (["--report", "x"], "--report: expected no --cluster beside it"),
            (["--timeline"], "--timeline: expected no --cluster beside it"),
            (["--unix-socket", "x"], "--unix-socket: expected no --cluster beside it"),
            (
                ["--cert", "x", "--cluster", "tcp://h:1"],
                "--cert: expected --cluster lo",
            ),
            (["--cluster", "h"], "--cluster: 'h': expected local, local:N with 1 to"),
        ]:
            with redirect_stderr(StringIO()) as stderr, self.assertRaises(SystemExit):
                read_options(["--cluster", "local", *arguments, "http://x"])
            self.assertIn(said, stderr.getvalue())
        for place in ("local", "tls://h:1"):
            read_options(["--cluster", place, "--cert", "x", "x"])


class JobsTests(SynchronousTestCase):
    @given(
        template=st.sampled_from(
            [
                JobTemplate(),
                JobTemplate("PUT", b"usual", (("A", "b"),)),
                JobTemplate("DELETE"),
            ]
        ),
        method=st.sampled_from([None, "GET", "PUT", "POST"]),
        body=st.sampled_from([None, b"", b"usual", b"\xff"]),
        headers=st.sampled_from([(), (("A", "b"),)]),
        max_time=st.sampled_from([None, 1.5]),
    )
    def test_any_job(
        self,
        template: JobTemplate,
        method: str | None,
        body: bytes | None,
        headers: tuple[tuple[str, str], ...],
        max_time: float | None,
    ) -> None:
        jobs = JobsInShort(template)
        try:
            job = template.job("http://x/\udcff", method, headers, body, max_time)
        except ValueError:
            return
        written = json.loads(json.dumps(jobs.write(job)))
        self.assertEqual(jobs.read(written), job)

    def test_a_usual_one_is_its_url(self) -> None:
        template = JobTemplate("PUT", b"usual")
        jobs = JobsInShort(template)
        self.assertEqual(jobs.write(template.job("x")), "x")
        self.assertEqual(jobs.write(Job("x")), {"url": "x"})
        self.assertEqual(
            jobs.write(replace(template.job("x"), max_time=1.0)),
            {"url": "x", "method": "PUT", "body": "usual", "max_time": 1.0},
        )

    def test_what_is_no_job(self) -> None:
        jobs = JobsInShort(JobTemplate())
        bad = BadJob("line 1: no", shown="{...}")
        read = jobs.read(json.loads(json.dumps(jobs.write(bad))))
        assert isinstance(read, BadJob)
        self.assertEqual((str(read), read.shown), ("line 1: no", "{...}"))
