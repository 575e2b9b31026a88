"""What is expected of the programs of each lesson, and of their exercises."""
