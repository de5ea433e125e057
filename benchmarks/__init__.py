"""Measurements of the platform; `python -m benchmarks` runs them. What they mean is in docs/benchmarks.md."""
