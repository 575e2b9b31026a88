"""HTTP mode: requests answered by a real upstream, and broken on the way."""
