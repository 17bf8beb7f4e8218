"""MIRACL v1.0: question and passages in the same language, with judged negatives; 16 languages and 2 surprise ones.

Files lie anywhere below the folder under their published names: `topics.miracl-v1.0-LANG-SPLIT.tsv`,
`qrels.miracl-v1.0-LANG-SPLIT.tsv`, `miracl-corpus-v1.0-LANG/docs-*.jsonl.gz`. MIRACL and Mr. TyDi share questions:
what was trained on Mr. TyDi is not zero-shot here.

Source: arXiv:2210.09984; huggingface.co/datasets/miracl.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import Collection
from msm.collections.readers.trec import Part, monolingual, read_passages, read_qrel_rows, read_topics
from msm.errors import BadInput

MEASURES = ("ndcg@10", "recall@100")

OFFICIAL_QUESTIONS = {
    "ar": 2896,
    "bn": 411,
    "de": 305,
    "en": 799,
    "es": 648,
    "fa": 632,
    "fi": 1271,
    "fr": 343,
    "hi": 350,
    "id": 960,
    "ja": 860,
    "ko": 213,
    "ru": 1252,
    "sw": 482,
    "te": 828,
    "th": 733,
    "yo": 119,
    "zh": 393,
}
"""Of dev."""
OFFICIAL_PASSAGES = {"en": 32893221, "sw": 131924}
"""Those that are known to us; the others are not checked."""


def read_official(folder: Path, languages: Sequence[str] = tuple(OFFICIAL_QUESTIONS)) -> Collection:
    """The dev questions on the published corpora, or some of their languages.

    Raises:
        BadInput: a file is missing or malformed, or the counts are not the published ones.
    """
    for language in languages:
        if language not in OFFICIAL_QUESTIONS:
            raise BadInput(f"MIRACL has no {language!r}; it has {', '.join(OFFICIAL_QUESTIONS)}")
    parts = {language: read_part(folder, language, "dev") for language in languages}
    for language, part in parts.items():
        _check(folder, language, "dev questions", len(part.queries), OFFICIAL_QUESTIONS[language])
    collection = monolingual(parts)
    for language, (_, passages) in collection.sizes().items():
        _check(folder, language, "passages", passages, OFFICIAL_PASSAGES.get(language, passages))
    return collection


def read(folder: Path, split: str = "dev") -> Collection:
    """A pool of one's own in the same files: the languages that are there."""
    names = [path.name for path in folder.rglob(f"topics.miracl-v1.0-*-{split}.tsv*")]
    languages = sorted({name.split("-")[2] for name in names})
    if not languages:
        raise BadInput(f"{folder}: no topics.miracl-v1.0-LANG-{split}.tsv here")
    return monolingual({language: read_part(folder, language, split) for language in languages})


def read_part(folder: Path, language: str, split: str) -> Part:
    """One language; its passages stay in their files.

    Raises:
        BadInput: a file is missing or malformed.
    """
    topics, qrels = (_files(folder, f"{kind}.miracl-v1.0-{language}-{split}.tsv") for kind in ("topics", "qrels"))
    corpus = _files(folder, f"miracl-corpus-v1.0-{language}/docs-*.jsonl")
    passages = partial(read_passages, corpus, language)
    return Part(read_topics(topics[0], language), passages, read_qrel_rows(qrels[0]))


def _files(folder: Path, pattern: str) -> list[Path]:
    """Files of a name, shards in the order of their numbers."""
    found = [*folder.rglob(pattern), *folder.rglob(f"{pattern}.gz")]
    if not found:
        raise BadInput(f"{folder}: no {pattern} (or .gz) here")
    return sorted(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)])


def _check(folder: Path, language: str, what: str, found: int, expected: int) -> None:
    if found != expected:
        raise BadInput(
            f"{folder}: not the official MIRACL: {language} has {found} {what} instead of {expected}; "
            "give a pool of your own a name of its own, such as miracl:NAME"
        )
