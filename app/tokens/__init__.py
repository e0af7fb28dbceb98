"""The platform token: key rings, issuer and verifier.

Knows `app.atproto` for signing keys and nothing else of the application. A service
elsewhere needs none of this: the JWKS and any JWT library verify the token.
"""
