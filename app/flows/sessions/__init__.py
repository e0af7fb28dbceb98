"""Use cases of a session: identify, verify, list devices, sign out."""
