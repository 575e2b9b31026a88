"""A cluster that speaks TLS, by Dask's own settings."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import dask
import distributed
import trustme
from twisted.internet.task import deferLater

from benchmarks.free_port import free_port
from nbtwisted.cluster import cluster as cluster_module
from nbtwisted.cluster.cluster import DaskCluster, connect
from nbtwisted.cluster.frame import Frame
from nbtwisted.cluster.place import Place
from tests.cluster.test_cluster import PART, Listener, refused
from tests.guard import ReactorCase


def settings(
    folder: pathlib.Path, ca: trustme.CA, key_of: trustme.CA
) -> dict[str, Any]:
    """Dask's, with files in that folder."""
    folder.mkdir()
    issued = ca.issue_cert("cluster.example")
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    key = issued if key_of is ca else key_of.issue_cert("cluster.example")
    key.private_key_pem.write_to_path(str(folder / "key.pem"))
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    tls = "distributed.comm.tls"
    told: dict[str, Any] = {f"{tls}.ca-file": str(folder / "ca.pem")}
    for role in ("scheduler", "worker", "client"):
        told[f"{tls}.{role}.cert"] = str(folder / "cert.pem")
        told[f"{tls}.{role}.key"] = str(folder / "key.pem")
    return told


class TLSTests(ReactorCase):
    """A scheduler and a worker that trust an authority of their own."""

    async def test_parts_are_spoken_to_by_those_who_have_a_certificate(self) -> None:
        """And by nobody else."""
        folder = pathlib.Path(self.mktemp())
        folder.mkdir()
        ca, other = trustme.CA(), trustme.CA()
        ours = settings(folder / "ours", ca, ca)
        # It brings settings of its own, which are not to go with ours.
        self.assertTrue(distributed.Client)
        port = free_port()
        address = f"tls://127.0.0.1:{port}"
        environment = {
            **os.environ,
            **{_variable(name): value for name, value in ours.items()},
        }
        loopback = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
        started = [
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", *told, *loopback],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            for program, told in (
                ("dask_scheduler", ["--protocol", "tls", "--port", str(port)]),
                ("dask_worker", [address, "--no-nanny", "--name", "ann"]),
            )
        ]
        try:
            await self._listens(port)
            await self._speak(address, ours)
            for told, words in (
                ({}, "expected Dask to be told of its certificates here"),
                (settings(folder / "other", other, other), "no Dask scheduler answers"),
                (settings(folder / "mixed", ca, other), "KEY_VALUES_MISMATCH"),
            ):
                with dask.config.set(told):
                    error = await refused(connect(self.reactor, Place(address)))
                self.assertIn(words, error)
        finally:
            for process in started:
                process.kill()
                process.communicate()

    async def _listens(self, port: int) -> None:
        """Wait until a scheduler has started, which takes as long as it takes."""
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                return
            await deferLater(self.reactor, 0.01)

    async def _speak(self, address: str, ours: dict[str, Any]) -> None:
        patch = self.patch(cluster_module, "FIRST_WORKER", 20.0)
        with dask.config.set(ours):
            cluster: DaskCluster = await connect(self.reactor, Place(address))
        patch.restore()
        try:
            self.assertTrue(cluster._client.direct_to_workers)
            [worker] = cluster.workers
            self.assertTrue(worker.address.startswith("tls://"), worker)
            part = await cluster.start_part(worker, PART)
            listener = part.listener = Listener()
            part.send({"a": 1}, b"abc")
            await listener.wait(1)
            self.assertEqual(
                listener.frames, [(part, Frame({"echo": {"a": 1}}, b"abc"))]
            )
        finally:
            await cluster.close()


def _variable(name: str) -> str:
    """The variable of the environment that Dask reads a setting from."""
    return "DASK_" + name.replace(".", "__").replace("-", "_").upper()
