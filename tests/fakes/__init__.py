"""A small internet in one process: hosts that check like the reference, and can lie.

Nothing here imports the client under test, but for the names of errors that its DNS and
its connections raise: proofs, assertions and challenges are verified with PyJWT and
`cryptography` alone, so that a mistake in the client cannot agree with itself.
"""
