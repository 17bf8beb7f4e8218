"""Multi-EuP: titles of debates in 24 languages, asked of 22 thousand speeches in the European Parliament.

The paper asks a title of the speeches in its own language and of those in all languages; both are here, with its
mrr@100. Its sizes are printed in thousands, so a smaller table is refused and an exact one cannot be asked for.
"""

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.multi_eup import read

LANGUAGES = "bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv".split()

BENCHMARK = Benchmark(
    name="multi_eup",
    title="Multi-EuP",
    protocol="multi_eup",
    reader=read,
    measures=("mrr@100", "recall@100"),
    sources=("arXiv:2311.01870", "huggingface.co/datasets/unimelb-nlp/Multi-EuP"),
    split="test",
    counts=dict.fromkeys(LANGUAGES, PublishedSizes()),
    least_passages=21_500,
)
