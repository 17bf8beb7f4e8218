"""XQuAD-R and MLQA-R in the protocol of hybrid batch sampling.

Monolingual: candidates of the question's language. Cross-lingual: those of one other language, for every ordered pair;
only questions that have an answer there count. Multilingual: all candidates. map is that of the full ranking, recall@1
is given for one language and recall@10 for all (a share of the relevant ones, so at most 10/11 on XQuAD-R), and
rank_distance says how far the answers in all languages lie apart.

A candidate is the sentence alone; the paper does not say. Its monolingual numbers fit only as many queries as there
are distinct question texts, so equal questions of a language were merged: `xquad_r_dedup` and `mlqa_r_dedup` do that.

MLQA-R was removed from google-research-datasets/lareqa on 2020-04-28 and is in its history (354d67d, `mlqa-r`,
CC BY-NC 4.0).

Source: arXiv:2408.10536.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from msm.collections.benchmarks import lareqa
from msm.collections.clusters import connected
from msm.collections.collection import Collection
from msm.collections.passages import Passages, Read
from msm.collections.records import Passage
from msm.errors import BadInput
from msm.files import read_json

MEASURES = ("map", "recall@10", "rank_distance")
LANGUAGE_MEASURES = ("map", "recall@1")
"""On the candidates of one language."""

MLQA_R = {
    "ar": (517, 2545),
    "de": (512, 2362),
    "en": (1148, 6264),
    "es": (500, 1787),
    "hi": (507, 2426),
    "vi": (511, 2828),
    "zh": (504, 2322),
}
"""Questions and sentences of each language; 4,199 and 20,534 in all."""


def read_xquad_r(folder: Path) -> Collection:
    """XQuAD-R as published, sentences without their paragraph.

    Raises:
        BadInput: a file is malformed, or the counts are not the published ones.
    """
    return sentences_alone(lareqa.read_official(folder))


def read_mlqa_r(folder: Path) -> Collection:
    """MLQA-R as published, sentences without their paragraph.

    Raises:
        BadInput: a file is malformed, or the counts are not the published ones.
    """
    collection = lareqa.read(folder)
    found = collection.sizes()
    for language in sorted(MLQA_R | found):
        if found.get(language) != MLQA_R.get(language):
            raise BadInput(
                f"{folder}: not the official MLQA-R: {language} has (questions, sentences) "
                f"{found.get(language, (0, 0))} instead of {MLQA_R.get(language, (0, 0))}; "
                "give a pool of your own a name of its own, such as mlqa_r:NAME"
            )
    return sentences_alone(collection)


def read(folder: Path) -> Collection:
    """A pool of one's own in the same files."""
    return sentences_alone(lareqa.read(folder))


def read_xquad_r_dedup(folder: Path) -> Collection:
    """XQuAD-R with equal questions merged."""
    return merge_equal_questions(read_xquad_r(folder), written_questions(folder))


def read_mlqa_r_dedup(folder: Path) -> Collection:
    """MLQA-R with equal questions merged."""
    return merge_equal_questions(read_mlqa_r(folder), written_questions(folder))


def sentences_alone(collection: Collection) -> Collection:
    """The collection without the paragraphs around its candidates."""
    passages = collection.passages
    parts: dict[str | None, Read] = {language: partial(_alone, passages, language) for language in passages.counts}
    return collection._replace(passages=Passages(parts, passages.languages))


def _alone(passages: Passages, language: str) -> Iterator[Passage]:
    return (passage._replace(context="") for passage in passages.of(language))


def written_questions(folder: Path) -> dict[str, str]:
    """Query id to the question as its file has it, with the blanks around it: the paper's counts are of these."""
    return {
        f"{language}-{question['id']}": question["question"]
        for language, path in lareqa.language_files(folder).items()
        for article in read_json(path)["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    }


def merge_equal_questions(collection: Collection, written: Mapping[str, str]) -> Collection:
    """Questions of one language with the same text become one, with the answers of all.

    Args:
        collection: of questions and sentences.
        written: text of each query id.
    """
    firsts: dict[tuple[str, str], int] = {}
    texts = [(query.language, written[query.query_id]) for query in collection.queries]
    merged = np.array([firsts.setdefault(text, len(firsts)) for text in texts])
    _, kept = np.unique(merged, return_index=True)
    # A question that stands for two texts ties them together.
    texts_asked = collection.query_clusters
    clusters = connected((texts_asked[kept[one]], text) for one, text in zip(merged, texts_asked, strict=True))
    qrels = collection.qrels
    pairs = np.stack([merged[qrels.queries], qrels.passages, qrels.labels], axis=1)
    queries, passages, labels = np.unique(pairs, axis=0).T
    return collection._replace(
        queries=[collection.queries[place] for place in kept],
        questions=[collection.questions[place] for place in kept],
        clusters=[clusters[texts_asked[place]] for place in kept],
        qrels=qrels._replace(query_ids=qrels.query_ids.take(kept), queries=queries, passages=passages, labels=labels),
    )
