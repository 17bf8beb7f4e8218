"""Benchmarks of speed: this project's way and the usual way of the same work take turns in one process.

Their outputs are compared before the clock runs. `msm bench NAME` runs one module of this package.
"""
