"""Language vectors: the part that all vectors of a language share, which is subtracted between encoding and search.

A multilingual encoder puts texts of one language near each other, so a question finds answers in its own language
first. Taking the mean vector of each language off lessens that without any training. SHIFT (arXiv 2606.18801) does it
to the passages, relative to one pivot language; here questions can have theirs taken off, too.

Shapes: S texts, H width.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from msm.collections.runs import Floats
from msm.retrieval.language_labels import Labels, given_labels

Means = dict[str, Floats]
"""Language to its vector, float64, [H]."""


class LanguageVectors(NamedTuple):
    """The vectors that are subtracted from those of each language. A side without any stays unchanged."""

    passages: Mapping[str, Floats]
    """Vector of each language for passages, [H]."""
    queries: Mapping[str, Floats]
    """Vector of each language for questions, [H]."""
    cosine: bool
    """Whether vectors have length 1, to which they are scaled again."""
    labels: Labels = given_labels
    """Function that gives the language of each text."""


NO_LANGUAGE_VECTORS = LanguageVectors({}, {}, False)


def language_sums(vectors: Floats, languages: Sequence[str]) -> tuple[list[str], Floats, Floats]:
    """Return sums of the vectors of each language.

    Args:
        vectors: vectors of the texts, [S, H].
        languages: languages of the texts, [S].

    Returns:
        The languages in alphabetical order; float64 sums, one row a language; and how many vectors each has.
    """
    names, rows = np.unique(np.array(languages, str), return_inverse=True)
    sums = np.array([vectors[rows == row].sum(axis=0, dtype=np.float64) for row in range(len(names))])
    return names.tolist(), sums, np.bincount(rows, minlength=len(names)).astype(np.float64)


def mean_vectors(vectors: Floats, languages: Sequence[str]) -> Means:
    """Return the mean vector of each language.

    Args:
        vectors: vectors of the texts, [S, H].
        languages: languages of the texts, [S].
    """
    names, sums, counts = language_sums(vectors, languages)
    return dict(zip(names, sums / counts[:, None], strict=True))


def relative(means: Mapping[str, Floats], pivot: str) -> Means:
    """Return language vectors as SHIFT has them: the mean difference to the pivot over parallel texts.

    Args:
        means: mean vectors of the languages over the same texts.
        pivot: a language among them; its own vector is zero.
    """
    return {language: mean - means[pivot] for language, mean in means.items()}


def take_off(vectors: Floats, languages: Sequence[str], means: Mapping[str, Floats], cosine: bool) -> Floats:
    """Return vectors less those of their languages.

    Args:
        vectors: vectors of the texts, [S, H].
        languages: languages of the texts, [S].
        means: language to the vector that is subtracted; empty to change nothing.
        cosine: whether what is left is scaled to length 1. A vector of which nothing is left stays zero.

    Returns:
        float32, [S, H].
    """
    if not means or not len(vectors):
        return vectors
    differences = vectors.astype(np.float32)
    names = np.array(languages, str)
    for language in dict.fromkeys(languages):
        differences[names == language] -= means[language].astype(np.float32)
    if cosine:
        lengths = np.linalg.norm(differences, axis=1, keepdims=True)
        differences /= np.where(lengths > 0, lengths, np.float32(1))
    return differences
