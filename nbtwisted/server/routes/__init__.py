"""What each path decides: from a request to a behaviour."""
