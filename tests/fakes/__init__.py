"""A small internet in one process: hosts that check like the reference, and can lie.

Nothing here imports the client under test except the door's own error for a DNS
failure: proofs, assertions and challenges are verified with PyJWT and `cryptography`
alone, so that a mistake in the client cannot agree with itself.
"""
