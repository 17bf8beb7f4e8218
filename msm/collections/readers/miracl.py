"""MIRACL v1.0: question and passages in the same language, with judged negatives; 16 languages and 2 surprise ones.

Files lie anywhere below the folder under their published names: `topics.miracl-v1.0-LANG-SPLIT.tsv`,
`qrels.miracl-v1.0-LANG-SPLIT.tsv`, `miracl-corpus-v1.0-LANG/docs-*.jsonl.gz`. MIRACL and Mr. TyDi share questions:
what was trained on Mr. TyDi is not zero-shot here.

Source: arXiv:2210.09984; huggingface.co/datasets/miracl.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file, find_files, refuse_same_names
from msm.collections.readers.trec import QueriesWithPassages, read_passages, read_qrel_rows, read_topics, side_by_side
from msm.errors import BadInput


def read(folder: Path, languages: Sequence[str] = (), split: str = "dev") -> Draft:
    """Read questions of some languages, each on its own passages.

    Args:
        folder: the files lie anywhere below it.
        languages: languages that are read; all that the folder has where none is named.
        split: train or dev.

    Raises:
        BadInput: a file is missing, malformed, or there twice.
    """
    topics = find_files(folder, f"topics.miracl-v1.0-*-{split}.tsv", deep=True)
    codes = languages or sorted({path.name.split("-")[2] for path in topics})
    if not codes:
        raise BadInput(f"{folder}: no topics.miracl-v1.0-LANG-{split}.tsv here")
    return side_by_side({language: read_part(folder, language, split) for language in codes})


def read_part(folder: Path, language: str, split: str) -> QueriesWithPassages:
    """Read one language; its passages stay in their files.

    Raises:
        BadInput: a file is missing or malformed.
    """
    topics, qrels = (
        find_file(folder, f"{kind}.miracl-v1.0-{language}-{split}.tsv", deep=True) for kind in ("topics", "qrels")
    )
    pattern = f"miracl-corpus-v1.0-{language}/docs-*.jsonl"
    corpus = find_files(folder, pattern, deep=True)
    if not corpus:
        raise BadInput(f"{folder}: no {pattern} here (plain or compressed)")
    refuse_same_names(corpus)
    passages = partial(read_passages, corpus, language)
    return QueriesWithPassages(read_topics(topics, language), passages, read_qrel_rows(qrels))
