"""Stores of the session: a private file, the keyring, memory; and the choice."""
