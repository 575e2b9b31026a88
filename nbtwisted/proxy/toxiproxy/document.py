"""Request bodies: JSON documents, read the way Toxiproxy reads them. Pure.

Toxiproxy is written in Go, whose `encoding/json` takes the names of fields in any case,
passes over fields that it does not know, and takes `null` for "not given". Clients rely
on that. A value of another type is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from nbtwisted.proxy.toxiproxy.errors import bad_request_body

__all__ = ["Fields", "parse_list", "parse_object"]

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
"""Whole numbers of Toxiproxy have 64 bits."""

_LARGEST_TOXICITY = 3.4028234663852886e38
"""Toxicities of Toxiproxy have 32 bits."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Fields:
    """The fields of a JSON object.

    Each method returns a field's value, or `default` for one that is missing or null,
    and raises `ApiError` for a value of another type. `names` are in small letters.
    """

    def __init__(self, values: Mapping[str, Any], where: str = "") -> None:
        self._values = {name.lower(): value for name, value in values.items()}
        self._where = where

    def text(self, name: str, default: str) -> str:
        """A string. Surrogates without a partner are replaced, as Go does it."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._unfit(name, "a string")
        return _SURROGATE.sub("\ufffd", value)

    def truth(self, name: str, default: bool) -> bool:
        """`true` or `false`."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._unfit(name, "true or false")
        return value

    def whole_number(self, name: str, default: int) -> int:
        """A whole number of 64 bits."""
        value = self._values.get(name)
        if value is None:
            return default
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not _LOWEST <= value <= _HIGHEST
        ):
            raise self._unfit(name, "a whole number")
        return value

    def number(self, name: str, default: float) -> float:
        """A number."""
        value = self._values.get(name)
        if value is None:
            return default
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or abs(value) > _LARGEST_TOXICITY
        ):
            raise self._unfit(name, "a number such as 0.5")
        return value

    def inner(self, name: str) -> Fields:
        """The fields of an object in this one; none if it is missing."""
        value = self._values.get(name)
        if value is None:
            return Fields({})
        if not isinstance(value, dict):
            raise self._unfit(name, "an object")
        return Fields(value, f"{self._where}{name}.")

    def _unfit(self, name: str, expected: str) -> Exception:
        return bad_request_body(f"{self._where}{name}: expected {expected}")


def parse_object(body: bytes, example: str) -> Fields:
    """Read a body that is one JSON object; `example` says what was expected.

    Raises `ApiError`.
    """
    value = _parse(body, example)
    if not isinstance(value, dict):
        raise bad_request_body(f"expected a JSON object such as {example}")
    return Fields(value)


def parse_list(body: bytes, example: str) -> list[Fields]:
    """Read a body that is a list of JSON objects; `example` shows one of them.

    Raises `ApiError`.
    """
    value = _parse(body, f"[{example}]")
    if not isinstance(value, list) or not all(isinstance(it, dict) for it in value):
        raise bad_request_body(
            f"expected a JSON list of objects such as [{example}]",
        )
    return [Fields(it) for it in value]


def _parse(body: bytes, example: str) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"), parse_constant=_refuse, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise bad_request_body(f"expected JSON such as {example}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON has no {constant}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number
