"""The paths that ask who the client is: by Basic (RFC 7617) and Bearer (RFC 6750)."""

from __future__ import annotations

import re
from base64 import b64decode

from nbtwisted.server.model.behaviour import Behaviour, json_behaviour, refusal
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.parameters import Refused, unreadable
from nbtwisted.server.routes.router import Server, route

__all__ = ["METHODS", "authenticated", "credentials", "malformed"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""All that may need credentials; OPTIONS tells these."""

_is_bearer_token = re.compile(r"[\w.~+/-]+=*", re.A).fullmatch
"""RFC 6750, 2.1."""

_BASIC = ("WWW-Authenticate", 'Basic realm="Fake Realm", charset="UTF-8"')


@route("/basic-auth/<user>/<passwd>", *METHODS)
def basic(server: Server, request: Request, user: str, passwd: str) -> Behaviour:
    """Ask for a user and a password."""
    if _is_let_in(request, user, passwd):
        return authenticated(user)
    expected = "the user and the password of the path"
    return refusal(401, "not authenticated", _BASIC, expected=expected)


@route("/hidden-basic-auth/<user>/<passwd>", *METHODS)
def hidden_basic(server: Server, request: Request, user: str, passwd: str) -> Behaviour:
    """The same, but whoever does not know them is told that there is nothing."""
    if _is_let_in(request, user, passwd):
        return authenticated(user)
    return refusal(404, "not found")


@route("/bearer", *METHODS)
def bearer(server: Server, request: Request) -> Behaviour:
    """Ask for a token, and take any."""
    token = credentials(request, "bearer")
    if not token:
        challenge = ("WWW-Authenticate", "Bearer")
        expected = "Authorization: Bearer, and a token"
        return refusal(401, "not authenticated", challenge, expected=expected)
    if not _is_bearer_token(token):
        # 3.1: the request is malformed, which is not to say that the token is wrong.
        expected = "Bearer, and a token of letters, digits and -._~+/, which = may end"
        raise malformed(
            expected, ("WWW-Authenticate", 'Bearer error="invalid_request"')
        )
    return json_behaviour({"authenticated": True, "token": token})


def credentials(request: Request, scheme: str) -> str | None:
    """What a request's Authorization has behind this scheme, in lower case.

    None if it has no Authorization, or one of another scheme.
    """
    name, _, rest = (request.header("authorization") or "").partition(" ")
    return rest.strip(" ") if name.lower() == scheme else None


def malformed(expected: str, *headers: tuple[str, str]) -> Refused:
    """Refuses an Authorization that cannot be read. It is a secret, and not shown."""
    error = "bad value for authorization"
    control = "authorization"
    return Refused(refusal(400, error, *headers, control=control, expected=expected))


def authenticated(user: str, *headers: tuple[str, str]) -> Behaviour:
    """Let the user in."""
    let_in = json_behaviour({"authenticated": True, "user": user})
    return let_in._replace(headers=(*let_in.headers, *headers))


def _is_let_in(request: Request, user: str, passwd: str) -> bool:
    if ":" in user:
        raise Refused(unreadable("user", user, "a user without a colon (RFC 7617, 2)"))
    given = credentials(request, "basic")
    if not given:
        return False
    try:
        text = b64decode(given, validate=True).decode()
    except ValueError:
        text = ""
    if ":" not in text:
        raise malformed("Basic, and the base64 of user:password in UTF-8")
    return text == f"{user}:{passwd}"
