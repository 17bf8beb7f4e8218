"""Benchmark platform for cross-lingual dense retrieval."""
