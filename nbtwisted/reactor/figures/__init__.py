"""The figures of a reactor: what is measured of it, and as Prometheus wants it."""
