"""Chooses the target sentence that is the translation of a source sentence, by cosine and by margin.

The margin score of a pair is its cosine as a share of the mean cosine of both to their k nearest neighbours on the
other side: a sentence that is near to everything gets no credit for it.

Shapes: S sources, T targets, H width, k neighbours.

Sources: arXiv:1811.01136; LASER source/xsim.py; xSIM++, arXiv:2306.12907.
"""

from typing import NamedTuple

import numpy as np

from msm.collections.runs import Floats, Integers
from msm.errors import BadInput
from msm.retrieval.search import nearest
from msm.retrieval.settings import NEIGHBOURS


class NearestTargets(NamedTuple):
    """The best targets of every source."""

    targets: Integers
    """Indices of the targets, best first; of equal scores the nearer target, or the one of a smaller index, first,
    [S, k]."""
    scores: Floats
    """Score of each target, [S, k]."""


def unit_length(vectors: Floats) -> Floats:
    """Return vectors scaled to length 1, float32, [any, H].

    Raises:
        BadInput: a vector is not finite or has no length.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise BadInput(f"vector {int(np.argmin(np.isfinite(lengths) & (lengths > 0)))} is not finite or has no length")
    return vectors / lengths


def by_cosine(sources: Floats, targets: Floats, neighbours: int = NEIGHBOURS) -> NearestTargets:
    """Return the nearest targets of each source.

    Args:
        sources: vectors of the sources, [S, H].
        targets: vectors of the targets, [T, H].
        neighbours: number of targets kept, k; all of a smaller side.
    """
    return NearestTargets(*nearest(unit_length(sources), unit_length(targets), neighbours))


def by_margin(sources: Floats, targets: Floats, neighbours: int = NEIGHBOURS) -> NearestTargets:
    """Return the k nearest targets of each source, by their margin score (the ratio).

    Args:
        sources: vectors of the sources, [S, H].
        targets: vectors of the targets, [T, H].
        neighbours: number of targets kept, k; all of a smaller side.
    """
    sources, targets = unit_length(sources), unit_length(targets)
    nearest_targets, cosines = nearest(sources, targets, neighbours)
    _, backward = nearest(targets, sources, neighbours)
    margins = cosines / ((cosines.mean(axis=1)[:, None] + backward.mean(axis=1)[nearest_targets]) / 2)
    order = np.argsort(-margins, axis=1, kind="stable")
    return NearestTargets(
        np.take_along_axis(nearest_targets, order, axis=1), np.take_along_axis(margins, order, axis=1)
    )
