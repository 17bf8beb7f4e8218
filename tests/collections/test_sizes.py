"""Published sizes against those that ir_datasets and MTEB have counted; neither library is loaded for it."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from msm.collections.benchmarks import belebele
from msm.collections.readers.belebele import language_of
from msm.collections.registry import BENCHMARKS

CATALOGUE = {
    "mr_tydi": ("mr-tydi/{}", "mr-tydi/{}/test"),
    "miracl": ("miracl/{}", "miracl/{}/dev"),
    "ms_marco": ("msmarco-passage", "msmarco-passage/dev/small"),
    "mmarco": ("mmarco/v2/{}", "mmarco/v2/{}/dev/small"),
    "neuclir_2022": ("neuclir/1/{}", "neuclir/1/{}/trec-2022"),
    "neuclir_2023": ("neuclir/1/{}", "neuclir/1/{}/trec-2023"),
}
"""Names of the documents and of the judged queries of a language in ir_datasets."""
MTEB_NAMES = {"neuclir_2022": "NeuCLIR2022Retrieval", "neuclir_2023": "NeuCLIR2023Retrieval"}


def installed(package: str, file: str) -> Any:
    spec = find_spec(package)
    assert spec and spec.origin
    return json.loads((Path(spec.origin).parent / file).read_text())


@pytest.mark.parametrize("name", CATALOGUE)
def test_sizes_are_those_of_ir_datasets(name: str) -> None:
    sizes = installed("ir_datasets", "etc/metadata.json")
    documents, queries = CATALOGUE[name]
    for language, ours in BENCHMARKS[name].counts.items():
        # mMARCO's English is MS MARCO itself, and its Dutch is called `dt`.
        code = {("mmarco", "nl"): "dt"}.get((name, language), language)
        if (name, language) == ("mmarco", "en"):
            continue
        qrels = sizes[queries.format(code)]
        theirs = (
            qrels["queries"]["count"],
            sizes[documents.format(code)]["docs"]["count"],
            qrels["qrels"]["count"],
        )
        assert tuple(ours) == theirs, language


@pytest.mark.parametrize("name", MTEB_NAMES)
def test_sizes_are_those_of_mteb(name: str) -> None:
    sizes = installed("mteb", f"descriptive_stats/Retrieval/{MTEB_NAMES[name]}.json")["test"]
    for code, language in (("fas", "fa"), ("rus", "ru"), ("zho", "zh")):
        theirs = sizes["hf_subset_descriptive_stats"][code]
        assert BENCHMARKS[name].counts[language][:2] == (theirs["num_queries"], theirs["num_documents"])


def test_belebele_is_that_of_mteb() -> None:
    sizes = installed("mteb", "descriptive_stats/Retrieval/BelebeleRetrieval.json")["test"]
    subsets = sizes["hf_subset_descriptive_stats"]
    same_language = {name: one for name, one in subsets.items() if name.partition("-")[0] == name.partition("-")[2]}
    assert {language_of(name.partition("-")[0]) for name in same_language} == belebele.BENCHMARK.counts.keys()
    for name, one in same_language.items():
        questions, passages, _ = belebele.BENCHMARK.counts[language_of(name.partition("-")[0])]
        # MTEB merges questions with equal texts, of which a few languages have one or two.
        assert questions and questions - 5 <= one["queries_text_statistics"]["unique_texts"] <= questions, name
        assert one["relevant_docs_statistics"]["unique_relevant_docs"] == passages, name
