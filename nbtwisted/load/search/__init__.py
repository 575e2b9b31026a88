"""The search for the highest rate that is good. Pure."""
