"""Grants of apps: what a person allowed, which tokens live by it, and what ends it."""
