"""Mewsli-X: a mention in its sentence, asked of the descriptions of 1,003,893 entities in 50 languages, in one pool.

Exactly one entity is right, so the mAP@20 that XTREME-R reports equals mrr@20. The labels of XTREME-R's test are
withheld; dev is what is scored. Titles are not part of the text.
"""

from msm.collections.benchmark import Benchmark, Counts
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
        "ar": Counts(318),
        "de": Counts(326),
        "en": Counts(316),
        "es": Counts(311),
        "fa": Counts(72),
        "ja": Counts(310),
        "pl": Counts(304),
        "ro": Counts(145),
        "ta": Counts(312),
        "tr": Counts(262),
        "uk": Counts(315),
    },
    passages=1003893,
)
