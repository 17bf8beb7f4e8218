"""mMARCO: MS MARCO's development queries and passages, translated by machine into 13 languages, and in English.

Question and passages are in the same language; the text is the same in all languages. What was trained on MS MARCO or
mMARCO is not zero-shot here.
"""

from dataclasses import replace

from msm.collections.benchmarks import ms_marco
from msm.collections.readers.mmarco import LANGUAGES, read

BENCHMARK = replace(
    ms_marco.BENCHMARK,
    name="mmarco",
    title="mMARCO",
    protocol="mmarco",
    reader=read,
    sources=("arXiv:2108.13897", "huggingface.co/datasets/unicamp-dl/mmarco"),
    counts=dict.fromkeys(LANGUAGES, ms_marco.SIZES),
    by_language=True,
)
