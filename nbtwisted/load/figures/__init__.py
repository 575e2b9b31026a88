"""What came of a run, in numbers: gathered, merged, as JSON and back. Pure."""
