"""OAuth scopes and ATProto permissions: parse, compare, check (section 8)."""
