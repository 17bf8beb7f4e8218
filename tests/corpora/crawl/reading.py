"""What another process does in a test; loads little."""

from pathlib import Path

from msm.corpora.streaming import read_streamed


def sum_of_runs(address: str, cache: Path, limit: int) -> int:
    """Of the ids of all runs of all languages."""
    shards = read_streamed(address, cache=cache, cache_bytes=limit)
    return sum(
        int(unit.sum()) for name in shards.languages for n in range(len(shards[name])) for unit in shards[name].run(n)
    )
