"""Stores of logins under way, of browsers and of apps."""
