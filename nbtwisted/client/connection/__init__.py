"""Connections: opened, secured, spoken on, kept for the next request."""
