"""Benchmarks: `python -m benchmarks.NAME` prints one JSON line last, a ratio against a peer in the same run."""
