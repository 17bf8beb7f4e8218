"""Reads every run of streamed shards and prints the sum of its ids: a program, for tests with several processes.

Usage: reading.py ADDRESS CACHE LIMIT
"""

import sys
from pathlib import Path

from msm.corpora.streaming import read_streamed


def sum_of_runs(address: str, cache: Path, limit: int) -> int:
    """Of the ids of all runs of all languages."""
    shards = read_streamed(address, cache=cache, cache_bytes=limit)
    return sum(
        int(unit.sum()) for name in shards.languages for n in range(len(shards[name])) for unit in shards[name].span(n)
    )


if __name__ == "__main__":
    print(sum_of_runs(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
