"""How a reactor sends in the turn in which something was written."""
