"""Which target sentence is the translation of a source sentence, by cosine and by margin.

The margin score of a pair is its cosine as a share of the mean cosine of both to their k nearest neighbours on the
other side: a sentence that is near to everything gets no credit for it.

Shapes: S sources, T targets, H width, k neighbours.

Sources: arXiv:1811.01136; LASER source/xsim.py; xSIM++, arXiv:2306.12907.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.errors import BadInput
from msm.retrieval.runs import Floats, Integers
from msm.retrieval.search import nearest

NEIGHBOURS = 4
"""LASER's k."""


class Mined(NamedTuple):
    """The chosen target of every source."""

    targets: Integers
    """Place of the target with the greatest score, [S]."""
    scores: Floats
    """Its score, [S]."""


def unit_length(vectors: Floats) -> Floats:
    """Vectors of length 1, float32, [any, H].

    Raises:
        BadInput: a vector is not finite or has no length.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise BadInput(f"vector {int(np.argmin(np.isfinite(lengths) & (lengths > 0)))} is not finite or has no length")
    return vectors / lengths


def by_cosine(sources: Floats, targets: Floats) -> Mined:
    """The nearest target of each source; of equal ones the first.

    Args:
        sources: [S, H].
        targets: [T, H].
    """
    places, scores = nearest(unit_length(sources), unit_length(targets), 1)
    return Mined(places[:, 0], scores[:, 0])


def by_margin(sources: Floats, targets: Floats, neighbours: int = NEIGHBOURS) -> Mined:
    """Of each source's k nearest targets the one with the greatest margin score (the ratio).

    Args:
        sources: [S, H].
        targets: [T, H].
        neighbours: k; of a smaller side, all.
    """
    sources, targets = unit_length(sources), unit_length(targets)
    places, cosines = nearest(sources, targets, neighbours)
    _, backward = nearest(targets, sources, neighbours)
    means = (cosines.mean(axis=1)[:, None] + backward.mean(axis=1)[places]) / 2
    margins = cosines / means
    best = margins.argmax(axis=1)[:, None]
    return Mined(np.take_along_axis(places, best, axis=1)[:, 0], np.take_along_axis(margins, best, axis=1)[:, 0])


def right(mined: Mined, targets: Sequence[str] | None = None) -> NDArray[np.bool_]:
    """Whether each source's aligned target, that of the same place, was chosen, [S].

    Args:
        mined: choices.
        targets: their texts; another target with the text of the aligned one is then right too.
    """
    aligned = np.arange(len(mined.targets))
    same = mined.targets == aligned
    if targets is None:
        return same
    texts = np.array(targets, dtype=object)
    return same | (texts[mined.targets] == texts[aligned]).astype(bool)
