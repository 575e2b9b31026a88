"""Real proxies, each a process of its own: squid, mitmproxy, microsocks."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.free_port import free_port

__all__ = ["Missing", "Program", "microsocks", "mitmproxy", "squid"]

SECONDS_TO_START = 30.0
SECONDS_TO_STOP = 10.0
# Debian has squid where only root looks.
FOLDERS = "/usr/sbin:/usr/local/sbin"

SQUID = """\
http_port 127.0.0.1:{port}
http_access allow all
cache deny all
pid_filename none
access_log none
cache_log {folder}/printed
coredump_dir none
pinger_enable off
visible_hostname localhost
max_filedescriptors 4096
shutdown_lifetime 0 seconds
"""


class Missing(Exception):
    """A program is not installed; the message says which, and where it comes from."""


class Program:
    """A proxy that runs.

    ports       where it listens, by the scheme of its URL
    authority   the file of the authority that signs its certificates, if it makes some
    """

    def __init__(
        self,
        command: Sequence[str],
        ports: Mapping[str, int],
        log: Path,
        authority: Path | None = None,
    ) -> None:
        self.ports = ports
        self.authority = authority
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
            )

    def url(self, scheme: str) -> str:
        """What to give to `-x`."""
        return f"{scheme}://127.0.0.1:{self.ports[scheme]}"

    def wait_until_it_listens(self) -> None:
        """Raises `RuntimeError` if it never does."""
        until = time.monotonic() + SECONDS_TO_START
        for port in self.ports.values():
            while not _listens(port):
                if not self.runs or time.monotonic() > until:
                    raise RuntimeError(f"no proxy: {self.said()}")
                time.sleep(0.05)  # noqa: TID251 - nothing here is non-blocking

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def said(self) -> str:
        """The end of what it has printed."""
        return self._log.read_text(errors="replace")[-2000:].strip()

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def squid() -> Iterator[Program]:
    """Debian's `squid`, which keeps nothing."""
    path = _find("squid", "apt-get install squid")
    with _folder() as folder:
        port = free_port()
        # Where root starts it, it becomes another user.
        folder.chmod(0o777)
        configuration = folder / "squid.conf"
        configuration.write_text(SQUID.format(port=port, folder=folder))
        # Its name is that of its shared memory, too.
        command = [path, "-N", "-n", f"nbtwisted{port}", "-f", str(configuration)]
        with _running(Program(command, {"http": port}, folder / "printed")) as program:
            yield program


@contextlib.contextmanager
def mitmproxy(authority: str) -> Iterator[Program]:
    """PyPI's `mitmproxy`; it trusts an authority, and is one of its own."""
    path = _find("mitmdump", "make .venv/.mitmproxy")
    with _folder() as folder:
        ports = {"http": free_port(), "socks5h": free_port()}
        command = [
            *(path, "--quiet", "--listen-host", "127.0.0.1"),
            *("--mode", f"regular@{ports['http']}"),
            *("--mode", f"socks5@{ports['socks5h']}"),
            *("--set", f"confdir={folder}"),
            *("--set", f"ssl_verify_upstream_trusted_ca={authority}"),
        ]
        own = folder / "mitmproxy-ca-cert.pem"
        with _running(Program(command, ports, folder / "printed", own)) as program:
            yield program


@contextlib.contextmanager
def microsocks() -> Iterator[Program]:
    """Debian's `microsocks`, which speaks SOCKS5."""
    path = _find("microsocks", "apt-get install microsocks")
    with _folder() as folder:
        port = free_port()
        command = [path, "-i", "127.0.0.1", "-p", str(port)]
        program = Program(command, {"socks5h": port}, folder / "printed")
        with _running(program):
            yield program


@contextlib.contextmanager
def _running(program: Program) -> Iterator[Program]:
    try:
        program.wait_until_it_listens()
        yield program
    finally:
        program.stop()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nbtwisted-") as folder:
        yield Path(folder)


def _find(name: str, how: str) -> str:
    """The path of a program; raises `Missing`, which says how to get it."""
    own = Path(sys.prefix) / "mitmproxy" / "bin"
    path = shutil.which(name) or shutil.which(name, path=f"{FOLDERS}:{own}")
    if path is None:
        raise Missing(f"{name} is not installed: {how}")
    return path


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
