"""Use cases of accounts: sign-up and usernames."""
