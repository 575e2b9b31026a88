"""`SlowApp` under its earlier name; it is in `nbtwisted.testing.slow_app`."""

from nbtwisted.testing.slow_app import SlowApp

__all__ = ["SlowApp"]
