"""Ports whose connections fail before there is a request, or in the TLS handshake."""
