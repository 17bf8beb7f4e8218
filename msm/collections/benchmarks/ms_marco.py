"""MS MARCO passage ranking: 6,980 development queries that people typed, on 8,841,823 passages of web pages.

Passages have no titles. The official measure is mrr@10; about one passage a query is judged.
"""

from msm.collections.benchmark import Benchmark
from msm.collections.readers.mmarco import read_english
from msm.collections.sizes import MS_MARCO

BENCHMARK = Benchmark(
    name="ms_marco",
    title="MS MARCO passage ranking",
    protocol="ms_marco",
    reader=read_english,
    measures=("mrr@10", "recall@1000"),
    sources=("arXiv:1611.09268", "microsoft.github.io/msmarco"),
    split="dev",
    counts={"en": MS_MARCO},
    instruction="Given a web search query, retrieve relevant passages that answer the query",
)
