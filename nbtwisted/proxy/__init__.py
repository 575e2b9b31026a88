"""The faults of the server, in front of a real upstream."""
