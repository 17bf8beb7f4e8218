"""CIRAL: English questions, passages of news in Hausa, Somali, Swahili and Yoruba; each language has a pool of its own.

`ciral` is test set A with the judgements of the shared task's pools, `ciral_b` is test set B.
"""

from dataclasses import replace

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.ciral import ASKED_IN, read_a, read_b

BENCHMARK = Benchmark(
    name="ciral",
    title="CIRAL, test set A",
    protocol="ciral, pooled judgements",
    reader=read_a,
    measures=("ndcg@20", "recall@100"),
    sources=("SIGIR 2024, doi:10.1145/3626772.3657884", "github.com/ciralproject/ciral"),
    split="test",
    counts={
        "ha": PublishedSizes(80, 715355, 7288),
        "so": PublishedSizes(99, 827552, 9094),
        "sw": PublishedSizes(85, 949013, 8079),
        "yo": PublishedSizes(100, 82095, 8311),
    },
    by_language=True,
    asked_in=ASKED_IN,
    passage_context="title_text",
)
TEST_B = replace(
    BENCHMARK,
    name="ciral_b",
    title="CIRAL, test set B",
    protocol="ciral",
    reader=read_b,
    counts={
        "ha": PublishedSizes(312, 715355, 5930),
        "so": PublishedSizes(239, 827552, 4324),
        "sw": PublishedSizes(113, 949013, 2175),
        "yo": PublishedSizes(554, 82095, 10569),
    },
)
