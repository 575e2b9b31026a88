"""What a run sends, and in which turns. Pure."""
