"""What came of a run, for people and for programs to read. Pure."""
