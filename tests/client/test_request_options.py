from __future__ import annotations

import os
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from nbtwisted.client.job import Job
from nbtwisted.client.options import request as request_options
from nbtwisted.client.options.get import Options, read_options
from tests.guard import ClockCase

FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
JSON = (("Content-Type", "application/json"), ("Accept", "application/json"))


class RequestOptionsTests(ClockCase):
    def job(self, *arguments: str) -> Job:
        return next(self.read(*arguments).each_job())

    def read(self, *arguments: str) -> Options:
        return read_options([*arguments, "http://h/"])

    def refused(self, *arguments: str) -> tuple[int | str | None, str]:
        said = StringIO()
        with redirect_stderr(said), self.assertRaises(SystemExit) as ended:
            self.read(*arguments)
        self.assertEqual(said.getvalue().count("\n"), 1)
        return ended.exception.code, said.getvalue()

    def test_what_becomes_of_them(self) -> None:
        url = "http://h/"
        for arguments, job in [
            (["-X", "PURGE"], Job(url, "PURGE")),
            (["-I"], Job(url, "HEAD")),
            (["-d", "a=1", "--data", "b=2"], Job(url, "POST", FORM, b"a=1&b=2")),
            (["-d", ""], Job(url, "POST", FORM, b"")),
            (["-X", "PUT", "-d", "ü"], Job(url, "PUT", FORM, "ü".encode())),
            (["-X", "GET", "--data-binary", "x"], Job(url, "GET", FORM, b"x")),
            (["--json", "[1,", "--json", "2]"], Job(url, "POST", JSON, b"[1,2]")),
            (["-d", "a", "-H", "content-type: x"], Job(url, "POST", (), b"a")),
        ]:
            self.assertEqual(self.job(*arguments), job)

    def test_headers_that_all_have(self) -> None:
        for arguments, headers in [
            (
                ["-A", "me", "-u", "a:b"],
                [("Authorization", "Basic YTpi"), ("User-Agent", "me")],
            ),
            (["-A", ""], [("User-Agent", "")]),
            (["-A", "me", "-H", "user-agent: you"], [("user-agent", "you")]),
            (["-u", "a:b", "-H", "Authorization: c"], [("Authorization", "c")]),
            (["-u", "ü:"], [("Authorization", "Basic w7w6")]),
        ]:
            self.assertEqual(list(self.read(*arguments).how["headers"]), headers)

    def test_bodies_from_files(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"a=1\r\nb\0=2\n")
        self.assertEqual(self.job("-d", f"@{path}").body, b"a=1b=2")
        self.assertEqual(self.job("--data-binary", f"@{path}").body, path.read_bytes())
        self.assertEqual(self.job("--json", f"@{path}").body, path.read_bytes())
        with patch.object(request_options, "LARGEST_BODY", 3):
            code, said = self.refused("-d", f"@{path}")
        self.assertEqual(code, 26)
        self.assertIn("is too long: expected 3 bytes at most", said)

    def test_a_body_from_stdin(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"piped")
        os.close(writer)
        with patch("os.dup", lambda _: reader):
            self.assertEqual(self.job("-d", "@-").body, b"piped")
        with patch.object(sys, "stdin", None):
            code, said = self.refused("-d", "@-")
        self.assertEqual(code, 26)
        self.assertIn("cannot read -: standard input is closed", said)

    def test_what_is_refused(self) -> None:
        for arguments, code, expected in [
            (["-d", "@/nowhere"], 26, "--data: cannot read /nowhere: No such file"),
            (["--json", "@/tmp"], 26, "--json: cannot read /tmp: Is a directory"),
            (["-I", "-d", "x"], 2, "-I: expected no --data beside it"),
            (["-I", "-X", "GET"], 2, "-I: expected no -X beside it"),
            (["-X", "GET\r\n"], 2, "expected a method such as POST"),
            (["-X", "CONNECT"], 2, "-X: method CONNECT: expected one that asks"),
            (["-X", "HEAD", "-d", "x"], 2, "--data: a body with HEAD: expected none"),
            (["--json", "1", "-d", "x"], 2, "--json: expected no other body beside"),
            (["-u", "secret"], 2, "-u/--user: expected USER:PASSWORD"),
            (["-A", "a\r\nb"], 2, "expected a name without control characters"),
        ]:
            found, said = self.refused(*arguments)
            self.assertEqual(found, code)
            self.assertIn(expected, said)
            self.assertNotIn("secret", said)
        with redirect_stderr(StringIO()) as text, self.assertRaises(SystemExit):
            read_options(["-i", "-", "-d", "@-"])
        self.assertIn("-i -: expected no body from stdin beside it", text.getvalue())
