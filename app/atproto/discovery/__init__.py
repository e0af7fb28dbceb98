"""Discovery of authorization servers (RFC 9728, RFC 8414; section 2)."""
