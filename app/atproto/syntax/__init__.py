"""Grammars of handles, DIDs, NSIDs and origins, and what a person may type."""
