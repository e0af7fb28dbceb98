"""What one sign-in costs: `make bench`. Ratios of one run, never a test."""
