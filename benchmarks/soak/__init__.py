"""Shows that the server loses nothing and leaks nothing."""
