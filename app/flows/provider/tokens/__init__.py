"""Tokens of apps: client authentication, the token endpoint, and what tokens open."""
