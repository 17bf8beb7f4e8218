"""MS MARCO passage ranking and mMARCO, its translations: judged development queries on 8,841,823 passages.

| benchmark | queries | passages | judgements |
|---|---|---|---|
| `ms_marco` | `queries.dev.small.tsv` | `collection.tsv` | `qrels.dev.small.tsv` |
| `mmarco` | `LANGUAGE_queries.dev.small.tsv` | `LANGUAGE_collection.tsv` | `qrels.dev.small.tsv`, for all languages |

Columns are id and text, with a tab between; LANGUAGE is an English name such as `german`. Files lie anywhere below the
folder. `queries.dev.tsv` with all 101,093 queries serves too: those without a judgement are left out. mMARCO has two
translations, `google` and `helsinki`; a folder with both is refused. The same id is the same text in every language.

Sources: arXiv:1611.09268 and the passage task's `collectionandqueries.tar.gz`; arXiv:2108.13897 and
huggingface.co/datasets/unicamp-dl/mmarco (`data/google/collections`, `data/google/queries/dev`); sizes as in
ir_datasets 0.6.3 (`msmarco-passage/dev/small`, `mmarco/v2/LANG/dev/small`).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file, find_files
from msm.collections.readers.trec import (
    QueriesWithPassages,
    judged_queries,
    read_passages,
    read_qrel_rows,
    read_topics,
    side_by_side,
)
from msm.errors import BadInput

LANGUAGES = {
    "ar": "arabic",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "id": "indonesian",
    "it": "italian",
    "ja": "japanese",
    "nl": "dutch",
    "pt": "portuguese",
    "ru": "russian",
    "vi": "vietnamese",
    "zh": "chinese",
}
JUDGEMENTS = "qrels.dev.small.tsv"


def read(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read mMARCO: queries of some languages, each on the passages of its language.

    Args:
        folder: the files lie anywhere below it.
        languages: languages that are read; all that the folder has where none is named.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    if unknown_codes := [language for language in languages if language not in LANGUAGES]:
        raise BadInput(f"mMARCO has no {unknown_codes[0]!r}; it has {', '.join(LANGUAGES)}")
    codes = languages or [code for code, name in LANGUAGES.items() if _collection_files(folder, name)]
    if not codes:
        raise BadInput(f"{folder}: no LANGUAGE_collection.tsv here, such as german_collection.tsv")
    parts = {language: _part(folder, language, f"{LANGUAGES[language]}_") for language in codes}
    return side_by_side(parts, are_translations=True)


def read_english(folder: Path, languages: Sequence[str] = ()) -> Draft:
    """Read MS MARCO, which is in English.

    Raises:
        BadInput: a file is missing, malformed or there twice.
    """
    del languages
    return side_by_side({"en": _part(folder, "en", "")})


def _part(folder: Path, language: str, prefix: str) -> QueriesWithPassages:
    qrels = read_qrel_rows(find_file(folder, JUDGEMENTS, deep=True))
    topics = find_file(folder, f"{prefix}queries.dev.small.tsv", f"{prefix}queries.dev.tsv", deep=True)
    passages = partial(read_passages, [find_file(folder, f"{prefix}collection.tsv", deep=True)], language)
    return QueriesWithPassages(judged_queries(read_topics(topics, language), qrels, topics), passages, qrels)


def _collection_files(folder: Path, name: str) -> list[Path]:
    return find_files(folder, f"{name}_collection.tsv", deep=True)
