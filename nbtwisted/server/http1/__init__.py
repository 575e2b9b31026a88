"""HTTP/1.1: bytes to requests, and a connection to carry responses."""
