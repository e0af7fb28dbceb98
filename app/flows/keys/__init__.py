"""Signing keys: the life of a key, what changes the rings, and the rings in memory."""
