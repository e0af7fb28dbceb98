"""The OAuth requests: PAR, token exchange, DPoP, client authentication."""
