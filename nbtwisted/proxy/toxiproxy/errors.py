"""Errors of the API, with Toxiproxy's texts and statuses. Pure."""

from __future__ import annotations

__all__ = [
    "ApiError",
    "bad_request_body",
    "invalid_stream",
    "invalid_toxic_type",
    "missing_field",
    "proxy_already_exists",
    "proxy_not_found",
    "toxic_already_exists",
    "toxic_not_found",
]


class ApiError(Exception):
    """A request cannot be carried out.

    message   a sentence for the client
    status    of the response
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def as_json(self) -> dict[str, object]:
        """The body of the response, as JSON values."""
        return {"error": self.message, "status": self.status}


def bad_request_body(expected: str) -> ApiError:
    """The body is not JSON, or a field has a value of another type."""
    return ApiError(f"bad request body: {expected}", 400)


def missing_field(name: str) -> ApiError:
    """A field that has to be there is not there, or empty."""
    return ApiError(f"missing required field: {name}", 400)


def proxy_not_found() -> ApiError:
    """There is no proxy of this name."""
    return ApiError("proxy not found", 404)


def proxy_already_exists() -> ApiError:
    """There is a proxy of this name."""
    return ApiError("proxy already exists", 409)


def invalid_stream() -> ApiError:
    """The stream of a toxic is no direction."""
    return ApiError("stream was invalid, can be either upstream or downstream", 400)


def invalid_toxic_type() -> ApiError:
    """There is no toxic of this type."""
    return ApiError("invalid toxic type", 400)


def toxic_already_exists() -> ApiError:
    """The proxy has a toxic of this name, in either direction."""
    return ApiError("toxic already exists", 409)


def toxic_not_found() -> ApiError:
    """The proxy has no toxic of this name."""
    return ApiError("toxic not found", 404)
