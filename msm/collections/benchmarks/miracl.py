"""MIRACL v1.0: question and passages in the same language, with judged negatives; 16 languages and 2 surprise ones.

MIRACL and Mr. TyDi share questions: what was trained on Mr. TyDi is not zero-shot here.
"""

from msm.collections.benchmark import Benchmark, Counts
from msm.collections.readers.miracl import read

BENCHMARK = Benchmark(
    name="miracl",
    title="MIRACL",
    protocol="miracl",
    reader=read,
    measures=("ndcg@10", "recall@100"),
    sources=("arXiv:2210.09984", "huggingface.co/datasets/miracl/miracl"),
    split="dev",
    counts={
        "ar": Counts(2896),
        "bn": Counts(411),
        "de": Counts(305),
        "en": Counts(799, 32893221),
        "es": Counts(648),
        "fa": Counts(632),
        "fi": Counts(1271),
        "fr": Counts(343),
        "hi": Counts(350),
        "id": Counts(960),
        "ja": Counts(860),
        "ko": Counts(213),
        "ru": Counts(1252),
        "sw": Counts(482, 131924),
        "te": Counts(828),
        "th": Counts(733),
        "yo": Counts(119),
        "zh": Counts(393),
    },
    by_language=True,
    passage_context="title_text",
    instruction="Given a question, retrieve Wikipedia passages that answer the question",
)
