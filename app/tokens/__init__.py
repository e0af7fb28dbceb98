"""The platform token (JWT): key rings, issuer and verifier.

Imports `app.atproto` for signing keys and nothing else of the application. Services do
not need this package: the JWKS and any JWT library verify the token.
"""
