"""Stores of the OAuth provider: clients."""
