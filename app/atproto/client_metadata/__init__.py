"""Client metadata documents: build and validate (section 3)."""
