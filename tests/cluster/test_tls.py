"""A cluster that speaks TLS, by Dask's own settings."""

from __future__ import annotations

import pathlib
from typing import Any

import dask
import distributed
import trustme

from benchmarks.free_port import free_port
from nbtwisted.cluster.cluster import DaskCluster, connect
from nbtwisted.cluster.frame import Frame
from nbtwisted.cluster.place import Place
from tests.cluster.test_cluster import (
    PART,
    Listener,
    refused,
    start_dask,
    wait_for_dask,
)
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

    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.mktemp())
        self.folder.mkdir()
        self.ca = trustme.CA()
        self.ours = settings(self.folder / "ours", self.ca, self.ca)
        port = free_port()
        self.address = f"tls://127.0.0.1:{port}"
        told = {_variable(name): value for name, value in self.ours.items()}
        # They may take long to begin, and a test has no more than its time.
        start_dask(self, "scheduler", "--protocol", "tls", "--port", str(port), **told)
        worker = ("worker", self.address, "--no-nanny", "--name", "ann")
        wait_for_dask(start_dask(self, *worker, **told), "Registered to:")

    async def test_parts_are_spoken_to_by_those_who_have_a_certificate(self) -> None:
        """And by nobody else."""
        folder, ca, other = self.folder, self.ca, trustme.CA()
        # It brings settings of its own, which are not to go with ours.
        self.assertTrue(distributed.Client)
        await self._speak(self.address, self.ours)
        for told, words in (
            ({}, "expected Dask to be told of its certificates here"),
            (settings(folder / "other", other, other), "no Dask scheduler answers"),
            (settings(folder / "mixed", ca, other), "KEY_VALUES_MISMATCH"),
        ):
            with dask.config.set(told):
                error = await refused(connect(self.reactor, Place(self.address)))
            self.assertIn(words, error)

    async def _speak(self, address: str, ours: dict[str, Any]) -> None:
        with dask.config.set(ours):
            cluster: DaskCluster = await connect(self.reactor, Place(address))
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
