"""One run of `nbtwisted get`: here, or on the workers of a cluster."""
