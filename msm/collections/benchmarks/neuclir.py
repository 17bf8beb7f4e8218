"""TREC NeuCLIR: English topics of newswire, 10,038,768 documents in Persian, Russian and Chinese.

`neuclir_2022` and `neuclir_2023` search each language by itself; `neuclir_2023_mlir` searches all of them in one
pool, with judgements of its own. Gains are 3, 1 and 0 in 2022, and 3, 2, 1 and 0 in 2023. The overviews print ndcg@20,
with map and recall@1000 beside it; runs are 1,000 deep.
"""

from dataclasses import replace

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.neuclir import ASKED_IN, read_2022, read_2023, read_2023_one_pool

DOCUMENTS = {"fa": 2232016, "ru": 4627543, "zh": 3179209}

YEAR_2022 = Benchmark(
    name="neuclir_2022",
    title="NeuCLIR 2022",
    protocol="neuclir, queries title and description",
    reader=read_2022,
    measures=("ndcg@20", "map@1000", "recall@1000"),
    sources=("arXiv:2304.12367", "neuclir.github.io", "ir-datasets.com/neuclir.html"),
    split="test",
    counts={
        "fa": PublishedSizes(46, DOCUMENTS["fa"], 34174),
        "ru": PublishedSizes(45, DOCUMENTS["ru"], 33006),
        "zh": PublishedSizes(49, DOCUMENTS["zh"], 36575),
    },
    by_language=True,
    asked_in=ASKED_IN,
    passage_context="title_text",
)
YEAR_2023 = replace(
    YEAR_2022,
    name="neuclir_2023",
    title="NeuCLIR 2023",
    reader=read_2023,
    sources=("arXiv:2404.08071", *YEAR_2022.sources[1:]),
    counts={
        "fa": PublishedSizes(76, DOCUMENTS["fa"], 26662),
        "ru": PublishedSizes(76, DOCUMENTS["ru"], 25634),
        "zh": PublishedSizes(76, DOCUMENTS["zh"], 27638),
    },
)
ONE_POOL_2023 = replace(
    YEAR_2023,
    name="neuclir_2023_mlir",
    title="NeuCLIR 2023, all languages",
    reader=read_2023_one_pool,
    counts={
        ASKED_IN: PublishedSizes(76, 0, 79934),
        **{code: PublishedSizes(0, size, 0) for code, size in DOCUMENTS.items()},
    },
    by_language=False,
    asked_in="",
)
