"""Constructed languages: the small worlds of `msm run world`, whose questions lie in LAReQA's layout."""

from msm.collections.benchmark import Benchmark
from msm.collections.readers.lareqa import read_sentences

BENCHMARK = Benchmark(
    name="constructed",
    title="Constructed languages",
    protocol="lareqa",
    reader=read_sentences,
    measures=("map@20",),
)
