"""A run beside an earlier one. Pure."""
