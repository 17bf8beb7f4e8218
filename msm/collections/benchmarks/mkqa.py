"""MKQA as retrieval: 6,619 questions in 26 languages, on DPR's 21,015,324 passages of English Wikipedia.

As in mContriever: a question is answered by a passage that holds one of its English answers by DPR's rule, and the
printed measure is success@100 (R@100), mean over the languages. BGE-M3 searches BEIR's Natural Questions corpus
instead, so its numbers are of another pool.
"""

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.measure_names import ANSWER_DEPTH
from msm.collections.readers.mkqa import read
from msm.collections.sizes import DPR_PASSAGES

LANGUAGES = (
    "ar da de en es fi fr he hu it ja km ko ms nl no pl pt ru sv th tr vi zh-CN zh-HK zh-TW"
).split()  # fmt: skip

BENCHMARK = Benchmark(
    name="mkqa",
    title="MKQA",
    protocol="mkqa, dpr string match of English answers",
    reader=read,
    measures=(),
    sources=("arXiv:2007.15207", "github.com/apple/ml-mkqa", "mContriever, arXiv:2112.09118"),
    split="test",
    counts={language: PublishedSizes(6619) for language in LANGUAGES},
    passages=DPR_PASSAGES,
    by_language=True,
    answers="dpr",
    least_depth=ANSWER_DEPTH,
    ties="list",
    passage_context="title_text",
    instruction="Given a question, retrieve Wikipedia passages that answer the question",
)
