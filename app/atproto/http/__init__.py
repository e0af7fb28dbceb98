"""The outgoing HTTP client: URL policy, connection pool, limits, circuit breaker."""
