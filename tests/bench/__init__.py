"""Benchmarks: `make bench`. Ratios of one run; tests/test_bench.py runs one step."""
