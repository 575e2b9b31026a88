"""Failures of an HTTP Archive's requests, as the faults that fail alike. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbtwisted.server.recordings.loose_json import table, text

__all__ = ["SENDS_HALF", "fault_of"]

SENDS_HALF = frozenset(("truncate", "stall-body", "malformed-chunk"))
"""Faults that send half of a body."""


def _named(**errors: str) -> dict[str, str]:
    """The fault for each error."""
    return {
        error: fault.replace("_", "-")
        for fault, named in errors.items()
        for error in named.split()
    }


# By the types of our client's errors, and by the names that Chrome has for them. Our
# proxy writes ClientLeft where the answer was not waited for.
_WITHOUT_A_HEAD = _named(
    # Of what reached no server, a broken connection is what comes nearest.
    reset="""
        NameNotResolved ConnectFailed ConnectTimeout TLSFailed CertificateRefused
        SendFailed ConnectionLost ProxyNotResolved TunnelFailed SOCKSFailed
        net::ERR_NAME_NOT_RESOLVED net::ERR_CONNECTION_REFUSED
        net::ERR_CONNECTION_FAILED net::ERR_ADDRESS_UNREACHABLE
        net::ERR_CONNECTION_RESET net::ERR_CONNECTION_ABORTED
        net::ERR_SSL_PROTOCOL_ERROR net::ERR_CERT_DATE_INVALID
        net::ERR_CERT_AUTHORITY_INVALID net::ERR_CERT_COMMON_NAME_INVALID
        """,
    empty="""
        EmptyResponse ResponseCutShort
        net::ERR_EMPTY_RESPONSE net::ERR_CONNECTION_CLOSED
        """,
    stall="""
        FirstByteTimeout DeadlinePassed ClientLeft
        net::ERR_TIMED_OUT net::ERR_CONNECTION_TIMED_OUT
        """,
    garbage="MalformedResponse net::ERR_INVALID_HTTP_RESPONSE",
)
_BEHIND_A_HEAD = _named(
    truncate="""
        ConnectionLost ResponseCutShort
        net::ERR_CONTENT_LENGTH_MISMATCH net::ERR_INCOMPLETE_CHUNKED_ENCODING
        net::ERR_CONNECTION_RESET net::ERR_CONNECTION_CLOSED
        """,
    stall_body="DeadlinePassed ClientLeft net::ERR_TIMED_OUT",
    malformed_chunk="MalformedResponse net::ERR_INVALID_CHUNKED_ENCODING",
)


def fault_of(entry: Mapping[str, Any], *, has_head: bool) -> str:
    """The name of the fault.

    There is none (an empty text) where the request did not fail, where the client ended
    it itself, and where the archive does not say how it was.
    """
    response = table(entry.get("response"))
    error = (
        text(table(entry.get("_error")).get("type"))
        or text(response.get("_error"))
        # As Playwright has it.
        or text(response.get("_failureText"))
    )
    return (_BEHIND_A_HEAD if has_head else _WITHOUT_A_HEAD).get(error, "")
