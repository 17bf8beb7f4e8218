"""Mewsli-X: a mention in its sentence, asked of the descriptions of 1,003,893 entities in 50 languages, in one pool.

Exactly one entity is right, so the mAP@20 that XTREME-R reports equals mrr@20. The labels of XTREME-R's test are
withheld; dev is what is scored. Titles are not part of the text.
"""

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.mewsli_x import read

BENCHMARK = Benchmark(
    name="mewsli_x",
    title="Mewsli-X",
    protocol="mewsli_x",
    reader=read,
    measures=("map@20",),
    sources=("XTREME-R, arXiv:2104.07412", "google-research/dense_representations_for_entity_retrieval"),
    split="dev",
    counts={
        "ar": PublishedSizes(318),
        "de": PublishedSizes(326),
        "en": PublishedSizes(316),
        "es": PublishedSizes(311),
        "fa": PublishedSizes(72),
        "ja": PublishedSizes(310),
        "pl": PublishedSizes(304),
        "ro": PublishedSizes(145),
        "ta": PublishedSizes(312),
        "tr": PublishedSizes(262),
        "uk": PublishedSizes(315),
    },
    passages=1003893,
)
