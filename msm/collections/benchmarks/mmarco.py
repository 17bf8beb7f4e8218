"""mMARCO: MS MARCO's development queries and passages, translated by machine into 13 languages, and in English.

Question and passages are in the same language; the text is the same in all languages. What was trained on MS MARCO or
mMARCO is not zero-shot here.
"""

from msm.collections.benchmark import Benchmark
from msm.collections.readers.mmarco import LANGUAGES, read
from msm.collections.sizes import MS_MARCO

BENCHMARK = Benchmark(
    name="mmarco",
    title="mMARCO",
    protocol="mmarco",
    reader=read,
    measures=("mrr@10", "recall@1000"),
    sources=("arXiv:2108.13897", "huggingface.co/datasets/unicamp-dl/mmarco"),
    split="dev",
    counts=dict.fromkeys(LANGUAGES, MS_MARCO),
    by_language=True,
    instruction="Given a web search query, retrieve relevant passages that answer the query",
)
