"""Telemetry that every layer reports to: the log context, and events for metrics."""
