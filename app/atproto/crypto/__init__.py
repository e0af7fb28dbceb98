"""Keys (JWK, RFC 7517) and what they sign: DPoP proofs and client assertions."""
