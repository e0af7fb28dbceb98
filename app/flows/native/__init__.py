"""Use cases of a native login: start, wait, confirm."""
