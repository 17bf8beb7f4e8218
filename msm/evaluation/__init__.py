"""Measures of runs, their uncertainty, and the comparison of models."""
