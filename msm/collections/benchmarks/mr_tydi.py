"""Mr. TyDi v1.1: question and passages in the same language, 11 languages.

Each language is a folder `mrtydi-v1.1-LANGUAGE` (or `LANG`) with `collection/docs.jsonl`, `topic.SPLIT.tsv` and
`qrels.SPLIT.txt`, as in the published archives; topics and qrels may bear the names that Anserini gives them. v1.0
has other passages. Passages: what stands before the first blank line is the title.

Source: arXiv:2108.08787; github.com/castorini/mr.tydi.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msm.collections.collection import Collection
from msm.collections.readers.trec import Part, monolingual, read_passages, read_qrel_rows, read_topics
from msm.errors import BadInput

MEASURES = ("mrr@100", "recall@100")

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


class Counts(NamedTuple):
    """Sizes of one language."""

    passages: int
    train: int
    """Questions."""
    dev: int
    test: int
    judgements: int
    """Of the test questions."""


OFFICIAL = {
    "ar": Counts(2106586, 12377, 3115, 1081, 1257),
    "bn": Counts(304059, 1713, 440, 111, 130),
    "en": Counts(32907100, 3547, 878, 744, 935),
    "fi": Counts(1908757, 6561, 1738, 1254, 1451),
    "id": Counts(1469399, 4902, 1224, 829, 961),
    "ja": Counts(7000027, 3697, 928, 720, 923),
    "ko": Counts(1496126, 1295, 303, 421, 492),
    "ru": Counts(9597504, 5366, 1375, 995, 1168),
    "sw": Counts(136689, 2072, 526, 670, 743),
    "te": Counts(548224, 3880, 983, 646, 677),
    "th": Counts(568855, 3319, 807, 1190, 1368),
}


def read_official(folder: Path, languages: Sequence[str] = tuple(LANGUAGES), split: str = "test") -> Collection:
    """The published collection, or some of its languages.

    Args:
        folder: of the folders of the languages.
        languages: those wanted.
        split: train, dev or test.

    Raises:
        BadInput: a file is missing or malformed, or the counts are not the published ones.
    """
    for language in languages:
        if language not in OFFICIAL:
            raise BadInput(f"Mr. TyDi has no {language!r}; it has {', '.join(OFFICIAL)}")
    parts = {language: read_part(folder, language, split) for language in languages}
    # Topics are counted first: a wrong file is found before millions of passages are read.
    for language, part in parts.items():
        _check(folder, language, "questions", len(part.queries), getattr(OFFICIAL[language], split))
        if split == "test":
            _check(folder, language, "judgements", len(part.qrels), OFFICIAL[language].judgements)
    collection = monolingual(parts)
    for language, (_, passages) in collection.sizes().items():
        _check(folder, language, "passages", passages, OFFICIAL[language].passages)
    return collection


def read(folder: Path, split: str = "test") -> Collection:
    """A pool of one's own in the same files: the languages that are there."""
    languages = [language for language in LANGUAGES if _folder(folder, language)]
    if not languages:
        raise BadInput(f"{folder}: no language here (folders such as mrtydi-v1.1-swahili, or sw)")
    return monolingual({language: read_part(folder, language, split) for language in languages})


def read_part(folder: Path, language: str, split: str) -> Part:
    """One language; its passages stay in their file.

    Raises:
        BadInput: a file is missing or malformed.
    """
    place = _folder(folder, language)
    if place is None:
        raise BadInput(f"{folder}: no folder mrtydi-v1.1-{LANGUAGES[language]} or {language}")
    find = partial(_file, place)
    return Part(
        read_topics(find(f"topic.{split}.tsv", f"topics.mrtydi-v1.1-{language}.{split}.txt"), language),
        partial(read_passages, [find("collection/docs.jsonl", "docs.jsonl")], language),
        read_qrel_rows(find(f"qrels.{split}.txt", f"qrels.mrtydi-v1.1-{language}.{split}.txt")),
    )


def _folder(folder: Path, language: str) -> Path | None:
    found = (folder / name for name in (f"mrtydi-v1.1-{LANGUAGES[language]}", language))
    return next((path for path in found if path.is_dir()), None)


def _file(folder: Path, *names: str) -> Path:
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    raise BadInput(f"{folder}: no {names[0]} (or .gz)")


def _check(folder: Path, language: str, what: str, found: int, expected: int) -> None:
    if found != expected:
        raise BadInput(
            f"{folder}: not the official Mr. TyDi v1.1: {language} has {found} {what} instead of {expected}; "
            "give a pool of your own a name of its own, such as mr_tydi:NAME"
        )
