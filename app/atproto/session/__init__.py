"""A stored OAuth session in use: requests to the PDS, and its refresh (section 7)."""
