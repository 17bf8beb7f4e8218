"""Gives each text the language whose vector is subtracted: as the collection says, or guessed from the text.

A guess chooses among the languages of the collection: these are known even where nothing says which text is in which.
"""

import functools
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from msm.corpora.codes import canonical
from msm.errors import BadInput
from msm.imports import needed_package
from msm.retrieval.settings import GIVEN, SHIPPED


class QueryOrPassage(Protocol):
    """A question or a passage."""

    @property
    def language(self) -> str:
        """Language as the collection gives it."""
        ...

    @property
    def text(self) -> str:
        """Text that is read."""
        ...


Labels = Callable[[Sequence[QueryOrPassage]], list[str]]
"""Function from texts to their languages."""
Ranking = Callable[[str], list[str]]
"""Function from a text to the identifier's labels, the likeliest first."""


def given_labels(texts: Sequence[QueryOrPassage]) -> list[str]:
    """Return the languages that the collection gives."""
    return [text.language for text in texts]


def labels_by(identifier: str, languages: Collection[str]) -> Labels:
    """Return the function that labels texts.

    Args:
        identifier: `given`, `py3langid` (extra `corpus`), or the path of a fastText model.
        languages: languages to choose among, as the collection spells them.

    Raises:
        BadInput: the identifier is not here, or it cannot name a language or tell two apart.
    """
    if identifier == GIVEN:
        return given_labels
    rank, labels = _loaded(identifier)
    bases = {label: _base(label.removeprefix("__label__")) for label in labels}
    spellings: dict[str, str] = {}
    for language in sorted(languages):
        base = _base(language)
        if base in spellings:
            raise BadInput(f"language_labels {identifier}: it cannot tell {spellings[base]} from {language}")
        if base not in bases.values():
            raise BadInput(f"language_labels {identifier}: it cannot name {language or 'a text without a language'}")
        spellings[base] = language
    names = {label: spellings[base] for label, base in bases.items() if base in spellings}
    return lambda texts: [next(names[label] for label in rank(text.text) if label in names) for text in texts]


def _base(language: str) -> str:
    return canonical(language).partition("-")[0]


@functools.cache
def _loaded(identifier: str) -> tuple[Ranking, list[str]]:
    if identifier == SHIPPED:
        langid = needed_package("py3langid.langid", "corpus")
        model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
        return lambda text: [label for label, _ in model.rank(text)], list(model.labels)
    if not Path(identifier).is_file():
        raise BadInput(f"language_labels: {identifier}: no such fastText model; {SHIPPED} needs none")
    fasttext = needed_package("fasttext", "corpus").load_model(identifier)
    return lambda text: list(fasttext.predict(text.replace("\n", " "), k=-1)[0]), fasttext.get_labels()
