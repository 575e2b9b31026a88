"""What makes a reactor a traced one, and what becomes of what it records."""
