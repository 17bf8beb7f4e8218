"""The examples of the site compute what they say."""

import runpy
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def test_mean_cosines() -> None:
    """Three languages of four sentences, against loops over every pair of vectors."""
    vectors = np.random.default_rng(1).normal(size=(3, 4, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    places = [(language, sentence) for language in range(3) for sentence in range(4)]
    cosines: dict[tuple[bool, bool], list[float]] = {}
    for first, second in permutations(places, 2):
        kind = (first[0] == second[0], first[1] == second[1])
        cosines.setdefault(kind, []).append(float(vectors[first] @ vectors[second]))
    found = runpy.run_path(str(EXAMPLES / "aligned_cosines.py"))["mean_cosines"](vectors)
    assert found == pytest.approx([np.mean(cosines[kind]) for kind in ((False, True), (True, False), (False, False))])
