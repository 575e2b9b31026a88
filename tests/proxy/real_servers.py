"""PostgreSQL, Redis and nginx as they are installed, each started for tests alone.

Each runs in a temporary folder, on a loopback port of its own, and is killed in the
end. As root, PostgreSQL and nginx run as somebody who may do nothing else.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from benchmarks.free_port import free_port

__all__ = [
    "FILE_SIZE",
    "PSQL_ENVIRONMENT",
    "RealServer",
    "missing",
    "nginx",
    "postgresql",
    "psql",
    "psql_command",
    "redis",
    "until",
]

START_DEADLINE = 30
"""Seconds for a server to start: on an idle machine it takes one."""

FILE_SIZE = 2_000_000
"""Bytes of the file that nginx has: more than sockets and the proxy hold."""

_POLL = 0.02
"""Seconds between two looks at another process."""


@dataclass
class RealServer:
    """A server that runs: its address, and the folder where all of its files are."""

    port: int
    folder: Path

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"


def missing(*programs: str) -> str | None:
    """The reason to skip a test that needs these programs; None if all are there."""
    absent = [name for name in programs if _path(name) is None]
    return f"not installed here: {', '.join(absent)}" if absent else None


def until(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Wait for another process; raises `AssertionError` when the time is over."""
    never = threading.Event()
    for _ in range(int(seconds / _POLL)):
        if condition():
            return
        never.wait(_POLL)
    raise AssertionError(f"this did not come true in {seconds} s: {condition}")


@contextmanager
def postgresql() -> Iterator[RealServer]:
    """Run PostgreSQL; its superuser is `postgres`, who needs no password.

    It speaks TLS to those who want it.
    """
    with _folder() as folder:
        data = str(folder / "data")
        _run(
            *(_need("initdb"), "-D", data, "-U", "postgres", "--auth=trust"),
            *("--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C"),
            folder=folder,
        )
        certificate = trustme.CA().issue_cert("127.0.0.1")
        (folder / "cert").write_bytes(certificate.cert_chain_pems[0].bytes())
        (folder / "key").write_bytes(certificate.private_key_pem.bytes())
        (folder / "key").chmod(0o600)
        _give_away(folder)
        settings = {
            "ssl": "on",
            "ssl_cert_file": str(folder / "cert"),
            "ssl_key_file": str(folder / "key"),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "autovacuum": "off",
            "shared_buffers": "16MB",
            "max_connections": "20",
        }
        port = free_port()
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = [_need("postgres"), "-D", data, "-p", str(port), *options]
        with _running(command, RealServer(port, folder)) as server:
            until(lambda: psql(server, "SELECT 1").returncode == 0, seconds=60)
            yield server


def psql(
    server: RealServer | str, command: str, *, sslmode: str = "disable"
) -> subprocess.CompletedProcess[str]:
    """Run psql with one command; `server` may be HOST:PORT."""
    return subprocess.run(
        [*psql_command(server, sslmode=sslmode), "-c", command],
        text=True,
        capture_output=True,
        timeout=30,
        env=PSQL_ENVIRONMENT,
    )


PSQL_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C",
    "PGCONNECT_TIMEOUT": "10",
}


def psql_command(
    server: RealServer | str, *, name: str = "psql", sslmode: str = "disable"
) -> list[str]:
    """psql, which prints nothing but values; `name` is what the server calls it."""
    address = server if isinstance(server, str) else server.address
    url = f"postgresql://postgres@{address}/postgres?sslmode={sslmode}"
    return [
        *(_need("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
        f"{url}&application_name={name}&gssencmode=disable",
    ]


@contextmanager
def redis(**tls: bytes) -> Iterator[RealServer]:
    """Run Redis, which keeps nothing on disk.

    With a certificate, its key and who has signed it (`cert`, `key` and `ca_cert`), all
    as PEM, it speaks TLS.
    """
    with _folder() as folder:
        port = free_port()
        listen = ["--port", str(port)]
        for name, content in tls.items():
            (folder / name).write_bytes(content)
            listen += [f"--tls-{name.replace('_', '-')}-file", name]
        if tls:
            _give_away(folder)
            listen = ["--port", "0", "--tls-port", str(port), *listen[2:]]
            listen += ["--tls-auth-clients", "no"]
        command = [
            *(_need("redis-server"), "--bind", "127.0.0.1", *listen),
            *("--save", "", "--dir", str(folder), "--daemonize", "no"),
        ]
        with _running(command, RealServer(port, folder)) as server:
            yield server


_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    default_type application/octet-stream;
    client_max_body_size 100m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location /uploads/ {{
            dav_methods PUT;
            create_full_put_path on;
        }}
    }}
}}
"""


@contextmanager
def nginx(port: int = 0) -> Iterator[RealServer]:
    """Run nginx; `/small` and `/large` are files, and PUT under `/uploads/` makes one.

    They are in `files` in its folder. A file is there when all of it has come, and
    until then in `body`.
    """
    with _folder() as folder:
        port = port or free_port()
        files = folder / "files"
        files.mkdir()
        (files / "small").write_bytes(b"a small file\n")
        (files / "large").write_bytes(bytes(range(250)) * (FILE_SIZE // 250))
        settings = folder / "nginx.conf"
        settings.write_text(_NGINX.format(folder=folder, port=port), encoding="utf-8")
        _give_away(folder)
        # What it says before it has read its settings goes to a file of Debian's.
        command = [_need("nginx"), "-p", str(folder), "-e", "stderr"]
        command += ["-c", str(settings)]
        with _running(command, RealServer(port, folder)) as server:
            yield server


def _path(program: str) -> str | None:
    """Where a program is: Debian has some of these where no PATH leads."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places = [*os.environ["PATH"].split(":"), "/usr/sbin", *map(str, versions)]
    return shutil.which(program, path=":".join(places))


def _need(program: str) -> str:
    path = _path(program)
    assert path is not None, f"{program} is not installed"
    return path


def _somebody() -> dict[str, Any]:
    """Who runs a server that does not run as root: arguments for `subprocess`."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _with_us() -> list[str]:
    """The beginning of a command that ends when this process does, if it is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT", "--"] if setpriv else []


def _give_away(folder: Path) -> None:
    who = _somebody()
    if who:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, who["user"], who["group"])


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nbtwisted-") as name:
        folder = Path(name)
        _give_away(folder)
        yield folder


def _run(*command: str, folder: Path) -> None:
    """Run a program to its end; raises `AssertionError` if it fails."""
    done = subprocess.run(
        command, cwd=folder, text=True, capture_output=True, timeout=60, **_somebody()
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


@contextmanager
def _running(command: list[str], server: RealServer) -> Iterator[RealServer]:
    """Run a server, from when it takes connections until the end of the context."""
    said = server.folder / "said"
    with (
        said.open("wb") as output,
        subprocess.Popen(
            [*_with_us(), *command],
            cwd=server.folder,
            stdout=output,
            stderr=output,
            **_somebody(),
        ) as process,
    ):

        def is_up() -> bool:
            assert process.poll() is None, said.read_text(errors="replace")
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", server.port), 1).close()
                return True
            return False

        try:
            until(is_up, seconds=START_DEADLINE)
            yield server
        finally:
            # All three end at once by it, PostgreSQL in its "fast" way.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
