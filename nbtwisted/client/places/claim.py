"""How all who write to a place know that it is the same one, and can be written."""

from __future__ import annotations

import errno
import secrets
from contextlib import suppress

from nbtwisted.client.places.places import Place

__all__ = ["MANIFEST", "check_claim", "claim", "release"]

MANIFEST = "manifest.json"


def claim(place: Place) -> str:
    """Write a file to the place; returns its name, for all parts of a run to look for.

    Raises `OSError`, also where an earlier run's manifest is.
    """
    if place.read(MANIFEST) is not None:
        raise OSError(
            errno.EEXIST,
            "it is there already: expected a folder without one",
            f"{place.url}/{MANIFEST}",
        )
    name = f".nbtwisted-{secrets.token_hex(8)}"
    place.put({name: name.encode()})
    return name


def check_claim(place: Place, name: str) -> None:
    """Raise `OSError` unless the place has the file, and can be written from here."""
    if place.read(name) != name.encode():
        raise OSError(
            errno.ENOENT,
            "what another machine has written there is not seen from this one: "
            "expected a place that all of them share",
            place.url,
        )
    own = f"{name}-{secrets.token_hex(4)}"
    place.put({own: b""})
    release(place, own)


def release(place: Place, name: str) -> None:
    """Remove the file, if that may be done."""
    with suppress(OSError):
        place.remove(name)
