"""One request, from leaving the queue to its end."""
