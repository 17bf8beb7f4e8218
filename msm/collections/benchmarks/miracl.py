"""MIRACL v1.0: question and passages in the same language, with judged negatives; 16 languages and 2 surprise ones.

MIRACL and Mr. TyDi share questions: what was trained on Mr. TyDi is not zero-shot here. Passages and
judgements are counted as by ir_datasets 0.6.3.
"""

from msm.collections.benchmark import Benchmark, PublishedSizes
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
        "ar": PublishedSizes(2896, 2061414, 29197),
        "bn": PublishedSizes(411, 297265, 4206),
        "de": PublishedSizes(305, 15866222, 3144),
        "en": PublishedSizes(799, 32893221, 8350),
        "es": PublishedSizes(648, 10373953, 6443),
        "fa": PublishedSizes(632, 2207172, 6571),
        "fi": PublishedSizes(1271, 1883509, 12008),
        "fr": PublishedSizes(343, 14636953, 3429),
        "hi": PublishedSizes(350, 506264, 3494),
        "id": PublishedSizes(960, 1446315, 9668),
        "ja": PublishedSizes(860, 6953614, 8354),
        "ko": PublishedSizes(213, 1486752, 3057),
        "ru": PublishedSizes(1252, 9543918, 13100),
        "sw": PublishedSizes(482, 131924, 5092),
        "te": PublishedSizes(828, 518079, 1606),
        "th": PublishedSizes(733, 542166, 7573),
        "yo": PublishedSizes(119, 49043, 1188),
        "zh": PublishedSizes(393, 4934368, 3928),
    },
    by_language=True,
    passage_context="title_text",
    instruction="Given a question, retrieve Wikipedia passages that answer the question",
)
