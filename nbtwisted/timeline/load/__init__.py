"""The page of a run of the load program, and its charts. Pure."""
