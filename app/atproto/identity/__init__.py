"""Identity resolution: handle to DID, DID to DID document, and back (section 1)."""
