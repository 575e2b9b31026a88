"""What a request is, and what a response to it can be: values, and no I/O."""
