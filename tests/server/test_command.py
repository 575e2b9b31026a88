"""`python -m nbtwisted.server`: what it is told, what it says, and how it ends."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile

import trustme
from twisted.trial.unittest import SynchronousTestCase

from nbtwisted.server.options import read_options
from tests import warm_start
from tests.clock_that_steps import BACK, BY_STEPS, FORWARD
from tests.server.running import BY_MODULE, RunningServer, read_all

LOOPBACK = "tcp:8000:interface=127.0.0.1"
LOOPBACK_9 = "tcp:9:interface=127.0.0.1"

RESET = b"POST /__admin/reset HTTP/1.0\r\n\r\n"
"""Lets go of what is held."""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return warm_start.run(
        [sys.executable, "-m", "nbtwisted.server", *arguments],
        timeout=20,
        env={**os.environ, **environment},
    )


class OptionsTests(SynchronousTestCase):
    def test_loopback_unless_told_otherwise(self) -> None:
        self.patch(os, "environ", {})
        self.assertEqual(read_options([]).listen, (LOOPBACK,))

    def test_several_places(self) -> None:
        told = read_options(["--listen", "tcp:1", "--listen", "unix:/x"])
        self.assertEqual(told.listen, ("tcp:1", "unix:/x"))

    def test_lenient(self) -> None:
        self.assertFalse(read_options([]).lenient)
        self.assertTrue(read_options(["--lenient"]).lenient)
        for text, expected in {"1": True, "TRUE": True, "0": False, "": False}.items():
            self.patch(os, "environ", {"NBTWISTED_LENIENT": text})
            self.assertIs(read_options([]).lenient, expected, text)

    def test_the_environment(self) -> None:
        self.patch(os, "environ", {"NBTWISTED_LISTEN": "tcp:1 tcp:2"})
        self.assertEqual(read_options([]).listen, ("tcp:1", "tcp:2"))
        self.assertEqual(read_options(["--listen", "tcp:3"]).listen, ("tcp:3",))

    def test_a_port_and_an_address(self) -> None:
        self.patch(os, "environ", {})
        for arguments, listen in {
            "--port 9": "tcp:9:interface=127.0.0.1",
            "--port 0 --host localhost": "tcp:0:interface=127.0.0.1",
            "--host 0.0.0.0": "tcp:8000:interface=0.0.0.0",
            "--host ::1": r"tcp6:8000:interface=\:\:1",
        }.items():
            self.assertEqual(read_options(arguments.split()).listen, (listen,))

    def test_what_is_typed_goes_before_the_environment(self) -> None:
        self.patch(
            os, "environ", {"NBTWISTED_LISTEN": "unix:/x", "NBTWISTED_PORT": "7"}
        )
        self.assertEqual(read_options([]).listen, ("unix:/x",))
        self.assertEqual(read_options(["--port", "9"]).listen, (LOOPBACK_9,))
        self.patch(os, "environ", {"NBTWISTED_PORT": "9"})
        self.assertEqual(read_options([]).listen, (LOOPBACK_9,))

    def test_where_it_cannot_listen(self) -> None:
        self.patch(os, "environ", {})
        for arguments, expected in {
            "--port 65536": "--port: '65536': expected a port up to 65535",
            "--port x": "--port: 'x': expected a whole number",
            "--host a.test": "--host: 'a.test': expected an address such as",
            "--port 9 --listen tcp:9": "expected neither --port nor --host beside it",
        }.items():
            said = io.StringIO()
            with contextlib.redirect_stderr(said), self.assertRaises(SystemExit):
                read_options(arguments.split())
            self.assertIn(expected, said.getvalue())


class CommandTests(SynchronousTestCase):
    def test_a_clock_that_is_set(self) -> None:
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        with (
            RunningServer([*BY_STEPS, "nbtwisted.server", *listen]) as server,
            server.connect() as idle,
            server.connect() as held,
        ):
            for connection, path in ((idle, b"/get"), (held, b"/delay/300ms")):
                connection.sendall(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            self.assertIn(b"200 OK", idle.recv(65536))
            # Answered only after all that was sent before it is being held.
            server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
            server.process.send_signal(BACK)
            # A clock that is set back does not keep an answer.
            self.assertIn(b"asked;dur=300", held.recv(65536))
            for connection in (idle, held):
                connection.sendall(b"GET /delay/9 HTTP/1.1\r\nHost: a\r\n\r\n")
            server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
            server.process.send_signal(FORWARD)
            later = server.ask(b"GET /delay/100ms HTTP/1.0\r\n\r\n")
            self.assertIn(b"asked;dur=100", later)
            # One that is set forward gives none too early, and closes nothing.
            for connection in (idle, held):
                connection.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    connection.recv(1)

    def holding(self, *more: str) -> tuple[RunningServer, socket.socket]:
        """A server that holds one answer until it is reset."""
        server = RunningServer([*BY_MODULE, *more])
        self.addCleanup(server.__exit__, None, None, None)
        held = server.connect()
        self.addCleanup(held.close)
        held.sendall(b"GET /delay/300?_key=held HTTP/1.1\r\nHost: test\r\n\r\n")
        asked = b"GET /__admin/requests?key=held HTTP/1.0\r\n\r\n"
        while b'"id"' not in server.ask(asked):
            pass
        return server, held

    def test_ctrl_c_waits_for_nothing(self) -> None:
        server, _ = self.holding()
        self.assertEqual(server.stop(signal.SIGINT), 0)
        # The ready line, and not a word more.
        self.assertEqual(server.output, f"nbtwisted: serving on {server.url}\n")

    def test_sigterm_waits_for_what_is_held(self) -> None:
        server, held = self.holding()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.stdout is not None
        self.assertEqual(
            server.process.stdout.readline(),
            "nbtwisted: waiting up to 30 s for 1 responses\n",
        )
        refused = server.ask(b"GET /delay/1 HTTP/1.1\r\nHost: test\r\n\r\n")
        self.assertTrue(refused.startswith(b"HTTP/1.1 503"), refused)
        self.assertIn(b"\r\nConnection: close\r\n", refused)
        ready = server.ask(b"GET /readyz HTTP/1.0\r\n\r\n")
        self.assertTrue(ready.startswith(b"HTTP/1.1 503"), ready)
        server.ask(RESET)
        answer = read_all(held)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(server.stop(), 0)

    def test_a_terminal_that_closes(self) -> None:
        server, held = self.holding()
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(server.next_line()[:25], "nbtwisted: waiting up to ")
        server.ask(RESET)
        self.assertTrue(read_all(held).endswith(b"}\n"))
        self.assertEqual(server.process.wait(10), 0)

    def test_a_terminal_that_closes_under_nohup(self) -> None:
        nohup = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
        with RunningServer([*nohup, *BY_MODULE]) as server:
            server.process.send_signal(signal.SIGHUP)
            answer = server.ask(b"GET /delay/50ms HTTP/1.0\r\n\r\n")
            self.assertIn(b"asked;dur=50", answer)
            server.stop()
        self.assertNotIn("waiting", server.output)

    def test_no_longer_than_it_may(self) -> None:
        server, held = self.holding("--drain", "50ms")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(
            server.output.splitlines()[-1], "nbtwisted: gave up 1 responses"
        )
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(read_all(held), b"")

    def test_a_second_signal_waits_no_more(self) -> None:
        server, _ = self.holding()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.stdout is not None
        server.process.stdout.readline()
        self.assertEqual(server.stop(), 0)
        self.assertEqual(
            server.output.splitlines()[-1], "nbtwisted: gave up 1 responses"
        )
        self.assertNotIn("Traceback", server.output)

    def test_access_log(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/log"
            with RunningServer([*BY_MODULE, "--access-log", path]) as server:
                server.ask(b"GET /status/201?a=%22 HTTP/1.0\r\nUser-Agent: me\r\n\r\n")
                server.stop()
            with open(path) as log:
                self.assertRegex(
                    log.read(),
                    r"^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:[\d:]{8} \+0000\] "
                    r'"GET /status/201\?a=%22 HTTP/1.0" 201 0 "-" "me" '
                    r"asked=0\.000 held=\d\.\d{3} fault=- outcome=answered\n$",
                )
        with RunningServer([*BY_MODULE, "--access-log", "-"]) as server:
            server.ask(b"GET /get?_fault=empty HTTP/1.0\r\n\r\n")
            server.stop()
        self.assertRegex(server.output, r" - 0 .* fault=empty outcome=broken\n$")

    def test_an_access_log_that_cannot_be(self) -> None:
        for ended, name in [
            (run("--access-log", "/nowhere/\u202elog"), "--access-log"),
            (run(NBTWISTED_ACCESS_LOG="/nowhere/\u202elog"), "NBTWISTED_ACCESS_LOG"),
        ]:
            self.assertEqual(ended.returncode, 1)
            self.assertEqual(
                ended.stderr,
                f"nbtwisted: error: {name}: cannot write /nowhere/\\u202elog: "
                "No such file or directory\n",
            )

    def test_no_folder_of_files(self) -> None:
        ended = run("--allow-files", "/nowhere")
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(
            ended.stderr,
            "nbtwisted: error: --allow-files: /nowhere: expected a folder\n",
        )

    def test_output_that_nobody_reads(self) -> None:
        with RunningServer([*BY_MODULE, "--access-log", "-"]) as server:
            # Stdout and stderr, which are full now.
            path = f"/proc/{server.process.pid}/fd/1"
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(pipe, b"x" * 4096)
            os.close(pipe)
            for _ in range(5):
                answer = server.ask(b"GET /get HTTP/1.0\r\n\r\n")
                self.assertIn(b" 200 OK\r\n", answer)
            with server.connect() as held:
                held.sendall(b"GET /delay/300ms HTTP/1.0\r\n\r\n")
                server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
                # It says that it waits.
                server.process.send_signal(signal.SIGTERM)
                self.assertIn(b"asked;dur=300", held.recv(65536))
            self.assertEqual(server.process.wait(10), 0)

    def test_an_access_log_to_a_stdout_that_is_closed(self) -> None:
        ended = subprocess.run(
            f'"{sys.executable}" -m nbtwisted.server --access-log - >&-',
            shell=True,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        self.assertEqual(ended.returncode, 1)
        self.assertIn("standard output is closed", ended.stderr)

    def test_an_access_log_that_loses_lines(self) -> None:
        with RunningServer([*BY_MODULE, "--access-log", "/dev/full"]) as server:
            for _ in range(3):
                server.ask(b"GET /get HTTP/1.0\r\n\r\n")
            expected = "the access log loses lines: cannot write /dev/full: No space"
            self.assertIn(expected, server.next_line())
            self.assertEqual(server.stop(), 0)
        self.assertIn("nbtwisted: 3 lines of the access log were lost", server.output)
        self.assertEqual(server.output.count("loses lines"), 1)

    def test_a_burst_fits_into_the_backlog(self) -> None:
        with RunningServer() as server:
            server.process.send_signal(signal.SIGSTOP)
            try:
                with open("/proc/sys/net/core/somaxconn") as most:
                    burst = min(int(most.read()), 1000)
                connections = []
                for _ in range(burst):
                    connection = socket.socket()
                    self.addCleanup(connection.close)
                    connection.settimeout(5)
                    connections.append(connection)
                    connection.connect(("127.0.0.1", server.port))
            finally:
                server.process.send_signal(signal.SIGCONT)
            for connection in connections:
                connection.sendall(b"GET /?_delay=0 HTTP/1.0\r\n\r\n")
            for connection in connections:
                self.assertEqual(connection.recv(15), b"HTTP/1.1 200 OK")

    def test_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [*BY_MODULE, "--listen", f"unix:{folder}/slow.sock"]
            with RunningServer(command) as server, socket.socket(socket.AF_UNIX) as it:
                it.settimeout(10)
                it.connect(f"{folder}/slow.sock")
                it.sendall(b"GET /delay/0 HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: it.recv(65536), b""))
                self.assertIn(b'"origin": "unix"', answer)
                server.stop()
                self.assertIn(f"serving on unix:{folder}/slow.sock", server.output)

    def test_a_unix_socket_is_its_owners(self) -> None:
        umask = os.umask(0)
        self.addCleanup(os.umask, umask)
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/a b:c.sock"
            listen = f"unix:{path}".replace("b:", r"b\:")
            with RunningServer([*BY_MODULE, "--listen", listen]) as server:
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                refused = run("--listen", listen)
                self.assertEqual(refused.returncode, 1)
                self.assertIn(f"{path}: Address already in use: ", refused.stderr)
                # It goes on to serve there.
                self.assertIn(b"200 OK", self.ask_unix(path))
                server.stop(signal.SIGKILL)
            # Now its process id is anybody's, such as that of a container's first.
            os.unlink(f"{path}.lock")
            os.symlink("1", f"{path}.lock")
            command = [*BY_MODULE, "--listen", f"haproxy:{listen}:mode=660"]
            with RunningServer(command) as server:
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
                answer = self.ask_unix(path, b"PROXY TCP4 10.0.0.9 10.0.0.1 1 2\r\n")
                self.assertIn(b'"origin": "10.0.0.9"', answer)
                self.assertEqual(server.stop(), 0)
            self.assertEqual(os.listdir(folder), [])

    def test_what_is_no_socket_is_not_removed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/precious"
            with open(path, "w") as file:
                file.write("kept")
            refused = run("--listen", f"unix:{path}")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("Address already in use", refused.stderr)
            with open(path) as file:
                self.assertEqual(file.read(), "kept")

    def ask_unix(self, path: str, before: bytes = b"") -> bytes:
        with socket.socket(socket.AF_UNIX) as it:
            it.settimeout(10)
            it.connect(path)
            it.sendall(before + b"GET /ip HTTP/1.0\r\n\r\n")
            return read_all(it)

    def test_tls(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        with tempfile.TemporaryDirectory() as folder:
            issued.private_key_pem.write_to_path(f"{folder}/key.pem")
            for blob in issued.cert_chain_pems:
                blob.write_to_path(f"{folder}/cert.pem", append=True)
            where = "ssl:0:interface=127.0.0.1"
            where += f":privateKey={folder}/key.pem:certKey={folder}/cert.pem"
            with RunningServer([*BY_MODULE, "--listen", where]) as server:
                line = server.next_line()
                self.assertRegex(line, r"serving on https://127\.0\.0\.1:\d+/$")
                context = ssl.create_default_context()
                authority.configure_trust(context)
                context.set_alpn_protocols(["h2", "http/1.1"])
                port = int(line.rstrip("/\n").rpartition(":")[2])
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
                    context.wrap_socket(plain, server_hostname="127.0.0.1") as it,
                ):
                    self.assertEqual(it.selected_alpn_protocol(), "http/1.1")
                    it.sendall(b"GET /get HTTP/1.0\r\nHost: test\r\n\r\n")
                    self.assertIn(b'"url": "https://test/get"', read_all(it))
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
                    context.wrap_socket(plain, server_hostname="127.0.0.1") as it,
                ):
                    it.sendall(b"no request\r\n")
                    self.assertIn(b"HTTP/1.1 400 Bad Request", read_all(it))
                server.stop()
            self.assertNotIn("Traceback", server.output)

    def test_ipv6(self) -> None:
        command = [*BY_MODULE, "--listen", r"tcp6:0:interface=\:\:1"]
        with RunningServer(command) as server:
            line = server.next_line()
            self.assertRegex(line, r"serving on http://\[::1\]:\d+/$")
            port = int(line.rstrip("/\n").rpartition(":")[2])
            with socket.create_connection(("::1", port), timeout=10) as it:
                it.sendall(b"GET /ip HTTP/1.0\r\n\r\n")
                self.assertIn(b'"origin": "::1"', read_all(it))
            with socket.create_connection(("::1", port), timeout=10) as it:
                it.sendall(b"GET /__admin/stats HTTP/1.0\r\n\r\n")
                self.assertIn(b"200 OK", read_all(it))

    def test_bad_options_are_one_line_and_exit_2(self) -> None:
        for arguments, words in [
            (["--max-delay", "abc"], "seconds such as"),
            (["--max-delay", "0"], "above 0"),
            (["--what"], "--what"),
            (["--listen", ""], "not empty"),
            (["--access-log", ""], "not empty"),
            (["--reactor", ""], "--reactor: ''"),
            (["--reactor", "what"], "error: --reactor 'what': expected one of"),
            (["stray"], "stray"),
            (["--max-in-flight", "0"], "1 or more"),
            (["--drain", "-1"], "seconds such as"),
            (["--admin-token", "a b"], "ASCII without spaces"),
        ]:
            ran = run(*arguments)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), arguments)
            self.assertEqual(ran.stderr.count("\n"), 1, ran.stderr)
            self.assertIn(words, ran.stderr)
        ran = run(NBTWISTED_REACTOR="what")
        self.assertIn("error: NBTWISTED_REACTOR 'what': expected one of", ran.stderr)
        for name, value in [("MAX_DELAY", "-1"), ("LENIENT", "perhaps")]:
            ran = run(**{f"NBTWISTED_{name}": value})
            self.assertEqual(
                (ran.returncode, ran.stderr.count("\n")), (2, 1), ran.stderr
            )

    def test_where_few_files_may_be_open(self) -> None:
        few = ["bash", "-c", 'ulimit -n 40; exec "$@"', "bash", *BY_MODULE]
        with RunningServer(few) as server:
            self.assertRegex(
                server.output,
                r"^nbtwisted: this process may open few files: \d+ connections at most "
                r"\(ulimit -n\)\nnbtwisted: serving on ",
            )
            self.assertIn(b"200 OK", server.ask(b"GET /get HTTP/1.0\r\n\r\n"))

    def test_where_it_cannot_listen_is_one_line_and_exit_1(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            taken_place = f"tcp:{port}:interface=127.0.0.1"
            for endpoint in [
                taken_place,
                *("bogus:1", "tcp", "tcp:abc", "tcp:99999", "unix:/no/such/dir/x"),
                "unix:/no/such/\x9b/x",
                *("tcp:0:what=1", "ssl:0", "ssl:0:privateKey=/dev/null"),
            ]:
                ran = run("--listen", endpoint)
                self.assertEqual((ran.returncode, ran.stdout), (1, ""), endpoint)
                self.assertEqual(ran.stderr.count("\n"), 1, ran.stderr)
                self.assertTrue(ran.stderr[:-1].isprintable(), ran.stderr)
                self.assertIn(f"cannot listen on {endpoint!r}", ran.stderr)
                for of_python in ("invalid literal", "argument", "Errno", "Error"):
                    self.assertNotIn(of_python, ran.stderr)
            # Names what was given, and suggests another place.
            for arguments, variables, name in [
                (["--port", str(port)], {}, "--port"),
                (["--port", str(port)], {"NBTWISTED_PORT": "1"}, "--port"),
                ([], {"NBTWISTED_PORT": str(port)}, "NBTWISTED_PORT"),
                (["--listen", taken_place], {}, "--listen"),
                ([], {"NBTWISTED_LISTEN": taken_place}, "NBTWISTED_LISTEN"),
            ]:
                ran = run(*arguments, **variables)
                self.assertRegex(
                    ran.stderr,
                    rf"^nbtwisted: error: {name}: cannot listen on '{taken_place}': "
                    r"Address already in use: expected a free place \(port 0 .*\)\n$",
                )
