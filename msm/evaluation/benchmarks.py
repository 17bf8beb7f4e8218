"""The benchmarks by name. A new one is a file that reads it, and a line here."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from msm.evaluation import lareqa
from msm.evaluation.collection import Collection
from msm.evaluation.measures import Measure, parse_measure


class Benchmark(NamedTuple):
    """How a benchmark is read and scored."""

    protocol: str
    """Whose rules decide what is relevant; written beside every score."""
    read: Callable[[Path], Collection]
    """From the folder of its files; refuses what is not the benchmark."""
    measures: tuple[str, ...]
    """The official ones."""

    def parsed_measures(self) -> list[Measure]:
        """The official measures."""
        return [parse_measure(name) for name in self.measures]


BENCHMARKS: dict[str, Benchmark] = {
    "lareqa": Benchmark("lareqa", lareqa.read_official, lareqa.MEASURES),
}

OWN_POOL = Benchmark("lareqa", lareqa.read, lareqa.MEASURES)
"""Any other name: LAReQA's rules on a pool of one's own, which never bears the name of an official benchmark."""


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of a name."""
    return BENCHMARKS.get(name, OWN_POOL)
