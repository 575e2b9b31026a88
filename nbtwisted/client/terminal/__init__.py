"""What is shown on a terminal while requests are under way."""
