"""Mr. TyDi v1.1: question and passages in the same language, 11 languages.

Each language is a folder `mrtydi-v1.1-LANGUAGE` (or `LANG`) with `collection/docs.jsonl`, `topic.SPLIT.tsv` and
`qrels.SPLIT.txt`, as in the published archives; topics and qrels may bear the names that Anserini gives them. v1.0
has other passages. Passages: what stands before the first blank line is the title.

Source: arXiv:2108.08787; github.com/castorini/mr.tydi.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msm.collections.collection import Draft
from msm.collections.layout import find_file, only
from msm.collections.readers.trec import QueriesWithPassages, read_passages, read_qrel_rows, read_topics, side_by_side
from msm.errors import BadInput

LANGUAGES = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ja": "japanese",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
    "th": "thai",
}


def read(folder: Path, languages: Sequence[str] = (), split: str = "test") -> Draft:
    """Read questions of some languages, each on its own passages.

    Args:
        folder: folder of the folders of the languages.
        languages: languages that are read; all that the folder has where none is named.
        split: train, dev or test.

    Raises:
        BadInput: a file is missing or malformed.
    """
    if unknown_codes := [language for language in languages if language not in LANGUAGES]:
        raise BadInput(f"Mr. TyDi has no {unknown_codes[0]!r}; it has {', '.join(LANGUAGES)}")
    codes = languages or [language for language in LANGUAGES if _folder(folder, language)]
    if not codes:
        raise BadInput(f"{folder}: no language here (folders such as mrtydi-v1.1-swahili, or sw)")
    return side_by_side({language: read_part(folder, language, split) for language in codes})


def language_of(folder: Path) -> str:
    """Return the language of a folder, by its name.

    Raises:
        BadInput: the folder is named after no language of Mr. TyDi.
    """
    for language, name in LANGUAGES.items():
        if folder.name in (language, f"mrtydi-v1.1-{name}"):
            return language
    raise BadInput(f"{folder}: no folder of a language (mrtydi-v1.1-swahili, or sw)")


def read_part(folder: Path, language: str, split: str) -> QueriesWithPassages:
    """Read one language; its passages stay in their file.

    Raises:
        BadInput: a file is missing or malformed.
    """
    language_folder = _folder(folder, language)
    if language_folder is None:
        raise BadInput(f"{folder}: no folder mrtydi-v1.1-{LANGUAGES[language]} or {language}")
    return QueriesWithPassages(
        read_topics(
            find_file(language_folder, f"topic.{split}.tsv", f"topics.mrtydi-v1.1-{language}.{split}.txt"), language
        ),
        partial(read_passages, [find_file(language_folder, "collection/docs.jsonl", "docs.jsonl")], language),
        read_qrel_rows(find_file(language_folder, f"qrels.{split}.txt", f"qrels.mrtydi-v1.1-{language}.{split}.txt")),
    )


def _folder(folder: Path, language: str) -> Path | None:
    names = (f"mrtydi-v1.1-{LANGUAGES[language]}", language)
    folders = [folder / name for name in names if (folder / name).is_dir()]
    return only(folders) if folders else None
