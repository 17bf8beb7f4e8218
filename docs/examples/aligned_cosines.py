"""Cosines of translations, beside those of other questions in the same language and in other languages.

    python docs/examples/aligned_cosines.py XQUAD_R_FOLDER MODEL...

Every question of XQuAD-R stands in eleven languages. Three means are printed for each model:

- translations: cosine of a question and its translation, over all pairs of two languages;
- same language: cosine of two different questions in one language;
- other language: cosine of two different questions in two languages.

A space without language identity has the last two equal; a ranking needs the first to stand above both.
"""

import sys
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

import msm
from msm.collections.registry import find_benchmark
from msm.collections.runs import Floats


class Cosines(NamedTuple):
    """Mean cosines of the sentences of parallel texts."""

    translations: float
    same_language: float
    other_language: float


def mean_cosines(vectors: Floats) -> Cosines:
    """Return the mean cosines of L languages with N aligned sentences each; vectors are of length 1, [L, N, H]."""
    languages, count, _ = vectors.shape
    sums = vectors.sum(axis=1)
    pairs = list(combinations(range(languages), 2))
    aligned = np.array([np.sum(vectors[first] * vectors[second]) for first, second in pairs])
    others = np.array([sums[first] @ sums[second] for first, second in pairs]) - aligned
    own = np.sum(sums**2, axis=1) - count
    different = count * (count - 1)
    return Cosines(float(aligned.mean() / count), float(own.mean() / different), float(others.mean() / different))


def aligned_texts(data: Path) -> list[list[str]]:
    """Return the questions of XQuAD-R by language, in one order for all."""
    collection = find_benchmark("lareqa").read(data)
    columns: dict[str, dict[str, str]] = {}
    for question, query in zip(collection.questions, collection.queries, strict=True):
        columns.setdefault(query.language, {})[question] = query.text
    shared = sorted(set.intersection(*map(set, columns.values())))
    return [[column[question] for question in shared] for column in columns.values()]


def main(data: Path, models: list[Path]) -> None:
    """Print the three means of every model."""
    columns = aligned_texts(data)
    for model in models:
        encoder = msm.load_encoder(model)
        vectors = np.stack([encoder.encode(column, "query") for column in columns])
        found = mean_cosines(vectors / np.linalg.norm(vectors, axis=2, keepdims=True))
        print(
            f"{model}: translations {found.translations:.3f}, same language {found.same_language:.3f}, "
            f"other language {found.other_language:.3f}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
