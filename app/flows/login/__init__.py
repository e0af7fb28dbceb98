"""Use cases that begin a login: prompt, destination and requested scope."""
