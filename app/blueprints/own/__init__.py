"""Routes below /auth/account that change or show a person's own account."""
