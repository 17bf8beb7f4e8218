"""Stored vectors: each text is encoded once, whatever else it is encoded with, and nothing else is taken for it."""

from pathlib import Path

import numpy as np
import pytest

from msm.encoders.vector_store import Vectors, VectorStore

TEXTS = [b"one", b"two", b"three", b"four"]
VECTORS = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
ROOM = 1 << 30


def encode(rows: list[int]) -> Vectors:
    return VECTORS[rows]


def never(rows: list[int]) -> Vectors:
    raise AssertionError(f"{rows} were encoded again")


def test_a_text_is_encoded_once(tmp_path: Path) -> None:
    store = VectorStore(tmp_path / "deep" / "a.sqlite", {"pooling": "mean"}, ROOM)
    np.testing.assert_array_equal(store.filled(TEXTS[:2], encode), VECTORS[:2])
    rows: list[int] = []
    again = VectorStore(tmp_path / "deep" / "a.sqlite", {"pooling": "mean"}, ROOM)
    vectors = again.filled(
        [TEXTS[3], TEXTS[1], TEXTS[0]], lambda rows_to_fill: rows.extend(rows_to_fill) or VECTORS[[3]]
    )
    np.testing.assert_array_equal(vectors, VECTORS[[3, 1, 0]])
    assert rows == [0]
    np.testing.assert_array_equal(store.filled([TEXTS[3], TEXTS[3]], never), VECTORS[[3, 3]])


def test_other_choices_are_other_vectors(tmp_path: Path) -> None:
    VectorStore(tmp_path / "a.sqlite", {"pooling": "mean"}, ROOM).filled(TEXTS, encode)
    other = VectorStore(tmp_path / "a.sqlite", {"pooling": "cls"}, ROOM).filled(TEXTS, lambda rows: -VECTORS[rows])
    np.testing.assert_array_equal(other, -VECTORS)


def test_a_full_store_takes_nothing_more(tmp_path: Path) -> None:
    VectorStore(tmp_path / "a.sqlite", {}, 0).filled(TEXTS, encode)
    with pytest.raises(AssertionError, match="encoded again"):
        VectorStore(tmp_path / "a.sqlite", {}, ROOM).filled(TEXTS, never)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"no database" * 999), lambda path: path.mkdir()])
def test_a_damaged_store_costs_time_only(tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture) -> None:
    assert callable(damage)
    damage(tmp_path / "a.sqlite")
    store = VectorStore(tmp_path / "a.sqlite", {}, ROOM)
    for _ in range(2):
        np.testing.assert_array_equal(store.filled(TEXTS, encode), VECTORS)
    assert caplog.text.count("not used") == 1
