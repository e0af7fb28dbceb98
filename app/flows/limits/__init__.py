"""Limits of calls: networks, hosts and concurrency."""
