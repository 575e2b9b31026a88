"""Rules: what is asked of a request that does not ask for it itself. Pure."""
