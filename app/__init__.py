"""Latchkey: sign-in for platforms whose users own their identity."""
