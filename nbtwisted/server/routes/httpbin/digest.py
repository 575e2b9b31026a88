"""The path that asks who the client is by Digest: RFC 7616.

As in httpbin, the client's cookies hold the state: how many requests are left before
the nonce is stale (`stale_after`), and the nonce with which it failed (`last_nonce`). A
nonce proves by itself that it is this server's, so the server remembers none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import NamedTuple

from nbtwisted.http1.syntax import TOKEN
from nbtwisted.numeral import parse_whole_number
from nbtwisted.server.model.behaviour import Behaviour, refusal
from nbtwisted.server.model.headers import HeaderLines
from nbtwisted.server.model.request import Request
from nbtwisted.server.routes.httpbin.authentication import (
    METHODS,
    authenticated,
    credentials,
    malformed,
)
from nbtwisted.server.routes.httpbin.cookies import cookies_of, set_cookie
from nbtwisted.server.routes.parameters import (
    Refused,
    parameter,
    parse_truth,
    read,
    unreadable,
)
from nbtwisted.server.routes.router import Server, route

REALM = "nbtwisted"

NEVER = "never"

LONGEST_CREDENTIALS = 8 * 1024
"""Characters of an Authorization: to read 64 KiB takes up to 16 ms."""

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512": "sha512"}
"""As in httpbin. SHA-512 is not of RFC 7616, but requests and httpx know it."""

_SESSION = "-sess"

_QOPS = {
    "auth": ("auth",),
    "auth-int": ("auth-int",),
    "auth,auth-int": ("auth", "auth-int"),
    "none": (),
}
"""Qualities of protection that are offered; none as in RFC 2069."""

_FAKE = ("fake", "fake_value")
"""A cookie of every response, by which `require-cookie` sees that cookies are kept."""

# RFC 9110, 11.2.
_PARAMETER = re.compile(
    rf'[ \t,]*({TOKEN.decode()})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))'
    r"[ \t]*(?:,[ \t,]*|$)"
)
_is_count = re.compile("[0-9A-Fa-f]{8}").fullmatch
_URL_UP_TO_PATH = re.compile("https?://[^/?]*", re.I)


class _Asked(NamedTuple):
    """The parameters of the path."""

    qops: tuple[str, ...]
    user: str
    passwd: str
    algorithm: str
    stale_after: str


@route("/digest-auth/<qop>/<user>/<passwd>", *METHODS)
@route("/digest-auth/<qop>/<user>/<passwd>/<algorithm>", *METHODS)
@route("/digest-auth/<qop>/<user>/<passwd>/<algorithm>/<stale_after>", *METHODS)
def digest(
    server: Server,
    request: Request,
    qop: str,
    user: str,
    passwd: str,
    algorithm: str = "MD5",
    stale_after: str = NEVER,
) -> Behaviour:
    """Ask for a user and a password, of which only hashes are sent."""
    asked = _Asked(
        read("qop", qop, _parse_qop),
        user,
        passwd,
        read("algorithm", algorithm, _parse_algorithm),
        read("stale_after", stale_after, _parse_stale_after),
    )
    if not asked.qops and asked.algorithm.endswith(_SESSION):
        expected = f"an algorithm without {_SESSION}, which needs a qop"
        raise Refused(unreadable("algorithm", algorithm, expected))
    needs_cookies = parameter(request, "require-cookie", parse_truth, False)
    jar = cookies_of(request)
    text = credentials(request, "digest")
    secret = str(server.seed).encode()
    challenge = partial(_challenge, request, asked, secret)
    if not text or (needs_cookies and not jar):
        return challenge("not authenticated")
    if needs_cookies and jar.get(_FAKE[0]) != _FAKE[1]:
        expected = "the cookies that the challenge has set"
        return refusal(403, "no such cookie", _fake(request), expected=expected)
    given = _read_parameters(text)
    nonce = given.get("nonce", "")
    is_ours = hmac.compare_digest(
        nonce.encode(), _nonce(secret, nonce[:_SALT]).encode()
    )
    if not _is_right(given, asked, request):
        return challenge("wrong credentials", nonce if is_ours else "")
    if not is_ours or nonce == jar.get("last_nonce") or jar.get("stale_after") == "0":
        return challenge("stale nonce", nonce if is_ours else "", is_stale=True)
    left = jar.get("stale_after")
    cookies = [_fake(request)]
    if left is not None:
        cookies.append(set_cookie(request, "stale_after", _one_less(left)))
    return authenticated(asked.user, *cookies)


def _is_right(given: Mapping[str, str], asked: _Asked, request: Request) -> bool:
    """Whether these are the user and the password.

    Raises `Refused` for parameters that no user and no password could make right.
    """
    if given.get("realm") != REALM or given.get("username") != asked.user:
        return False
    qop, algorithm = given.get("qop"), given.get("algorithm", "MD5")
    if qop not in (asked.qops or (None,)):
        qops = " or ".join(f"qop={qop}" for qop in asked.qops)
        # 3.4: one of those that were offered.
        raise malformed(f"Digest, with {qops or 'no qop'}")
    if algorithm.lower() != asked.algorithm.lower():
        raise malformed(f"Digest, with algorithm={asked.algorithm}")
    uri = _URL_UP_TO_PATH.sub("", given.get("uri", ""), count=1)
    if uri.encode() != request.target:
        # 3.4.6: "the server SHOULD return a 400".
        raise malformed("Digest, with the target of the request as its uri")
    if qop and not _is_count(given.get("nc", "")):
        raise malformed("Digest, with nc=00000001, or another count of eight digits")
    if qop and not given.get("cnonce"):
        raise malformed("Digest, with a cnonce")
    return given.get("response", "").lower() == _response(given, asked, request)


def _response(given: Mapping[str, str], asked: _Asked, request: Request) -> str:
    """The right response: RFC 7616, 3.4.1 to 3.4.3; without a qop RFC 2069, 2.1.2."""

    def hashed(*parts: bytes) -> bytes:
        name = _HASHES[asked.algorithm.removesuffix(_SESSION)]
        made = hashlib.new(name, b":".join(parts), usedforsecurity=False)
        return made.hexdigest().encode()

    def of(name: str) -> bytes:
        return given.get(name, "").encode()

    who = hashed(asked.user.encode(), REALM.encode(), asked.passwd.encode())
    if asked.algorithm.endswith(_SESSION):
        who = hashed(who, of("nonce"), of("cnonce"))
    of_what = [request.method, of("uri")]
    if given.get("qop") == "auth-int":
        of_what.append(hashed(request.body))
    of_when = (of("nc"), of("cnonce"), of("qop")) if "qop" in given else ()
    return hashed(who, of("nonce"), *of_when, hashed(*of_what)).decode()


def _challenge(
    request: Request,
    asked: _Asked,
    secret: bytes,
    error: str,
    failed_with: str = "",
    *,
    is_stale: bool = False,
) -> Behaviour:
    """Ask for credentials; `failed_with` is a nonce that is not to be used again."""

    def drawn(random: Random) -> HeaderLines:
        salt, opaque = (
            f"{random.getrandbits(64):016x}",
            f"{random.getrandbits(64):016x}",
        )
        nonce = _nonce(secret, salt)
        told = [f'realm="{REALM}"', f'nonce="{nonce}"', f'opaque="{opaque}"']
        if asked.qops:
            told.append(f'qop="{", ".join(asked.qops)}"')
        told += [f"algorithm={asked.algorithm}", "charset=UTF-8"]
        if is_stale:
            told.append("stale=true")
        return (("WWW-Authenticate", "Digest " + ", ".join(told)),)

    cookies = [set_cookie(request, "stale_after", asked.stale_after), _fake(request)]
    if failed_with:
        cookies.append(set_cookie(request, "last_nonce", failed_with))
    expected = "the user and the password of the path"
    refused = refusal(401, error, *cookies, expected=expected)
    return refused._replace(drawn_headers=drawn)


_SALT = 16
"""Hexadecimal digits of a nonce that are drawn; the others follow from them."""


def _nonce(secret: bytes, salt: str) -> str:
    return salt + hmac.new(secret, salt.encode(), "sha256").hexdigest()[:32]


def _fake(request: Request) -> tuple[str, str]:
    return set_cookie(request, *_FAKE)


def _one_less(text: str) -> str:
    """What a cookie `stale_after` becomes; a client may have written anything in it."""
    try:
        return str(max(parse_whole_number(text) - 1, 0))
    except ValueError:
        return NEVER


def _read_parameters(text: str) -> dict[str, str]:
    """The parameters of Digest, by their names in lower case; raises `Refused`."""
    if len(text) > LONGEST_CREDENTIALS:
        raise malformed(f"Digest, of at most {LONGEST_CREDENTIALS} characters")
    given: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = _PARAMETER.match(text, position)
        if found is None or found[1].lower() in given:
            raise malformed('Digest, and parameters such as realm="…", each once')
        value = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
        given[found[1].lower()] = value
        position = found.end()
    return given


def _parse_qop(text: str) -> tuple[str, ...]:
    if text not in _QOPS:
        raise ValueError("one of " + ", or ".join(_QOPS))
    return _QOPS[text]


def _parse_algorithm(text: str) -> str:
    for name in _HASHES:
        for algorithm in (name, name + _SESSION):
            if text.lower() == algorithm.lower():
                return algorithm
    raise ValueError("one of " + ", ".join(_HASHES) + ", or one with -sess behind it")


def _parse_stale_after(text: str) -> str:
    if text == NEVER:
        return NEVER
    try:
        return str(parse_whole_number(text))
    except ValueError:
        raise ValueError(f"a number of requests, or {NEVER}") from None
