"""Tests of what a program does when it does not get as far as a request."""

import ssl

import httpx
import pytest

from nbtwisted.pytest_plugin import SlowServer


def test_nobody_answers(slow_server: SlowServer) -> None:
    timeout = httpx.Timeout(10, connect=0.1)
    with pytest.raises(httpx.ConnectTimeout):
        httpx.get(slow_server.fault_port("no-accept").url, timeout=timeout)


@pytest.mark.parametrize("kind", ["tls-expired", "tls-wrong-host", "tls-unknown-ca"])
def test_a_bad_certificate(slow_server: SlowServer, kind: str) -> None:
    port = slow_server.fault_port(kind)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(port.url, verify=ssl.create_default_context(cadata=port.ca_pem))


def test_a_good_certificate(slow_server: SlowServer) -> None:
    port = slow_server.fault_port("tls-good")
    context = ssl.create_default_context(cadata=port.ca_pem)
    assert httpx.get(f"{port.url}/get", verify=context).status_code == 200
