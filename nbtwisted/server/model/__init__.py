"""The values of a request and of a response to it. Pure."""
