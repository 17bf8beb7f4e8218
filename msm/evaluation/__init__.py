"""Benchmarks, measures and the comparison of models."""
