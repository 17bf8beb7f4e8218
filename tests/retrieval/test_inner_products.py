"""Scores against exact fractions, whatever else is in the block."""

from fractions import Fraction

import numpy as np
import pytest

from msm.retrieval.inner_products import Products, lengths, pair_scores


def exact(query: np.ndarray, passage: np.ndarray) -> np.float32:
    """The inner product without any rounding, rounded once."""
    total = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(query, passage, strict=True))
    # A fraction becomes the nearest float64; that it lies on the border of two float32 is left to chance.
    return np.float32(float(total))


def vectors(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    values = rng.standard_normal((count, 33))
    if kind == "alike":
        values = 1 + values * 1e-6
    if kind == "cancelling":
        values[:, 17:] = -values[:, :16]
    if kind == "sparse":
        values[rng.random(values.shape) < 0.9] = 0
    if kind == "uneven":
        values *= 10.0 ** rng.integers(-12, 12, values.shape)
    return values.astype(np.float32)


@pytest.mark.parametrize("kind", ["plain", "alike", "cancelling", "sparse", "uneven"])
@pytest.mark.parametrize("pairs", [3, 600])
def test_a_score_is_the_exact_product_rounded_once(kind: str, pairs: int) -> None:
    rng = np.random.default_rng(3)
    queries, passages = vectors(kind, 20, rng), vectors(kind, 40, rng)
    if kind == "cancelling":
        queries[:, 17:] = queries[:, :16]
    products = Products(queries, passages, float(lengths(passages).max()))
    rows, columns = rng.integers(0, 20, pairs), rng.integers(0, 40, pairs)
    expected = [exact(queries[row], passages[column]) for row, column in zip(rows, columns, strict=True)]
    np.testing.assert_array_equal(products.scores(rows, columns), expected)
    np.testing.assert_array_equal(pair_scores(queries, passages, rows, columns), expected)
    assert (np.abs(products.approximate[rows, columns] - np.array(expected, float)) <= products.errors[rows]).all()


def test_a_score_does_not_depend_on_its_block() -> None:
    rng = np.random.default_rng(4)
    queries, passages = rng.standard_normal((2, 700, 384)).astype(np.float32)
    passages[300:600:7] = passages[5]
    longest = float(lengths(passages).max())
    everything = np.divmod(np.arange(50 * 700), 700)
    whole = Products(queries[:50], passages, longest).scores(*everything).reshape(50, 700)
    for rows, columns in ((1, 1), (7, 13), (50, 700)):
        part = Products(queries[:rows], passages[300 : 300 + columns], longest)
        few = np.arange(min(columns, 9))
        scores = part.scores(np.zeros(len(few), np.int64), few)
        np.testing.assert_array_equal(scores, whole[0, 300 : 300 + len(few)])
    assert len(np.unique(whole[:, 300:600:7], axis=1).T) == 1
