"""Many requests: their list, their turns, how they are gathered."""
