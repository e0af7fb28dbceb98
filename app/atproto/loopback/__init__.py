"""The loopback redirect listener of a program on a person's machine (RFC 8252)."""
