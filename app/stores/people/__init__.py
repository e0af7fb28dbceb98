"""Stores of accounts: users, sessions, OAuth sessions, audit events."""
