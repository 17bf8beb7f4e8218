"""Which language a text is in: a library that ships its model, or fastText's where its file is given."""

import functools
import importlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from msm.corpora.languages import ALIASES, languages
from msm.errors import BadInput
from msm.files import sha256_of

SHIPPED = "py3langid"
ALIKE = ({"bs", "hr", "sr", "sh"}, {"no", "nn", "da"}, {"id", "ms"}, {"ar", "arz"}, {"zh", "wuu"}, {"de", "als", "bar"})
"""Languages that identifiers take for each other; a text said to be in one of them may look like another."""


class Guess(NamedTuple):
    """A language and its probability."""

    language: str
    score: float


Identifier = Callable[[str], Guess]


@functools.cache
def identifier(name: str) -> Identifier:
    """The function that tells the language of a text.

    Args:
        name: `py3langid`, or the path of a fastText model.

    Raises:
        BadInput: no such model, or fastText is not installed.
    """
    if name == SHIPPED:
        model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        return lambda text: _guess(*model.classify(text))
    if not Path(name).is_file():
        raise BadInput(f"identifier: {name}: no such fastText model; {SHIPPED} needs none")
    try:
        fasttext = importlib.import_module("fasttext")
    except ImportError as error:
        raise BadInput("identifier: a fastText model needs `pip install fasttext`") from error
    loaded = fasttext.load_model(name)

    def classify(text: str) -> Guess:
        labels, scores = loaded.predict(text.replace("\n", " "))
        return _guess(labels[0].removeprefix("__label__"), float(scores[0]))

    return classify


def facts(name: str) -> dict[str, str]:
    """What the choice of identifier was, for the manifest."""
    if name == SHIPPED:
        return {"identifier": SHIPPED, "version": version(SHIPPED)}
    return {"identifier": Path(name).name, "sha256": sha256_of(Path(name))}


def verdict(declared: str, guess: Guess, score: float, shipped: bool) -> tuple[str, str]:
    """The language of a document, and why it has to go (empty if it stays).

    Args:
        declared: what the input says; empty if nothing.
        guess: of the identifier.
        score: least probability.
        shipped: whether the identifier is the one that the table of languages speaks of.
    """
    if not declared:
        return guess.language, "" if guess.score >= score else "language_unsure"
    row = languages().get(declared)
    if shipped and row is not None and row.identified == "no":
        return declared, ""  # the identifier cannot say; the share of the script will
    if guess.language != declared and not any({guess.language, declared} <= group for group in ALIKE):
        return declared, "wrong_language"
    return declared, "" if guess.score >= score else "language_unsure"


def _guess(label: str, score: float) -> Guess:
    return Guess(ALIASES.get(str(label), str(label)), float(score))
