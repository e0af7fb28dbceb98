"""Use cases of a call through /auth/xrpc: allow list, repository writes, pauses."""
