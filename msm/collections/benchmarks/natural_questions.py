"""Natural Questions in DPR's form: 3,610 questions with answer strings, on 21,015,324 passages of English Wikipedia."""

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.measure_names import ANSWER_DEPTH
from msm.collections.readers.natural_questions import read
from msm.collections.sizes import DPR_PASSAGES

BENCHMARK = Benchmark(
    name="nq",
    title="Natural Questions",
    protocol="dpr string match",
    reader=read,
    measures=(),
    sources=("DPR, arXiv:2004.04906",),
    split="test",
    counts={"en": PublishedSizes(3610)},
    passages=DPR_PASSAGES,
    answers="dpr",
    least_depth=ANSWER_DEPTH,
    ties="list",
    passage_context="title_text",
    instruction="Given a question, retrieve Wikipedia passages that answer the question",
)
