"""Why a service does not start."""

__all__ = ["CannotServe"]


class CannotServe(Exception):
    """A file or a port of the options cannot be used: says which, and why."""
