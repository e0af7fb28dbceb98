"""Routes of the OAuth and OpenID provider, below /oauth/."""
