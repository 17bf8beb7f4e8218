"""Identifies the language of a text, by py3langid or by a fastText model."""

import functools
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from msm.corpora.languages import ALIASES, languages
from msm.errors import BadInput
from msm.files import sha256_of
from msm.imports import optional_package

SHIPPED = "py3langid"
ALIKE = ({"bs", "hr", "sr", "sh"}, {"no", "nn", "da"}, {"id", "ms"}, {"ar", "arz"}, {"zh", "wuu"}, {"de", "als", "bar"})
"""Languages that identifiers confuse. A text declared to be in one of them may be identified as another."""


class Guess(NamedTuple):
    """An identified language and its probability."""

    language: str
    score: float


Identifier = Callable[[str], Guess]


@functools.cache
def identifier(name: str) -> Identifier:
    """Return the function that identifies the language of a text.

    Args:
        name: `py3langid`, or the path of a fastText model.

    Raises:
        BadInput: the model does not exist, or fastText is not installed.
    """
    if name == SHIPPED:
        model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        return lambda text: _guess(*model.classify(text))
    if not Path(name).is_file():
        raise BadInput(f"identifier: {name}: no such fastText model; {SHIPPED} needs none")
    fasttext = optional_package("fasttext")
    if fasttext is None:
        raise BadInput("identifier: a fastText model needs `pip install fasttext`")
    fasttext_model = fasttext.load_model(name)

    def classify(text: str) -> Guess:
        labels, scores = fasttext_model.predict(text.replace("\n", " "))
        return _guess(labels[0].removeprefix("__label__"), float(scores[0]))

    return classify


def facts(name: str) -> dict[str, str]:
    """Return the identifier and its version, for the manifest."""
    if name == SHIPPED:
        return {"identifier": SHIPPED, "version": version(SHIPPED)}
    return {"identifier": Path(name).name, "sha256": sha256_of(Path(name))}


def verdict(source_language: str, guess: Guess, score: float, is_shipped: bool) -> tuple[str, str]:
    """Return the language of a document, and the reason to drop it; an empty reason keeps it.

    Args:
        source_language: language that the input gives; empty if it gives none.
        guess: result of the identifier.
        score: smallest probability.
        is_shipped: whether the identifier is py3langid, whose languages the table lists.
    """
    if not source_language:
        return guess.language, "" if guess.score >= score else "language_unsure"
    row = languages().get(source_language)
    if is_shipped and row is not None and row.identified == "no":
        return source_language, ""  # the identifier cannot say; the share of the script will
    if guess.language != source_language and not any({guess.language, source_language} <= group for group in ALIKE):
        return source_language, "wrong_language"
    return source_language, "" if guess.score >= score else "language_unsure"


def _guess(label: str, score: float) -> Guess:
    return Guess(ALIASES.get(str(label), str(label)), float(score))
