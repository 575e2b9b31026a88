"""The decisions of each path: from a request to a behaviour."""
