"""What Latchkey costs: `make bench`. Ratios of one run, never a test."""
