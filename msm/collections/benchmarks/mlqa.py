"""MLQA as retrieval: a question in one of seven languages, the paragraph that answers it in each of them.

MLQA's own measures are those of reading a given paragraph; as retrieval it is scored as in MTEB (MLQARetrieval):
ndcg@10 on the paragraphs of one language, for every ordered pair. Beside these stands the pool of all languages, in
which a question has the same answer in two to seven languages. Titles are not searched. MTEB merges questions with
equal texts; here they stay apart.
"""

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.mlqa import read

BENCHMARK = Benchmark(
    name="mlqa",
    title="MLQA",
    protocol="mlqa, paragraphs",
    reader=read,
    measures=("ndcg@10", "recall@10"),
    sources=("arXiv:1910.07475", "github.com/facebookresearch/MLQA", "MTEB's MLQARetrieval"),
    split="test",
    counts={
        "ar": PublishedSizes(5335),
        "de": PublishedSizes(4517),
        "en": PublishedSizes(11590),
        "es": PublishedSizes(5254),
        "hi": PublishedSizes(4918),
        "vi": PublishedSizes(5495),
        "zh": PublishedSizes(5137),
    },
)
