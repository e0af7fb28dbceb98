"""Stores of services: service keys, and the events of accounts."""
