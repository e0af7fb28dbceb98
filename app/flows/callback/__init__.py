"""Use cases that finish a login: the callback, its replay and the sign-in."""
