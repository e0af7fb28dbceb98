"""Metrics for Prometheus: instruments, a recorder, and the process that serves them.

Loaded with METRICS_BIND alone: without it nothing is counted, and prometheus_client is
not imported.
"""
