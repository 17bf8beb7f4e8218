"""Constructed languages: the small worlds of `msm run world`, whose questions lie in LAReQA's layout."""

from dataclasses import replace

from msm.collections.benchmark import Benchmark
from msm.collections.benchmarks import hybrid
from msm.collections.readers.lareqa import read_sentences

BENCHMARK = Benchmark(
    name="constructed",
    title="Constructed languages",
    protocol="lareqa",
    reader=read_sentences,
    measures=("map@20",),
)
HYBRID = replace(
    hybrid.XQUAD_R.owned("constructed_hybrid"),
    title="Constructed languages, hybrid protocol",
    printed_as="",
)
