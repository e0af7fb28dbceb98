"""Rate limits: their counters, and the hosts that people sign in at."""
