"""Formats of your own data: a layout of files and the rules by which it is scored. A new one is a line here.

Every benchmark of the registry is a format too: the same files with other content.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from msm.collections.benchmark import Benchmark, BitextBenchmark
from msm.collections.readers import (
    beir,
    bitext,
    hugging_face,
    hugging_face_hub,
    ir_datasets_catalogue,
    squad_paragraphs,
    training_records,
    trec,
)

MEASURES = ("ndcg@10", "mrr@100", "recall@100")

_RECORDS = Benchmark(
    name="records",
    title="Training records",
    protocol="records",
    reader=training_records.read,
    measures=MEASURES,
    passage_context="title_text",
    mean="micro",
)
FORMATS: dict[str, Benchmark] = {
    "dpr": replace(_RECORDS, name="dpr", title="DPR"),
    "tevatron": replace(_RECORDS, name="tevatron", title="Tevatron"),
    "flag_embedding": replace(_RECORDS, name="flag_embedding", title="FlagEmbedding"),
    "sentence_transformers": replace(_RECORDS, name="sentence_transformers", title="sentence-transformers"),
    "hugging_face": Benchmark(
        name="hugging_face",
        title="Hugging Face data set",
        protocol="hugging_face",
        reader=hugging_face.read,
        measures=MEASURES,
        passage_context="title_text",
        mean="micro",
    ),
    "beir": Benchmark(
        name="beir",
        title="BEIR",
        protocol="beir",
        reader=beir.read,
        measures=MEASURES,
        sources=("arXiv:2104.08663", "github.com/beir-cellar/beir"),
        passage_context="title_text",
        own_ids="dropped",
        mean="micro",
    ),
    "trec": Benchmark(
        name="trec",
        title="TREC files",
        protocol="trec",
        reader=trec.read_folder,
        measures=MEASURES,
        passage_context="title_text",
        mean="micro",
    ),
    "squad": Benchmark(
        name="squad", title="SQuAD JSON", protocol="squad", reader=squad_paragraphs.read, measures=MEASURES
    ),
}
BITEXT_FORMATS: dict[str, BitextBenchmark] = {
    "bitext": BitextBenchmark(
        name="bitext",
        title="Bitext",
        protocol="bitext, ratio margin of 4 neighbours, equal texts are right",
        reader=bitext.read_folder,
        pairs="all-en",
        measures=("accuracy", "xsim"),
        equal_texts_are_right=True,
    ),
}
"""Formats of aligned sentences, in which translations are mined."""


def _of_the_hub(name: str) -> Benchmark:
    source = hugging_face_hub.parse(name)
    return replace(
        FORMATS["hugging_face"].owned(name),
        protocol="hf",
        reader=partial(hugging_face_hub.read, source),
        fetch=partial(hugging_face_hub.fetch, source),
    )


def _of_the_catalogue(name: str) -> Benchmark:
    return replace(
        FORMATS["beir" if name.startswith("beir/") else "trec"].owned(name),
        protocol="ir_datasets",
        reader=partial(ir_datasets_catalogue.read, name),
        fetch=partial(ir_datasets_catalogue.fetch, name),
    )


LIBRARIES: dict[str, Callable[[str], Benchmark]] = {"hf": _of_the_hub, "ir_datasets": _of_the_catalogue}
"""Formats whose name is that of a data set in a library, which reads it and downloads what is missing."""
