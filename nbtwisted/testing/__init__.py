"""The server for tests: on a clock, or in a process beside them."""
