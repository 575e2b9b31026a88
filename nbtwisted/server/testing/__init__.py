"""The server in the hands of tests: on a clock, or in a process beside them."""
