"""xSIM and xSIM++ on FLORES-200 devtest: shares of the sentences whose choice by margin is wrong, so less is better.

As LASER's scorer does unless it is told to compare by line, another target with the text of the aligned one is right.
In xSIM++ altered copies of the targets are candidates too.

Sources: LASER, tasks/xsim; arXiv:2306.12907.
"""

from msm.collections.benchmark import BitextBenchmark
from msm.collections.readers.bitext import read_flores, read_flores_hard

BENCHMARK = BitextBenchmark(
    name="xsim",
    title="xSIM (FLORES-200)",
    protocol="xsim, ratio margin of 4 neighbours, equal texts are right",
    reader=read_flores,
    pairs="all-eng_Latn",
    measures=("xsim",),
    split="devtest",
    equal_texts_are_right=True,
    printed_as="flores_200",
)
PLUS_PLUS = BitextBenchmark(
    name="xsimpp",
    title="xSIM++ (FLORES-200)",
    protocol="xsim++, ratio margin of 4 neighbours, equal texts are right",
    reader=read_flores_hard,
    pairs="all-eng_Latn",
    measures=("xsim++",),
    split="devtest",
    equal_texts_are_right=True,
    printed_as="flores_200",
)
