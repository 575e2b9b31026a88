"""The earlier name of `nbtwisted.testing`."""
